// The stores on one SQLite file: segments, videos, events and totals share it, so that a change and its event
// are one transaction. Any thread may use them; any number of processes may open the same file. A process
// that forks opens its own stores after the fork and does not touch those of its parent.
#pragma once

#include <filesystem>
#include <memory>

#include "base/metrics.h"
#include "store/stores.h"

namespace segments {

struct SqliteOptions {
  std::filesystem::path file;    // made, with its folder, when it is absent
  int busy_timeout_ms = 15'000;  // how long a write waits for other processes before Error{unavailable}
  int cache_mb = 64;             // page cache of the writer; readers share the operating system's
  int library_mb = 128;  // for what lists sort and filter by; what a user has beyond it is read from the file
  std::int64_t max_pages = 0;  // bound of the file in pages of 4 KiB; 0: none
};

class SqliteStores : public Stores {
 public:
  // Opens the file and brings its schema up to date. Throws Error{internal} with one plain sentence when the
  // file is damaged, is no database of this program, or was written by a newer version; Error{unavailable}
  // when it is busy.
  explicit SqliteStores(const SqliteOptions&, Metrics* = nullptr);
  // Finishes what was begun, then closes the file.
  ~SqliteStores() override;
  SqliteStores(const SqliteStores&) = delete;
  SqliteStores& operator=(const SqliteStores&) = delete;

  SegmentStore& segments() override;
  VideoStore& videos() override;
  EventLog& events() override;
  Totals& totals() override;
  Archive& archive() override;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace segments

// Copies the earlier service's table into ours while that service goes on. Every item's digest is kept with
// its copy, so that another run, after this one was killed or when the old service has stopped, writes only
// what is new or changed. What our service has changed or removed meanwhile is left as it is.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "dynamodb/old_item.h"
#include "dynamodb/table.h"

namespace segments::dynamodb {

struct MigrationReport {
  int passes = 0;  // over the old table, the verifying one among them
  // In the last pass.
  std::int64_t old_items = 0;
  std::int64_t videos = 0, segments = 0;  // that these items tell of
  std::int64_t rebuilt = 0;               // of the segments, from their video's output_s3_urls
  std::int64_t changed = 0;               // items that were copied in that pass: the old service goes on
  std::int64_t removed_since = 0;         // videos and segments that our service removed after they came
  std::vector<std::string> missing;       // what is not there after all, in words; at most 100
  std::vector<std::string> strange;       // items that name no video; at most 100
  std::int64_t copied = 0;                // items, in all passes
};

class Migration {
 public:
  // Both tables outlive it. `tell` is called now and then with what is done, by any thread but one at a time.
  Migration(Table& old, Table& ours, std::function<void(const std::string&)> tell);

  // Copies until a pass finds nothing changed, or ten times; then verifies. Begins where a run that was
  // killed had come to.
  MigrationReport run();

 private:
  struct Pass {
    std::atomic<std::int64_t> items = 0, copied = 0;
  };
  void pass(Pass&, Item from);
  void copy_page(Pass&, const std::vector<Item>& items);
  bool copy(const Item& old, const Item* known);
  void copy_segment(const Item& segment, const Item* there, bool was_copied, const Item* video);
  void copy_video(const ConvertedItem&, const Item& known, const std::string& digest);
  void note_progress(const Item& last);
  Item find_progress();
  void verify(MigrationReport&);
  void verify_page(MigrationReport&, const std::vector<Item>& items);

  Table& old_;
  Table& ours_;
  const std::function<void(const std::string&)> tell_;
};

}  // namespace segments::dynamodb

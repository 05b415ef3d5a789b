// Pages of lists as they were answered, kept for as long as nothing of their user has changed: each belongs
// to the revision that the store gave with it, and is found by that revision alone. Bounded by bytes, what
// was used last stays longest. Any thread.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/metrics.h"
#include "base/time.h"

namespace segments {

struct ListAnswer {
  std::string body;
  std::string header_lines;  // each with its line break; the ETag's is the last one's
  std::string etag;
};

class ListCache {
 public:
  ListCache(std::size_t most_bytes, Metrics&);

  // nullptr: not kept, or of another revision, or not to be shown any more at `now`.
  std::shared_ptr<const ListAnswer> find_answer(const std::string& key, std::int64_t revision, Millis now);
  // Kept until `until` at the longest, and not at all where it would take the place of many.
  void put_answer(std::string key, std::int64_t revision, Millis until, std::shared_ptr<const ListAnswer>);
  std::size_t bytes();

 private:
  struct Entry {
    std::string key;
    std::int64_t revision = 0;
    Millis until = 0;
    std::size_t bytes = 0;
    std::shared_ptr<const ListAnswer> answer;
  };
  void drop(std::list<Entry>::iterator);

  const std::size_t most_bytes_;
  Counter& hits_;
  Counter& misses_;
  std::mutex mutex_;  // held for a lookup; bodies are copied outside
  std::size_t bytes_ = 0;
  std::list<Entry> entries_;                                                 // used last comes first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_;  // views of the entries' keys
};

}  // namespace segments

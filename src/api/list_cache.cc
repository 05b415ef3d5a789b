#include "api/list_cache.h"

#include <utility>

namespace segments {

namespace {

constexpr std::size_t bytes_beside_answer = 256;  // of an entry, its place in the list and in the table
constexpr std::size_t least_answers = 16;         // that find room

}  // namespace

ListCache::ListCache(std::size_t most_bytes, Metrics& metrics)
    : most_bytes_(most_bytes),
      hits_(metrics.counter("segments_list_answers_total", "Lists of segments by where the answer came from",
                            {{"from", "memory"}})),
      misses_(metrics.counter("segments_list_answers_total",
                              "Lists of segments by where the answer came from", {{"from", "store"}})) {}

std::shared_ptr<const ListAnswer> ListCache::find_answer(const std::string& key, std::int64_t revision,
                                                         Millis now) {
  std::lock_guard lock(mutex_);
  auto found = by_key_.find(key);
  if (found == by_key_.end() || found->second->revision != revision || found->second->until <= now) {
    misses_.add();
    return nullptr;
  }
  hits_.add();
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->answer;
}

void ListCache::put_answer(std::string key, std::int64_t revision, Millis until,
                           std::shared_ptr<const ListAnswer> answer) {
  const std::size_t bytes = answer->body.capacity() + answer->header_lines.capacity() +
                            answer->etag.capacity() + key.capacity() + bytes_beside_answer;
  if (bytes > most_bytes_ / least_answers) return;
  std::lock_guard lock(mutex_);
  // An older answer that comes late costs a newer one its place, never its truth.
  if (auto found = by_key_.find(key); found != by_key_.end()) drop(found->second);
  while (bytes_ + bytes > most_bytes_) drop(std::prev(entries_.end()));
  entries_.push_front({std::move(key), revision, until, bytes, std::move(answer)});
  by_key_.emplace(entries_.front().key, entries_.begin());
  bytes_ += bytes;
}

std::size_t ListCache::bytes() {
  std::lock_guard lock(mutex_);
  return bytes_;
}

void ListCache::drop(std::list<Entry>::iterator entry) {
  bytes_ -= entry->bytes;
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace segments

#include "sqlite/match_cache.h"

namespace segments::sqlite {

std::optional<Matching> MatchCache::find_matching(const std::string& key, std::int64_t revision) {
  std::lock_guard lock(mutex_);
  auto found = by_key_.find(key);
  if (found == by_key_.end() || found->second->revision != revision) return std::nullopt;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->matching;
}

void MatchCache::put_matching(const std::string& key, std::int64_t revision, Matching matching) {
  std::lock_guard lock(mutex_);
  if (auto found = by_key_.find(key); found != by_key_.end()) {
    entries_.erase(found->second);
    by_key_.erase(found);
  }
  entries_.push_front({key, revision, std::move(matching)});
  by_key_[key] = entries_.begin();
  if (entries_.size() <= most_) return;
  by_key_.erase(entries_.back().key);
  entries_.pop_back();
}

}  // namespace segments::sqlite

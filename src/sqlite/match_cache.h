// Exact counts of filtered lists, remembered for as long as the user's segments have not changed: each
// belongs to the revision at which it was made, which is read in the same snapshot. Bounded; any thread.
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "sqlite/segment_queries.h"

namespace segments::sqlite {

class MatchCache {
 public:
  explicit MatchCache(std::size_t most = 2'048) : most_(most) {}
  std::optional<Matching> find_matching(const std::string& key, std::int64_t revision);
  void put_matching(const std::string& key, std::int64_t revision, Matching);

 private:
  struct Entry {
    std::string key;
    std::int64_t revision;
    Matching matching;
  };
  const std::size_t most_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // used last comes first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
};

}  // namespace segments::sqlite

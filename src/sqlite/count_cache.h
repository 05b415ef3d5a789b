// Exact counts of filtered lists, remembered for as long as the user's segments have not changed: each
// belongs to the revision at which it was made, which is read in the same snapshot. Bounded; any thread.
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace segments::sqlite {

class CountCache {
 public:
  explicit CountCache(std::size_t most = 4'096) : most_(most) {}
  std::optional<std::int64_t> find_count(const std::string& key, std::int64_t revision);
  void put_count(const std::string& key, std::int64_t revision, std::int64_t count);

 private:
  struct Entry {
    std::string key;
    std::int64_t revision;
    std::int64_t count;
  };
  const std::size_t most_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // used last comes first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
};

}  // namespace segments::sqlite

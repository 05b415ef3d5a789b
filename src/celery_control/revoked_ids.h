// The ids that this node was told to revoke since its start, or that its peers had: the newest 50,000. The
// queue drops their messages; these are for those who ask, and for peers. Any thread may call.
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace segments::celery {

class RevokedIds {
 public:
  static constexpr std::size_t most = 50'000;

  bool add(const std::string& id);  // false: it was there
  bool contains(const std::string& id) const;
  std::vector<std::string> list() const;  // oldest first

 private:
  mutable std::mutex mutex_;
  std::deque<std::string> order_;
  std::unordered_set<std::string> ids_;
};

}  // namespace segments::celery

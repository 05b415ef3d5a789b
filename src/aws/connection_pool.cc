#include "aws/connection_pool.h"

#include <algorithm>

namespace segments::aws {

ConnectionPool::Kept ConnectionPool::take(const Origin& origin, int most_idle_ms) {
  while (true) {
    auto kept = pop(origin);
    if (!kept.connection || (is_fresh(kept, most_idle_ms) && kept.connection->is_quiet())) return kept;
  }
}

void ConnectionPool::give_back(const Origin& origin, Kept kept) {
  kept.idle_since = options_.clock();
  std::lock_guard lock(mutex_);
  auto& idle = idle_of(origin);
  idle.push_back(std::move(kept));
  // The first is the one that has been idle for longest.
  if (idle.size() > options_.most_idle) idle.erase(idle.begin());
}

std::vector<ConnectionPool::Kept>& ConnectionPool::idle_of(const Origin& origin) {
  auto at = std::ranges::find(idle_, origin, &Idle::origin);
  if (at == idle_.end()) at = idle_.insert(at, {origin, {}});
  return at->connections;
}

ConnectionPool::Kept ConnectionPool::pop(const Origin& origin) {
  std::lock_guard lock(mutex_);
  auto& idle = idle_of(origin);
  if (idle.empty()) return {};
  auto kept = std::move(idle.back());
  idle.pop_back();
  return kept;
}

bool ConnectionPool::is_fresh(const Kept& kept, int most_idle_ms) const {
  int told_ms = kept.connection->kept_open_ms();
  auto most = told_ms < 0 ? most_idle_ms : std::min(most_idle_ms, told_ms - 1'000);
  auto now = options_.clock();
  return now - kept.idle_since < most && now - kept.made < options_.most_age_ms;
}

}  // namespace segments::aws

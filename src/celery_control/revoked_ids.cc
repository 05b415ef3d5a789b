#include "celery_control/revoked_ids.h"

namespace segments::celery {

bool RevokedIds::add(const std::string& id) {
  std::lock_guard lock(mutex_);
  if (!ids_.insert(id).second) return false;
  order_.push_back(id);
  if (order_.size() > most) {
    ids_.erase(order_.front());
    order_.pop_front();
  }
  return true;
}

bool RevokedIds::contains(const std::string& id) const {
  std::lock_guard lock(mutex_);
  return ids_.contains(id);
}

std::vector<std::string> RevokedIds::list() const {
  std::lock_guard lock(mutex_);
  return {order_.begin(), order_.end()};
}

}  // namespace segments::celery

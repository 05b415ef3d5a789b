#include "base/watcher.h"

namespace segments {

namespace {

thread_local Watcher* watcher_of_thread = nullptr;

}  // namespace

Watcher::Watcher() {
  watcher_of_thread = this;
}

Watcher::~Watcher() = default;

Watcher* Watcher::of_this_thread() {
  return watcher_of_thread;
}

std::shared_ptr<void>& Watcher::kept_for(const void* owner) {
  for (auto& [of, thing] : kept_)
    if (of == owner) return thing;
  return kept_.emplace_back(owner, nullptr).second;
}

void Watcher::end() {
  watcher_of_thread = nullptr;
  // What goes may not find its way back.
  auto going = std::move(kept_);
  kept_.clear();
}

}  // namespace segments

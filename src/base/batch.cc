#include "base/batch.h"

namespace segments {

namespace {

thread_local Batch* current = nullptr;

}  // namespace

Batch::Batch(std::function<void()> wanted) : wanted_(std::move(wanted)) {
  current = this;
}

Batch::~Batch() {
  current = nullptr;
  end();
}

Batch* Batch::of_this_thread() {
  return current;
}

std::shared_ptr<void>& Batch::kept_for(const void* owner) {
  for (auto& [of, thing] : kept_)
    if (of == owner) return thing;
  if (kept_.empty()) wanted_();
  return kept_.emplace_back(owner, nullptr).second;
}

void Batch::end() {
  ending_.swap(kept_);
  ending_.clear();
}

}  // namespace segments

// Watches descriptors of others (connections to AWS, say) on a loop's thread. Made and ended on that thread,
// beside what runs the loop's context.
#pragma once

#include "base/watcher.h"
#include "http/loop.h"

namespace segments::http {

class LoopWatcher : public Watcher {
 public:
  explicit LoopWatcher(Loop& loop) : loop_(loop) {}
  ~LoopWatcher() override { end(); }

  std::unique_ptr<Watch> watch(int descriptor, Watched&) override;

 private:
  Loop& loop_;
};

}  // namespace segments::http

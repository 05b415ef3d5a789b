// What a thread keeps for all the requests that are ready at the moment, and lets go behind the last of them.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace segments {

class Batch {
 public:
  // This thread's, while it lives. `wanted` is called when the first thing is kept: it sees to it that end()
  // is called soon.
  explicit Batch(std::function<void()> wanted);
  ~Batch();
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  // nullptr: the thread has none, and whoever could keep something does without.
  static Batch* of_this_thread();

  // One thing for each owner, null at first; it goes with end().
  std::shared_ptr<void>& kept_for(const void* owner);
  void end();

 private:
  std::function<void()> wanted_;
  std::vector<std::pair<const void*, std::shared_ptr<void>>> kept_;
};

}  // namespace segments

// What a thread keeps for all the requests that are ready at the moment, and lets go behind the last of them.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>

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

  // One thing for each owner, null at first; it goes with end(), as does the reference. What goes may ask for
  // something again: that waits for the next end().
  std::shared_ptr<void>& kept_for(const void* owner);
  void end();

 private:
  using Kept = std::deque<std::pair<const void*, std::shared_ptr<void>>>;

  std::function<void()> wanted_;
  Kept kept_;
  Kept ending_;
};

}  // namespace segments

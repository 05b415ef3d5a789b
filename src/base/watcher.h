// Waits for descriptors on behalf of a thread that must not stand still for any one of them. All of it is
// called on that thread alone.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "base/time.h"

namespace segments {

// Who waits. Neither may throw; both may let go of the watch that calls them.
class Watched {
 public:
  // POLLIN or POLLOUT, as it was waited for, or the descriptor's end: to be looked at.
  virtual void on_events(short events) = 0;
  virtual void on_deadline() = 0;  // it has passed

 protected:
  ~Watched() = default;
};

// One descriptor, which stays its owner's and must outlive this.
class Watch {
 public:
  virtual ~Watch() = default;
  // The next POLLIN or POLLOUT is told, once.
  virtual void wait_for(short events) = 0;
  // A moment of steady_ms(), seen up to a second late; told once. 0: none.
  virtual void set_deadline(Millis) = 0;
};

class Watcher {
 public:
  Watcher();
  virtual ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // nullptr: the thread has none, and may wait itself.
  static Watcher* of_this_thread();

  // Throws Error{unavailable} where the system does not watch it.
  virtual std::unique_ptr<Watch> watch(int descriptor, Watched&) = 0;
  // One thing for each owner, null at first, kept as long as the watcher is.
  std::shared_ptr<void>& kept_for(const void* owner);

 protected:
  void end();  // by whoever derives from it, first of all: what is kept goes

 private:
  std::vector<std::pair<const void*, std::shared_ptr<void>>> kept_;
};

}  // namespace segments

#include "http/loop_watcher.h"

#include <poll.h>

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "base/error.h"

namespace segments::http {

namespace {

using Watchable = asio::posix::basic_stream_descriptor<Executor>;

// What is posted to the loop may come after the watch has gone: `who` is null then.
class Told : public std::enable_shared_from_this<Told> {
 public:
  Told(Loop& loop, Watched& watched) : who(&watched), descriptor(loop.context.get_executor()) {}

  void wait(short events) {
    const auto type = events == POLLIN ? Watchable::wait_read : Watchable::wait_write;
    descriptor.async_wait(type, [self = shared_from_this(), events](error_code) {
      // An error is for the owner to find, who looks at the descriptor.
      if (self->who) self->who->on_events(events);
    });
  }

  Watched* who;
  Watchable descriptor;
};

class LoopWatch final : public Watch, private Tracked {
 public:
  LoopWatch(Loop& loop, int descriptor, Watched& watched)
      : loop_(loop), told_(std::make_shared<Told>(loop, watched)) {
    error_code error;
    told_->descriptor.assign(descriptor, error);
    if (error)
      throw Error(ErrorKind::unavailable, "A connection cannot be watched: " + error.message(), {}, 1);
    loop_.add(*this);
  }
  ~LoopWatch() override {
    loop_.remove(*this);
    told_->who = nullptr;
    told_->descriptor.release();  // it is not ours to close
  }

  void wait_for(short events) override {
    for (short event : {POLLIN, POLLOUT})
      if (events & event) told_->wait(event);
  }
  void set_deadline(Millis deadline) override { deadline_ = deadline; }

 private:
  Millis sweep(Millis now) override {
    if (deadline_ == 0 || now < deadline_) return 0;
    deadline_ = 0;
    told_->who->on_deadline();
    return 0;
  }
  void stop_gracefully() override {}

  Loop& loop_;
  std::shared_ptr<Told> told_;
  Millis deadline_ = 0;
};

}  // namespace

std::unique_ptr<Watch> LoopWatcher::watch(int descriptor, Watched& watched) {
  return std::make_unique<LoopWatch>(loop_, descriptor, watched);
}

}  // namespace segments::http

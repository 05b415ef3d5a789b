#include "worker/errand.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "base/error.h"

namespace segments {

Errand::Errand() : done_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (done_ < 0)
    throw Error(ErrorKind::unavailable, "A worker's thread cannot be had: too many files are open.");
  // Signals are for the threads that wait for them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Errand::~Errand() {
  {
    std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  changed_.notify_one();
  thread_.join();
  close(done_);
}

void Errand::begin(std::function<void()> call) {
  is_given_ = true;
  {
    std::lock_guard lock(mutex_);
    call_ = std::move(call);
  }
  changed_.notify_one();
}

bool Errand::is_done() const {
  if (!is_given_) return false;
  std::lock_guard lock(mutex_);
  return is_done_;
}

std::exception_ptr Errand::take_end() {
  std::lock_guard lock(mutex_);
  eventfd_t ignored;
  eventfd_read(done_, &ignored);
  is_given_ = is_done_ = false;
  return std::exchange(fault_, nullptr);
}

void Errand::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return call_ || is_over_; });
    if (!call_) return;
    auto call = std::exchange(call_, nullptr);
    lock.unlock();
    std::exception_ptr fault;
    try {
      call();
    } catch (...) {
      fault = std::current_exception();
    }
    call = nullptr;
    lock.lock();
    fault_ = fault;
    is_done_ = true;
    eventfd_write(done_, 1);
  }
}

}  // namespace segments

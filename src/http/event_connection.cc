#include "http/event_connection.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "base/batch.h"
#include "base/log.h"

namespace segments::http {

namespace {

constexpr std::size_t max_waiting_bytes = 1024 * 1024;
constexpr std::size_t events_a_write = 64;
// To write to so many takes a thread about a millisecond, and no loop is woken; more are shared out among the
// loops.
constexpr std::size_t streams_written_here = 128;
constexpr Millis heartbeat_ms = 15'000;
constexpr Millis stalled_ms = 60'000;  // a client that takes nothing for so long is gone

// A comment: proxies and clients see that the stream lives.
std::shared_ptr<const std::string> heartbeat() {
  static const auto bytes = std::make_shared<const std::string>(":\n\n");
  return bytes;
}

}  // namespace

EventConnection::EventConnection(Loop& loop, Socket socket, Place place)
    : loop_(loop), socket_(std::move(socket)), last_progress_(steady_ms()), place_(std::move(place)) {}

void EventConnection::start() {
  loop_.add(*this);
  if (loop_.shared.streams_gauge) loop_.shared.streams_gauge->add(1);
  read();
  if (loop_.shared.stopping) close();
}

// Whom a thread has sent something to: when its batch ends, it writes to a few itself; many are left to their
// loops. A loop that was told at once would write to the first, find nothing more and fall asleep again
// before the second is queued: it would be woken for nearly every one.
struct EventConnection::Woken {
  Woken() = default;
  ~Woken() {
    if (count > streams_written_here) {
      for (auto& [loop, streams] : by_loop) tell(*loop, std::move(streams));
    } else {
      for (auto& [loop, streams] : by_loop)
        for (const auto& stream : streams) stream->write_here();
    }
  }
  Woken(const Woken&) = delete;
  Woken& operator=(const Woken&) = delete;

  static void tell(Loop& loop, Loop::Streams&& streams) {
    for (const auto& stream : streams) {
      // The loop is told while a stream's lock is held: finish() takes the lock too, so nobody reaches for a
      // loop that has ended. The stream may not go under its own lock.
      const auto kept = stream;
      std::lock_guard lock(kept->mutex_);
      if (kept->closed_) continue;
      loop.wake(std::move(streams));
      return;
    }
  }

  std::map<Loop*, Loop::Streams> by_loop;
  std::size_t count = 0;
};

void EventConnection::wake() {
  if (woken_) return;
  woken_ = true;
  auto* batch = Batch::of_this_thread();
  if (!batch) return loop_.wake({shared_from_this()});
  auto& kept = batch->kept_for(&loop_.shared);
  if (!kept) kept = std::make_shared<Woken>();
  auto& woken = *static_cast<Woken*>(kept.get());
  woken.by_loop[&loop_].push_back(shared_from_this());
  ++woken.count;
}

bool EventConnection::send(std::shared_ptr<const std::string> event) {
  std::lock_guard lock(mutex_);
  if (closed_ || closing_ || broken_) return false;
  if (waiting_bytes_ + event->size() > max_waiting_bytes) {
    broken_ = true;
    wake();
    return false;
  }
  waiting_bytes_ += event->size();
  queued_.push_back(std::move(event));
  wake();
  return true;
}

void EventConnection::close() {
  std::lock_guard lock(mutex_);
  if (closed_ || closing_) return;
  closing_ = true;
  wake();
}

bool EventConnection::is_closed() const {
  std::lock_guard lock(mutex_);
  return closed_ || closing_ || broken_;
}

void EventConnection::on_closed(std::function<void()> callback) {
  {
    std::lock_guard lock(mutex_);
    if (!closed_) {
      on_closed_ = std::move(callback);
      return;
    }
  }
  callback();
}

// Reads to notice at once that the client has gone. What it sends is nobody's: all streams of a loop share
// the place.
void EventConnection::read() {
  socket_->async_read_some(asio::buffer(loop_.discarded),
                           [self = shared_from_this()](error_code error, std::size_t) {
                             if (!self->socket_) return;
                             if (error)
                               self->finish();
                             else
                               self->read();
                           });
}

// What the client does not take now stays queued.
void EventConnection::write_queued() {
  while (!queued_.empty() && !broken_)
    if (!write_some()) return;
}

// Writes as many events as one call takes. False when the client takes no more, or has gone.
bool EventConnection::write_some() {
  iovec parts[events_a_write];
  std::size_t count = std::min(events_a_write, queued_.size());
  for (std::size_t i = 0; i < count; ++i) {
    const auto& event = *queued_[i];
    auto skipped = i == 0 ? sent_bytes_ : 0;
    parts[i] = {const_cast<char*>(event.data()) + skipped, event.size() - skipped};
  }
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = count;
  constexpr int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
  // Mostly there is one event, and the kernel takes one buffer at less cost than a list of one.
  auto sent = count == 1 ? ::send(socket_->native_handle(), parts[0].iov_base, parts[0].iov_len, flags)
                         : ::sendmsg(socket_->native_handle(), &message, flags);
  if (sent < 0) {
    bool is_full = errno == EAGAIN || errno == EWOULDBLOCK;
    if (!is_full && errno != EINTR) broken_ = true;
    return !is_full;
  }
  last_progress_ = steady_ms();
  drop_written(static_cast<std::size_t>(sent));
  return true;
}

void EventConnection::drop_written(std::size_t bytes) {
  waiting_bytes_ -= bytes;
  sent_bytes_ += bytes;
  auto left = queued_.begin();
  while (left != queued_.end() && sent_bytes_ >= (*left)->size()) sent_bytes_ -= (*left++)->size();
  queued_.erase(queued_.begin(), left);
  if (queued_.empty() && queued_.capacity() > events_a_write) queued_.shrink_to_fit();
}

// The loop is told of what it alone can do.
void EventConnection::write_here() {
  std::lock_guard lock(mutex_);
  if (closed_) return;
  if (!awaits_writable_) write_queued();
  woken_ = must_end() || (!queued_.empty() && !awaits_writable_);
  if (woken_) loop_.wake({shared_from_this()});
}

void EventConnection::flush() {
  bool is_over;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    woken_ = false;
    if (!awaits_writable_) write_queued();
    is_over = must_end();
    if (!is_over && !queued_.empty() && !awaits_writable_) wait_until_writable();
  }
  if (is_over) finish();
}

void EventConnection::wait_until_writable() {
  awaits_writable_ = true;
  socket_->async_wait(asio::socket_base::wait_write, [self = shared_from_this()](error_code error) {
    {
      std::lock_guard lock(self->mutex_);
      self->awaits_writable_ = false;
    }
    if (!error) self->flush();
  });
}

Millis EventConnection::sweep(Millis now) {
  bool is_waiting;
  Millis due;
  {
    std::lock_guard lock(mutex_);
    is_waiting = waiting_bytes_ > 0;
    due = last_progress_ + (is_waiting ? stalled_ms : heartbeat_ms);
  }
  if (now < due) return due;
  if (is_waiting)
    finish();
  else
    send(heartbeat());
  return 0;
}

void EventConnection::finish() {
  if (!socket_) return;
  auto self = shared_from_this();
  loop_.remove(*this);
  if (loop_.shared.streams_gauge) loop_.shared.streams_gauge->add(-1);
  std::function<void()> callback;
  {
    std::lock_guard lock(mutex_);
    error_code ignored;
    socket_->shutdown(asio::socket_base::shutdown_both, ignored);
    // Here and not in the destructor, which may run on any thread and after the server's end.
    socket_.reset();
    closed_ = true;
    queued_.clear();
    callback.swap(on_closed_);
  }
  place_.reset();
  try {
    if (callback) callback();
  } catch (const std::exception& error) {
    log_error("http.failed", {{"detail", error.what()}});
  }
}

}  // namespace segments::http

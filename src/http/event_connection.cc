#include "http/event_connection.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/batch.h"
#include "base/log.h"

namespace segments::http {

namespace {

constexpr std::size_t max_waiting_bytes = 1024 * 1024;
constexpr std::size_t events_a_write = 64;
constexpr Millis heartbeat_ms = 15'000;
constexpr Millis stalled_ms = 60'000;  // a client that takes nothing for so long is gone

// A comment: proxies and clients see that the stream lives.
std::shared_ptr<const std::string> heartbeat() {
  static const auto bytes = std::make_shared<const std::string>(":\n\n");
  return bytes;
}

}  // namespace

EventConnection::EventConnection(Loop& loop, Socket socket, Place place)
    : loop_(loop), socket_(std::move(socket)), place_(std::move(place)), last_progress_(steady_ms()) {}

void EventConnection::start() {
  loop_.add(*this);
  if (loop_.shared.streams_gauge) loop_.shared.streams_gauge->add(1);
  read();
  if (loop_.shared.stopping) close();
}

// Whom a thread has sent something to; their loop is told when its batch ends. A loop that was told at once
// would write to the first, find nothing more and fall asleep again before the second is queued: it would be
// woken for nearly every one.
struct EventConnection::Woken {
  explicit Woken(Loop& l) : loop(l) {}
  ~Woken() {
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
  Woken(const Woken&) = delete;
  Woken& operator=(const Woken&) = delete;

  Loop& loop;
  Loop::Streams streams;
};

void EventConnection::wake() {
  if (woken_) return;
  woken_ = true;
  auto* batch = Batch::of_this_thread();
  if (!batch) return loop_.wake({shared_from_this()});
  auto& kept = batch->kept_for(&loop_);
  if (!kept) kept = std::make_shared<Woken>(loop_);
  static_cast<Woken*>(kept.get())->streams.push_back(shared_from_this());
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

// Notes what was written and takes what is queued, under one lock. True when there is something to write.
bool EventConnection::take_queued() {
  bool is_over;
  {
    std::lock_guard lock(mutex_);
    woken_ = false;
    waiting_bytes_ -= std::exchange(written_bytes_, 0);
    if (sent_events_ == sending_.size()) {
      sending_.clear();
      if (sending_.capacity() > events_a_write) sending_.shrink_to_fit();
      sent_events_ = 0;
      sending_.swap(queued_);
    }
    is_over = broken_ || (closing_ && waiting_bytes_ == 0);
  }
  if (is_over) finish();
  return !is_over && !sending_.empty();
}

// Writes as many events as one call takes. False when the client has gone.
bool EventConnection::write_some() {
  iovec parts[events_a_write];
  std::size_t count = std::min(events_a_write, sending_.size() - sent_events_);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& event = *sending_[sent_events_ + i];
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
    bool is_alive = is_full || errno == EINTR;
    if (is_full) wait_until_writable();
    return is_alive;
  }
  last_progress_ = steady_ms();
  sent_bytes_ += static_cast<std::size_t>(sent);
  while (sent_events_ < sending_.size() && sent_bytes_ >= sending_[sent_events_]->size()) {
    sent_bytes_ -= sending_[sent_events_]->size();
    sending_[sent_events_++].reset();
  }
  written_bytes_ += static_cast<std::size_t>(sent);
  return true;
}

void EventConnection::flush() {
  if (!socket_) return;
  while (take_queued() && !awaits_writable_)
    if (!write_some()) return finish();
}

void EventConnection::wait_until_writable() {
  awaits_writable_ = true;
  socket_->async_wait(asio::socket_base::wait_write, [self = shared_from_this()](error_code error) {
    self->awaits_writable_ = false;
    if (!error) self->flush();
  });
}

Millis EventConnection::sweep(Millis now) {
  bool is_waiting;
  {
    std::lock_guard lock(mutex_);
    is_waiting = waiting_bytes_ > 0;
  }
  const auto due = last_progress_ + (is_waiting ? stalled_ms : heartbeat_ms);
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
  error_code ignored;
  socket_->shutdown(asio::socket_base::shutdown_both, ignored);
  // Here and not in the destructor, which may run on any thread and after the server's end.
  socket_.reset();
  loop_.remove(*this);
  if (loop_.shared.streams_gauge) loop_.shared.streams_gauge->add(-1);
  std::function<void()> callback;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    queued_.clear();
    callback.swap(on_closed_);
  }
  sending_.clear();
  place_.reset();
  try {
    if (callback) callback();
  } catch (const std::exception& error) {
    log_error("http.failed", {{"detail", error.what()}});
  }
}

}  // namespace segments::http

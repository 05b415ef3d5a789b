// An event stream on a client's socket. Small: no coroutine, no timer and no buffer of its own; events are
// shared.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "http/asio.h"
#include "http/event_stream.h"
#include "http/loop.h"

namespace segments::http {

class EventConnection final : public EventStream,
                              public Tracked,
                              public std::enable_shared_from_this<EventConnection> {
 public:
  EventConnection(Loop&, Socket, Place);

  // From any thread.
  bool send(std::shared_ptr<const std::string> event) override;
  void close() override;
  bool is_closed() const override;
  void on_closed(std::function<void()>) override;

  // On the loop's thread.
  void start();
  void flush();
  Millis sweep(Millis now) override;
  void stop_gracefully() override { close(); }
  void abandon() override { finish(); }

 private:
  struct Woken;

  void read();
  void write_here();
  void finish();
  // With the mutex held:
  void wake();
  void write_queued();
  bool write_some();
  void drop_written(std::size_t bytes);
  void wait_until_writable();
  bool must_end() const { return broken_ || (closing_ && queued_.empty()); }

  Loop& loop_;
  mutable std::mutex mutex_;
  // Under the mutex. Whatever thread holds it may write to the socket; the loop's alone waits for it and ends
  // it.
  std::optional<Socket> socket_;
  std::vector<std::shared_ptr<const std::string>> queued_;
  std::size_t sent_bytes_ = 0;  // of the first that is queued
  std::size_t waiting_bytes_ = 0;
  Millis last_progress_;
  bool awaits_writable_ = false;
  bool woken_ = false;
  bool closing_ = false;
  bool broken_ = false;  // the client does not read, or has gone
  bool closed_ = false;
  std::function<void()> on_closed_;
  // The loop's own:
  std::optional<Place> place_;
};

}  // namespace segments::http

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
  void read();
  bool take_queued();
  bool write_some();
  struct Woken;
  void wake();  // with the mutex held
  void wait_until_writable();
  void finish();

  Loop& loop_;
  mutable std::mutex mutex_;
  // Under the mutex:
  std::vector<std::shared_ptr<const std::string>> queued_;
  std::size_t waiting_bytes_ = 0;
  bool woken_ = false;
  bool closing_ = false;
  bool broken_ = false;  // the client does not read
  bool closed_ = false;
  std::function<void()> on_closed_;
  // The loop's own:
  std::optional<Socket> socket_;
  std::optional<Place> place_;
  std::vector<std::shared_ptr<const std::string>> sending_;
  std::size_t sent_events_ = 0;    // of sending_
  std::size_t sent_bytes_ = 0;     // of the event after them
  std::size_t written_bytes_ = 0;  // not yet taken from waiting_bytes_
  bool awaits_writable_ = false;
  Millis last_progress_;
};

}  // namespace segments::http

// A server-sent event stream that is open to one client: a connection, never a thread. Any thread may call.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace segments {

class EventStream {
 public:
  virtual ~EventStream() = default;
  // Queues one whole event's bytes. A client that does not read loses its connection when 1 MiB waits (it
  // comes back with Last-Event-ID and misses nothing). False when the stream is closed.
  virtual bool send(std::shared_ptr<const std::string> event) = 0;
  virtual void close() = 0;  // after what is queued
  virtual bool is_closed() const = 0;
  // Called once, from any thread, when the client has gone or close() is done.
  virtual void on_closed(std::function<void()>) = 0;
};

// "id: 7\nevent: progress\ndata: {…}\n\n"; line breaks in data become further data lines.
std::string format_event(std::string_view id, std::string_view event, std::string_view data);

}  // namespace segments

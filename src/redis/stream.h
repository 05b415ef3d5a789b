// A socket to a Redis server, plain or TLS, that never blocks: whoever moves bytes waits with a deadline.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/time.h"
#include "redis/url.h"

namespace segments::redis {

// Closed when it goes, and not inherited by programs that are started.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.number_) { other.number_ = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int number() const { return number_; }

 private:
  int number_ = -1;
};

// How long to wait: to a moment of steady_ms(), or until the descriptor `stop` (where there is one) becomes
// readable.
struct Patience {
  Millis deadline;
  int stop = -1;
};

inline Error unavailable(const std::string& what) {
  return Error(ErrorKind::unavailable, "Redis " + what + ".", {}, 1);
}

class Stream {
 public:
  struct Moved {
    std::size_t bytes = 0;
    short wants = 0;  // where no byte was moved: the events (POLLIN, POLLOUT) after which it may be
  };
  virtual ~Stream() = default;
  // Throw Error{unavailable} where the peer has closed or the connection is broken.
  virtual Moved write_some(std::string_view) = 0;
  virtual Moved read_some(std::span<char>) = 0;
  virtual int number() const = 0;  // of the descriptor
};

// Waits for events on a descriptor (or its end). False at the deadline; throws Error{unavailable} at `stop`.
bool wait_for_events(int descriptor, short events, const Patience&);
// Throws at the deadline, too.
void await_events(int descriptor, short events, const Patience&);

// Throws Error{unavailable}.
std::unique_ptr<Stream> connect_stream(const Url&, const Patience&);

}  // namespace segments::redis

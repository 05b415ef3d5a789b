#include "net/patience.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>
#include <system_error>

namespace segments::net {

Error unavailable(std::string_view who, std::string_view what) {
  return Error(ErrorKind::unavailable, std::string(who) + " " + std::string(what) + ".", {}, 1);
}

void await_events(int descriptor, short events, const Patience& patience, std::string_view who) {
  if (!wait_for_events(descriptor, events, patience, who)) throw unavailable(who, "did not answer in time");
}

bool wait_for_events(int descriptor, short events, const Patience& patience, std::string_view who) {
  while (true) {
    pollfd waited[] = {{descriptor, events, 0}, {patience.stop, POLLIN, 0}};
    auto left = std::clamp<Millis>(patience.deadline - steady_ms(), 0, std::numeric_limits<int>::max());
    int ready = ::poll(waited, 2, static_cast<int>(left));
    if (ready < 0 && errno != EINTR)
      throw unavailable(who, "cannot be waited for: " + std::system_category().message(errno));
    if (ready > 0 && waited[1].revents != 0) throw unavailable(who, "is no longer waited for");
    if (ready > 0) return true;
    if (ready == 0 && left == 0) return false;
  }
}

}  // namespace segments::net

// Pub/sub on a connection and a thread of its own. Reconnects by itself with the client's back-off and
// subscribes again; messages published meanwhile are gone, as pub/sub has it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "redis/client.h"

namespace segments::redis {

class Subscriber {
 public:
  struct Listener {
    std::function<void(std::string_view channel, std::string_view message)> on_message;
    std::function<void()> on_subscribed;  // every time when all subscriptions stand: at first and after each
                                          // reconnect; may be empty
  };
  // Both are called on the subscriber's thread and must return soon: nothing is read meanwhile.
  Subscriber(Url, std::vector<std::string> channels, std::vector<std::string> patterns, Listener,
             Timeouts = {});
  ~Subscriber();  // returns when no call is under way and none will come

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace segments::redis

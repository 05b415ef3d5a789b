#include "redis/subscriber.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <thread>

#include "base/descriptor.h"
#include "base/log.h"
#include "redis/backoff.h"
#include "redis/connection.h"
#include "redis/error_reply.h"

namespace segments::redis {

class Subscriber::Loop {
 public:
  Loop(Url url, const std::vector<std::string>& channels, const std::vector<std::string>& patterns,
       Listener listener, Timeouts timeouts);
  ~Loop();

 private:
  void run();
  void listen();
  void take(const Reply&);
  void count_subscription();
  template <class Call>
  void tell(Call call);
  Patience patience(Millis ms) const { return {steady_ms() + ms, stop_.number()}; }

  const Url url_;
  const Listener listener_;
  const Timeouts timeouts_;
  std::string subscriptions_;  // printed
  std::size_t wanted_ = 0, standing_ = 0;
  Backoff backoff_;
  std::atomic<bool> is_stopping_ = false;
  Descriptor stop_{eventfd(0, EFD_CLOEXEC)};
  std::thread thread_;
};

Subscriber::Loop::Loop(Url url, const std::vector<std::string>& channels,
                       const std::vector<std::string>& patterns, Listener listener, Timeouts timeouts)
    : url_(std::move(url)), listener_(std::move(listener)), timeouts_(timeouts) {
  if (stop_.number() < 0) throw unavailable("cannot be listened to: no descriptor is free");
  wanted_ = channels.size() + patterns.size();
  Command subscribe("SUBSCRIBE"), psubscribe("PSUBSCRIBE");
  for (const auto& channel : channels) subscribe.add(channel);
  for (const auto& pattern : patterns) psubscribe.add(pattern);
  if (!channels.empty()) subscribe.print(subscriptions_);
  if (!patterns.empty()) psubscribe.print(subscriptions_);
  thread_ = std::thread([this] { run(); });
}

Subscriber::Loop::~Loop() {
  is_stopping_ = true;
  eventfd_write(stop_.number(), 1);
  thread_.join();
}

void Subscriber::Loop::run() {
  while (!is_stopping_) {
    try {
      listen();
    } catch (const std::exception& error) {
      if (is_stopping_) return;
      if (!backoff_.is_failing())
        log_warning("redis.subscription_lost",
                    {{"url", url_.shown()}, {"detail", std::string_view(error.what())}});
    }
    try {
      net::wait_for_events(-1, 0, patience(backoff_.next()), server_name);
    } catch (const Error&) {
      // Told to stop: the loop's condition sees it.
    }
  }
}

// One connection, until it fails or the loop is stopped.
void Subscriber::Loop::listen() {
  Connection connection(url_, patience(timeouts_.connect_ms));
  standing_ = 0;
  connection.exchange(subscriptions_, 0, patience(timeouts_.answer_ms));
  std::string ping;
  Command("PING").print(ping);
  bool is_asked = true;  // and something must come
  auto deadline = patience(timeouts_.answer_ms);
  while (!is_stopping_) {
    auto reply = connection.next(deadline);
    if (reply) {
      take(*reply);
      is_asked = standing_ < wanted_;
    } else if (is_asked) {
      throw unavailable("did not answer in time");
    } else {
      // Silence may be a dead peer.
      connection.exchange(ping, 0, patience(timeouts_.answer_ms));
      is_asked = true;
    }
    deadline = patience(timeouts_.answer_ms);
  }
}

void Subscriber::Loop::take(const Reply& reply) {
  if (reply.is_error()) throw error_of(reply, "SUBSCRIBE");
  if (reply.kind != Reply::Kind::array || reply.items.empty()) throw unavailable("sent no message");
  const auto& items = reply.items;
  const auto& kind = items[0].text;
  if (kind == "message" && items.size() == 3) {
    tell([&] { listener_.on_message(items[1].text, items[2].text); });
  } else if (kind == "pmessage" && items.size() == 4) {
    tell([&] { listener_.on_message(items[2].text, items[3].text); });
  } else if (kind == "subscribe" || kind == "psubscribe") {
    count_subscription();
  } else if (kind != "pong") {
    throw unavailable("sent a message of an unknown kind");
  }
}

void Subscriber::Loop::count_subscription() {
  if (++standing_ != wanted_) return;
  if (backoff_.is_failing()) log_info("redis.subscribed_again", {{"url", url_.shown()}});
  backoff_.reset();
  if (listener_.on_subscribed) tell(listener_.on_subscribed);
}

template <class Call>
void Subscriber::Loop::tell(Call call) {
  try {
    call();
  } catch (const std::exception& error) {
    // Nobody is above this thread; the messages after this one are still to be told.
    log_error("redis.listener_failed", {{"detail", std::string_view(error.what())}});
  }
}

Subscriber::Subscriber(Url url, std::vector<std::string> channels, std::vector<std::string> patterns,
                       Listener listener, Timeouts timeouts)
    : loop_(std::make_unique<Loop>(std::move(url), channels, patterns, std::move(listener), timeouts)) {}

Subscriber::~Subscriber() = default;

}  // namespace segments::redis

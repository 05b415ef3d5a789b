#include "redis/subscriber.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "redis/test_peer.h"
#include "redis/test_server.h"

namespace segments::redis {
namespace {

// What a subscriber told, to be awaited by the test.
class Heard {
 public:
  Subscriber::Listener listener() {
    return {.on_message =
                [this](std::string_view channel, std::string_view message) {
                  std::lock_guard lock(mutex_);
                  messages_.push_back(std::string(channel) + "=" + std::string(message));
                  changed_.notify_all();
                },
            .on_subscribed =
                [this] {
                  std::lock_guard lock(mutex_);
                  ++subscribed_;
                  changed_.notify_all();
                }};
  }
  std::vector<std::string> messages(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), [&] { return messages_.size() >= count; }));
    return messages_;
  }
  void await_subscribed(int times) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), [&] { return subscribed_ >= times; }));
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> messages_;
  int subscribed_ = 0;
};

// So long that a test which had to wait for one of them would not end in its time.
constexpr Timeouts endless = {.connect_ms = 3'600'000, .answer_ms = 3'600'000};

TEST(RedisSubscriber, TellsMessagesOfChannelsAndPatternsInOrder) {
  RedisServer server;
  Client client(parse_url(server.url()));
  Heard heard;
  Subscriber subscriber(parse_url(server.url()), {"a", "b"}, {"p.*"}, heard.listener(), endless);
  heard.await_subscribed(1);
  EXPECT_EQ(client.ask({"PUBLISH", "other", "x"}).integer, 0);
  std::vector<std::string> wanted;
  for (int i = 0; i < 300; ++i) {
    std::string channel = i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "p." + std::to_string(i);
    EXPECT_EQ(client.ask({"PUBLISH", channel, std::to_string(i)}).integer, 1);
    wanted.push_back(channel + "=" + std::to_string(i));
  }
  const std::string big(3 << 20, 'x');
  client.ask({"PUBLISH", "a", big});
  wanted.push_back("a=" + big);
  EXPECT_TRUE(heard.messages(wanted.size()) == wanted);
}

TEST(RedisSubscriber, SubscribesAgainAfterARestart) {
  RedisServer server;
  Heard heard;
  Subscriber subscriber(parse_url(server.url()), {"a"}, {"p.*"}, heard.listener());
  for (int round = 1; round <= 3; ++round) {
    heard.await_subscribed(round);
    Client client(parse_url(server.url()));
    EXPECT_EQ(client.ask({"PUBLISH", "a", std::to_string(round)}).integer, 1);
    heard.messages(static_cast<std::size_t>(round));
    if (round < 3) server.restart();
  }
  EXPECT_EQ(heard.messages(3), (std::vector<std::string>{"a=1", "a=2", "a=3"}));
}

TEST(RedisSubscriber, IsPatientWithAServerThatIsNotThereYet) {
  RedisServer server;
  server.kill();
  Heard heard;
  Subscriber subscriber(parse_url(server.url()), {"a"}, {}, heard.listener());
  server.start();
  heard.await_subscribed(1);
}

TEST(RedisSubscriber, StaysOnAQuietConnection) {
  RedisServer server;
  Client client(parse_url(server.url()));
  Heard heard;
  Subscriber subscriber(parse_url(server.url()), {"a"}, {}, heard.listener(),
                        {.connect_ms = 5'000, .answer_ms = 50});
  heard.await_subscribed(1);
  auto pings = [&] {
    return client.ask({"INFO", "commandstats"}).text.find("cmdstat_ping:calls=4") != std::string::npos;
  };
  while (!pings()) std::this_thread::yield();
  client.ask({"PUBLISH", "a", "x"});
  EXPECT_EQ(heard.messages(1), std::vector<std::string>{"a=x"});
}

TEST(RedisSubscriber, LeavesAPeerThatIsDead) {
  TestPeer peer([](int connection, std::string_view bytes) -> std::string {
    if (bytes.find("PING") != bytes.npos && connection < 2) return "";
    if (bytes.find("PING") != bytes.npos) return "*2\r\n$4\r\npong\r\n$0\r\n\r\n";
    return "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n";
  });
  Heard heard;
  Subscriber subscriber(parse_url("redis://127.0.0.1:" + std::to_string(peer.port())), {"a"}, {},
                        heard.listener(), {.connect_ms = 5'000, .answer_ms = 50});
  heard.await_subscribed(3);
  EXPECT_GE(peer.connections(), 3);
}

TEST(RedisSubscriber, LeavesAPeerThatLies) {
  const std::string lies[] = {
      "-NOPERM no\r\n", "HTTP/1.1 200 OK\r\n\r\n", "*0\r\n",
      ":1\r\n",         "*1\r\n$7\r\nmessage\r\n", "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n",
      "*1\r\n*-1\r\n"};
  TestPeer peer([&](int connection, std::string_view) -> std::string {
    if (connection < 7) return lies[connection];
    return "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n";
  });
  Heard heard;
  Subscriber subscriber(parse_url("redis://127.0.0.1:" + std::to_string(peer.port())), {"a"}, {},
                        heard.listener(), {.connect_ms = 5'000, .answer_ms = 50});
  heard.await_subscribed(1);
  EXPECT_EQ(heard.messages(1).front(), "a=x");
  EXPECT_GE(peer.connections(), 8);
}

TEST(RedisSubscriber, GoesOnWhenItsListenerFails) {
  RedisServer server;
  Client client(parse_url(server.url()));
  Heard heard;
  auto listener = heard.listener();
  listener.on_message = [inner = listener.on_message](std::string_view channel, std::string_view message) {
    inner(channel, message);
    throw Error(ErrorKind::internal, "The listener failed.");
  };
  Subscriber subscriber(parse_url(server.url()), {"a"}, {}, listener);
  heard.await_subscribed(1);
  for (auto word : {"1", "2"}) client.ask({"PUBLISH", "a", word});
  EXPECT_EQ(heard.messages(2), (std::vector<std::string>{"a=1", "a=2"}));
}

TEST(RedisSubscriber, ListensOverTlsAndSocketFiles) {
  RedisServer server({.tls = true});
  Client client(parse_url(server.url()));
  for (const auto& url : {server.tls_url(), server.socket_url()}) {
    Heard heard;
    Subscriber subscriber(parse_url(url), {"a"}, {}, heard.listener(), endless);
    heard.await_subscribed(1);
    client.ask({"PUBLISH", "a", "x"});
    EXPECT_EQ(heard.messages(1), std::vector<std::string>{"a=x"}) << url;
  }
}

TEST(RedisSubscriber, EndsAtOnceWhateverItWaitsFor) {
  RedisServer server({.tls = true});
  Heard heard;
  {
    Subscriber subscriber(parse_url(server.url()), {"a"}, {}, heard.listener(), endless);
    heard.await_subscribed(1);
  }
  { Subscriber refused(parse_url("redis://127.0.0.1:1"), {"a"}, {}, heard.listener(), endless); }
  server.pause();
  Subscriber unanswered(parse_url(server.url()), {"a"}, {}, heard.listener(), endless);
  Subscriber unshaken(parse_url(server.tls_url()), {"a"}, {}, heard.listener(), endless);
  TestPeer silent([](int, std::string_view) { return ""; });
  Subscriber unheard(parse_url("redis://127.0.0.1:" + std::to_string(silent.port())), {"a"}, {},
                     heard.listener(), endless);
  while (silent.messages() == 0) std::this_thread::yield();
}

TEST(RedisSubscriber, TellsNothingAfterItsEnd) {
  RedisServer server;
  Client client(parse_url(server.url()));
  for (int i = 0; i < 20; ++i) {
    Heard heard;
    auto told = std::make_unique<int>(0);  // gone with the round: a late call would write to freed memory
    auto listener = heard.listener();
    listener.on_message = [&](std::string_view, std::string_view) { ++*told; };
    auto subscriber = std::make_unique<Subscriber>(parse_url(server.url()), std::vector<std::string>{"a"},
                                                   std::vector<std::string>{}, listener);
    heard.await_subscribed(1);
    for (int n = 0; n < 50; ++n) EXPECT_EQ(client.ask({"PUBLISH", "a", "x"}).integer, 1);
    subscriber.reset();
    int before = *told;
    while (client.ask({"PUBLISH", "a", "x"}).integer != 0) std::this_thread::yield();
    EXPECT_EQ(*told, before);
  }
}

}  // namespace
}  // namespace segments::redis

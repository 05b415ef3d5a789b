// Event streams over real sockets.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "base/batch.h"
#include "http/event_stream.h"
#include "http/test_client.h"

namespace segments {
namespace {

using test::Client;
using test::eventually;
using test::get;
using test::TestServer;

using Streams = std::vector<std::shared_ptr<EventStream>>;

// A hub as the API has one: keeps every stream that is open.
struct Hub {
  void add(std::shared_ptr<EventStream> stream) {
    stream->on_closed([this] { ++closed; });
    std::lock_guard lock(mutex);
    streams.push_back(std::move(stream));
  }
  Streams all() {
    std::lock_guard lock(mutex);
    return streams;
  }
  void publish(const std::shared_ptr<const std::string>& event) {
    for (auto& stream : all()) stream->send(event);
  }
  std::atomic<int> closed{0};
  std::mutex mutex;
  Streams streams;
};

std::shared_ptr<const std::string> event_bytes(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

RouteHandler stream_route(Hub& hub, Runs runs = Runs::inline_) {
  return test::route(
      "GET", "/events",
      [&hub](const Request&) {
        Response response;
        response.set("Content-Type", "text/event-stream");
        response.set("Cache-Control", "no-store");
        response.stream = [&hub](std::shared_ptr<EventStream> stream) {
          stream->send(event_bytes("data: first\n\n"));
          hub.add(std::move(stream));
        };
        return response;
      },
      runs);
}

TEST(EventStreams, HeadThenEventsThenEnd) {
  for (auto runs : {Runs::inline_, Runs::on_pool}) {
    Hub hub;
    TestServer server({stream_route(hub, runs)});
    auto client = server.client();
    client.send(get("/events"));
    auto head = client.read_until("\r\n\r\n");
    EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_NE(head.find("Connection: close\r\n"), std::string::npos);
    EXPECT_NE(head.find("X-Accel-Buffering: no\r\n"), std::string::npos);
    EXPECT_EQ(head.find("Content-Length"), std::string::npos);
    EXPECT_EQ(client.read_until("\n\n"), "data: first\n\n");
    ASSERT_TRUE(eventually([&] { return hub.all().size() == 1; }));
    auto stream = hub.all()[0];
    for (int i = 0; i < 1000; ++i)
      EXPECT_TRUE(stream->send(event_bytes("data: " + std::to_string(i) + "\n\n")));
    stream->close();
    EXPECT_FALSE(stream->send(event_bytes("data: too late\n\n")));
    for (int i = 0; i < 1000; ++i)
      ASSERT_EQ(client.read_until("\n\n"), "data: " + std::to_string(i) + "\n\n");
    EXPECT_TRUE(client.is_at_end());
    EXPECT_TRUE(eventually([&] { return hub.closed == 1; }));
    EXPECT_TRUE(stream->is_closed());
    std::atomic<bool> told{false};
    stream->on_closed([&] { told = true; });
    EXPECT_TRUE(told);
  }
}

TEST(EventStreams, FiveHundredGetEveryEventOfSeveralThreads) {
  Hub hub;
  TestServer server({stream_route(hub)});
  std::vector<Client> clients;
  for (int i = 0; i < 500; ++i) clients.emplace_back(server.client()).send(get("/events"));
  ASSERT_TRUE(eventually([&] { return hub.all().size() == 500; }));
  EXPECT_EQ(server.metrics.gauge("http_event_streams", "").value(), 500);
  std::vector<std::thread> publishers;
  for (int t = 0; t < 4; ++t)
    publishers.emplace_back([&] {
      for (int i = 0; i < 25; ++i) hub.publish(event_bytes("data: event\n\n"));
    });
  for (auto& thread : publishers) thread.join();
  for (auto& client : clients) {
    client.read_until("data: first\n\n");
    for (int i = 0; i < 100; ++i) ASSERT_EQ(client.read_until("\n\n"), "data: event\n\n");
  }
  clients.clear();
  EXPECT_TRUE(eventually([&] { return hub.closed == 500 && server.connections() == 0; }));
  for (auto& stream : hub.all()) EXPECT_FALSE(stream->send(event_bytes("x")));
}

TEST(EventStreams, AClosedPeerIsNoticedWithoutAnEvent) {
  Hub hub;
  TestServer server({stream_route(hub)});
  auto client = server.client();
  client.send(get("/events"));
  client.read_until("first\n\n");
  client.close();
  EXPECT_TRUE(eventually([&] { return hub.closed == 1; }));
}

TEST(EventStreams, WhatTheClientSendsIsDisregarded) {
  Hub hub;
  TestServer server({stream_route(hub)});
  auto client = server.client();
  client.send(get("/events") + get("/events"));
  client.read_until("first\n\n");
  for (int i = 0; i < 100; ++i) client.send(std::string(10'000, 'x'));
  ASSERT_TRUE(hub.all()[0]->send(event_bytes("data: still here\n\n")));
  EXPECT_EQ(client.read_until("\n\n"), "data: still here\n\n");
}

TEST(EventStreams, AClientThatDoesNotReadIsClosedAndTheOthersGoOn) {
  Hub hub;
  TestServer server({stream_route(hub)});
  Client lazy(server.server.port(), 8 * 1024);
  lazy.send(get("/events"));
  lazy.read_until("first\n\n");
  auto stuck = hub.all()[0];
  auto event = event_bytes("data: " + std::string(60'000, 'x') + "\n\n");
  EXPECT_TRUE(eventually([&] { return !stuck->send(event); }));
  EXPECT_TRUE(eventually([&] { return hub.closed == 1 && server.connections() == 0; }));
  auto reader = server.client();
  reader.send(get("/events"));
  EXPECT_NE(reader.read_until("first\n\n"), "");
}

TEST(EventStreams, LargeEventsArriveWhole) {
  Hub hub;
  TestServer server({stream_route(hub)});
  Client client(server.server.port(), 8 * 1024);
  client.send(get("/events"));
  client.read_until("first\n\n");
  std::string text(900'000, 'y');
  ASSERT_TRUE(hub.all()[0]->send(event_bytes("data: " + text + "\n\n")));
  EXPECT_EQ(client.read_until("\n\n"), "data: " + text + "\n\n");
}

TEST(EventStreams, HeadOpensNone) {
  Hub hub;
  TestServer server({stream_route(hub)});
  auto client = server.client();
  client.send("HEAD /events HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(client.read_answer(false).status, 200);
  EXPECT_TRUE(client.is_at_end());
  EXPECT_EQ(hub.all().size(), 0u);
}

TEST(EventStreams, GracefulStopSendsWhatIsQueuedAndCloses) {
  Hub hub;
  TestServer server({stream_route(hub)});
  std::vector<Client> clients;
  for (int i = 0; i < 50; ++i) clients.emplace_back(server.client()).send(get("/events"));
  ASSERT_TRUE(eventually([&] { return hub.all().size() == 50; }));
  hub.publish(event_bytes("data: last\n\n"));
  server.server.stop();
  EXPECT_EQ(hub.closed, 50);
  for (auto& client : clients) EXPECT_TRUE(client.read_to_end().ends_with("data: last\n\n"));
}

TEST(EventStreams, OutliveTheServerHarmlessly) {
  Hub hub;
  auto server = std::make_unique<TestServer>(std::vector<RouteHandler>{stream_route(hub)});
  auto client = server->client();
  client.send(get("/events"));
  client.read_until("first\n\n");
  std::atomic<bool> done{false};
  std::thread publisher([&] {
    while (!done) hub.publish(event_bytes("data: x\n\n"));
  });
  server.reset();
  EXPECT_EQ(hub.closed, 1);
  done = true;
  publisher.join();
  EXPECT_FALSE(hub.all()[0]->send(event_bytes("x")));
}

// A few are written to by the thread itself, many by their loops.
TEST(EventStreams, WhatAThreadWithABatchSendsLeavesAtItsEnd) {
  for (std::size_t count : {3, 100, 300}) {
    Hub hub;
    TestServer server({stream_route(hub)});
    std::vector<Client> clients;
    for (std::size_t i = 0; i < count; ++i) clients.emplace_back(server.client()).send(get("/events"));
    for (auto& client : clients) client.read_until("first\n\n");
    ASSERT_TRUE(eventually([&] { return hub.all().size() == count; }));
    Batch batch([] {});
    for (int round = 0; round < 20; ++round) {
      hub.publish(event_bytes("data: one\n\n"));
      hub.publish(event_bytes("data: other\n\n"));
      batch.end();
      for (auto& client : clients) {
        ASSERT_EQ(client.read_until("\n\n"), "data: one\n\n");
        ASSERT_EQ(client.read_until("\n\n"), "data: other\n\n");
      }
    }
    // Some have gone when it ends.
    hub.publish(event_bytes("data: last\n\n"));
    for (std::size_t i = 0; i < count / 2; ++i) clients[i].close();
    EXPECT_TRUE(eventually([&] { return static_cast<std::size_t>(hub.closed) == count / 2; }));
    batch.end();
    for (std::size_t i = count / 2; i < count; ++i)
      EXPECT_EQ(clients[i].read_until("\n\n"), "data: last\n\n");
  }
}

// One thread has a batch, and so writes itself; the others leave it to the loop, on the same streams.
TEST(EventStreams, EachThreadsEventsStayInOrderWhoeverWritesThem) {
  constexpr int events = 2'000;
  Hub hub;
  TestServer server({stream_route(hub)});
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) clients.emplace_back(server.client()).send(get("/events"));
  for (auto& client : clients) client.read_until("first\n\n");
  ASSERT_TRUE(eventually([&] { return hub.all().size() == 3; }));
  const auto publish = [&](char who, Batch* batch) {
    for (int i = 0; i < events; ++i) {
      hub.publish(event_bytes(std::string("data: ") + who + std::to_string(i) + "\n\n"));
      if (batch && i % 3 == 0) batch->end();
    }
  };
  std::thread with_batch([&] {
    Batch batch([] {});
    publish('a', &batch);
  });
  std::thread without([&] { publish('b', nullptr); });
  with_batch.join();
  without.join();
  for (auto& client : clients) {
    int next[2] = {0, 0};
    for (int i = 0; i < 2 * events; ++i) {
      const auto event = client.read_until("\n\n");
      ASSERT_GT(event.size(), 9u);
      auto& expected = next[event[6] == 'a' ? 0 : 1];
      ASSERT_EQ(event.substr(7), std::to_string(expected++) + "\n\n");
    }
  }
}

// As many events as a client that does not read is sent and keeps its stream: the last of them wait for it.
TEST(EventStreams, WhatAThreadWithABatchCannotWriteItsLoopDoes) {
  Batch batch([] {});
  const auto event = [](int i) { return "data: " + std::to_string(i) + std::string(60'000, 'y') + "\n\n"; };
  for (int most = 10'000, sent = most; sent > 0; most = sent - 1) {
    Hub hub;
    TestServer server({stream_route(hub)});
    Client client(server.server.port(), 8 * 1024);
    client.send(get("/events"));
    client.read_until("first\n\n");
    ASSERT_TRUE(eventually([&] { return hub.all().size() == 1; }));
    auto stream = hub.all()[0];
    for (sent = 0; sent < most && stream->send(event_bytes(event(sent))); ++sent) batch.end();
    if (sent < most) continue;  // it was too many
    stream->close();
    batch.end();
    for (int i = 0; i < sent; ++i) ASSERT_EQ(client.read_until("\n\n"), event(i));
    EXPECT_TRUE(client.is_at_end());
    EXPECT_TRUE(eventually([&] { return hub.closed == 1; }));
    return;
  }
  FAIL() << "no event was taken";
}

TEST(EventStreams, AThreadWithABatchClosesWhoDoesNotRead) {
  Hub hub;
  TestServer server({stream_route(hub)});
  Client lazy(server.server.port(), 8 * 1024);
  lazy.send(get("/events"));
  lazy.read_until("first\n\n");
  auto stuck = hub.all()[0];
  Batch batch([] {});
  const auto event = event_bytes("data: " + std::string(60'000, 'x') + "\n\n");
  EXPECT_TRUE(eventually([&] {
    const bool is_open = stuck->send(event);
    batch.end();
    return !is_open;
  }));
  EXPECT_TRUE(eventually([&] { return hub.closed == 1 && server.connections() == 0; }));
}

TEST(EventStreams, ABatchMayEndAfterTheServer) {
  Hub hub;
  auto server = std::make_unique<TestServer>(std::vector<RouteHandler>{stream_route(hub)});
  auto client = server->client();
  client.send(get("/events"));
  client.read_until("first\n\n");
  std::thread([&] {
    Batch batch([] {});
    hub.publish(event_bytes("data: x\n\n"));
    std::thread([&] { server.reset(); }).join();
    EXPECT_EQ(hub.closed, 1);
  }).join();
  EXPECT_FALSE(hub.all()[0]->send(event_bytes("x")));
}

}  // namespace
}  // namespace segments

// Which connection a request gets, and the proof, by count at the server, that none is ever sent twice.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "aws/http_client.h"
#include "aws/test_http_server.h"

namespace segments::aws {
namespace {

using Kind = HttpOutcome::Kind;
using Then = TestHttpServer::Then;
using Answer = TestHttpServer::Answer;
using Received = TestHttpServer::Received;

HttpRequest request_of(std::string method, bool is_repeatable, std::string body = "x") {
  HttpRequest out;
  out.method = std::move(method);
  out.body = memory_body(std::move(body));
  out.is_repeatable = is_repeatable;
  return out;
}

Answer ok_then(Then then = Then::keep) {
  return {http_answer(200, "ok"), then};
}

class HttpReuse : public testing::TestWithParam<bool> {
 protected:
  HttpRequest request() const { return request_of("POST", GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(, HttpReuse, testing::Bool(),
                         [](const auto& info) { return info.param ? "Repeatable" : "OnlyOnce"; });

TEST_P(HttpReuse, KeepsAConnection) {
  TestHttpServer server([](const Received&) { return ok_then(); });
  HttpClient client;
  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(client.send(server.origin(), request(), soon()).kind, Kind::answered);
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(server.arrived(), 50);
}

TEST_P(HttpReuse, TakesAnotherWhereTheServerHasClosed) {
  TestHttpServer server([](const Received&) { return ok_then(Then::close); });
  HttpClient client;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(client.send(server.origin(), request(), soon()).kind, Kind::answered);
    server.wait_until([&](const auto& s) { return s.closed_so_far() == i + 1; });
  }
  EXPECT_EQ(server.arrived(), 20);
  EXPECT_EQ(server.connections(), 20);
}

TEST_P(HttpReuse, TakesAnotherWhereTheServerHasReset) {
  TestHttpServer server([](const Received&) { return ok_then(Then::keep); });
  TestHttpServer resetting(
      [](const Received& request) { return ok_then(request.on_connection == 0 ? Then::keep : Then::reset); });
  HttpClient client;
  EXPECT_EQ(client.send(resetting.origin(), request(), soon()).kind, Kind::answered);
  EXPECT_EQ(client.send(resetting.origin(), request(), soon()).kind, Kind::answered);
  resetting.wait_until([](const auto& s) { return s.closed_so_far() == 1; });
  EXPECT_EQ(client.send(resetting.origin(), request(), soon()).kind, Kind::answered);
  EXPECT_EQ(resetting.arrived(), 3);
  EXPECT_EQ(resetting.connections(), 2);
}

// The server gives a kept connection up in the very moment in which the request arrives, without reading it.
// The client cannot tell this from the next case, and so does not send again.
TEST_P(HttpReuse, SendsNothingAgainThatWasNotRead) {
  TestHttpServer server([](const Received&) { return ok_then(Then::reset_when_readable); });
  HttpClient client;
  int answered = 0, maybe = 0;
  for (int i = 0; i < 40; ++i) {
    auto outcome = client.send(server.origin(), request(), soon());
    (outcome.kind == Kind::answered ? answered : maybe)++;
    EXPECT_NE(outcome.kind, Kind::not_sent);
  }
  EXPECT_EQ(answered, 20);
  EXPECT_EQ(maybe, 20);
  EXPECT_EQ(server.arrived(), 40);
  EXPECT_EQ(server.count("POST"), 20);
}

TEST_P(HttpReuse, SendsNothingAgainThatWasReadAndNotAnswered) {
  TestHttpServer server([](const Received& request) {
    return request.on_connection == 0 ? ok_then()
                                      : Answer{"", request.number % 3 ? Then::close : Then::reset};
  });
  HttpClient client;
  int maybe = 0;
  for (int i = 0; i < 40; ++i)
    maybe += client.send(server.origin(), request(), soon()).kind == Kind::maybe_sent;
  EXPECT_EQ(maybe, 20);
  EXPECT_EQ(server.count("POST"), 40);
}

TEST_P(HttpReuse, LeavesAConnectionThatTheServerWillClose) {
  TestHttpServer server([](const Received& request) {
    return request.number == 0 ? Answer{http_answer(200, "ok", {{"Connection", "close"}})}
                               : Answer{"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"};
  });
  HttpClient client;
  for (int i = 0; i < 3; ++i) client.send(server.origin(), request(), soon());
  EXPECT_EQ(server.connections(), 3);
}

// Else the next request would be given an answer that is not its own.
TEST_P(HttpReuse, LeavesAConnectionWithMoreThanAnAnswer) {
  TestHttpServer server(
      [](const Received&) { return Answer{http_answer(200, "ok") + http_answer(200, "evil")}; });
  HttpClient client;
  for (int i = 0; i < 5; ++i) {
    auto outcome = client.send(server.origin(), request(), soon());
    EXPECT_EQ(outcome.response.body, "ok");
  }
  EXPECT_EQ(server.received().size(), 5u);
}

TEST_P(HttpReuse, LeavesAConnectionThatIsTooOldOrIdleForTooLong) {
  TestHttpServer server([](const Received&) { return ok_then(); });
  std::atomic<Millis> now = 1'000;
  HttpClient::Options options;
  options.clock = [&] { return now.load(); };
  HttpClient client(options);
  auto connections_after = [&](Millis pause) {
    now += pause;
    client.send(server.origin(), request(), soon());
    return server.connections();
  };
  Millis most_idle = GetParam() ? 20'000 : 1'000;
  EXPECT_EQ(connections_after(0), 1);
  EXPECT_EQ(connections_after(most_idle - 1), 1);
  EXPECT_EQ(connections_after(most_idle), 2);
  int expected = 2;
  for (Millis age = 0; age + 999 < 300'000; age += 999) EXPECT_EQ(connections_after(999), expected);
  EXPECT_EQ(connections_after(999), expected + 1);
}

TEST_P(HttpReuse, BelievesAServerThatClosesSooner) {
  TestHttpServer server([](const Received&) {
    return Answer{http_answer(200, "ok", {{"Keep-Alive", "max=5, timeout=1"}})};
  });
  HttpClient client;
  client.send(server.origin(), request(), soon());
  client.send(server.origin(), request(), soon());
  EXPECT_EQ(server.connections(), 2);
}

TEST(HttpPool, KeepsConnectionsByOrigin) {
  TestHttpServer one([](const Received&) { return ok_then(); }),
      two([](const Received&) { return ok_then(); });
  HttpClient client;
  for (int i = 0; i < 6; ++i) client.send((i % 2 ? one : two).origin(), request_of("GET", true, ""), soon());
  EXPECT_EQ(one.connections(), 1);
  EXPECT_EQ(two.connections(), 1);
  EXPECT_EQ(one.arrived(), 3);
}

TEST(HttpPool, KeepsNoMoreThanItShould) {
  std::atomic<int> at_once = 0;
  TestHttpServer server([&](const Received&) {
    ++at_once;
    while (at_once % 8 != 0) std::this_thread::yield();
    return ok_then();
  });
  HttpClient::Options options;
  options.most_idle = 3;
  HttpClient client(options);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] { client.send(server.origin(), request_of("GET", true, ""), soon()); });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(server.connections(), 8);
  server.wait_until([](const auto& s) { return s.closed_so_far() == 5; });
}

// Many threads, a server at its worst, each request known by its own number: what was answered arrived once,
// what is said not to be sent did not arrive, and nothing arrived twice.
TEST(HttpPool, NeverSendsARequestTwice) {
  constexpr int threads_count = 8, per_thread = 250;
  std::mutex mutex;
  std::mt19937 random(7);
  TestHttpServer server([&](const Received& request) {
    int dice;
    {
      std::lock_guard lock(mutex);
      dice = static_cast<int>(random() % 10);
    }
    auto whole = http_answer(200, request.body);
    switch (dice) {
      case 0:
        return Answer{"", Then::close};
      case 1:
        return Answer{"", Then::reset};
      case 2:
        return Answer{whole.substr(0, whole.size() - 1), Then::reset};
      case 3:
        return Answer{whole, Then::close};
      case 4:
        return Answer{whole, Then::reset};
      case 5:
        return Answer{whole, Then::reset_when_readable};
      case 6:
        return Answer{"HTTP/1.1 100 Continue\r\n\r\n" + whole};
      default:
        return Answer{whole};
    }
  });
  HttpClient client;
  std::map<std::string, Kind> outcomes;
  std::vector<std::thread> threads;
  for (int t = 0; t < threads_count; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < per_thread; ++i) {
        auto id = std::to_string(t) + "-" + std::to_string(i);
        auto outcome = client.send(server.origin(), request_of("POST", i % 2 == 0, id), soon());
        if (outcome.kind == Kind::answered) {
          EXPECT_EQ(outcome.response.body, id);
        }
        std::lock_guard lock(mutex);
        outcomes[id] = outcome.kind;
      }
    });
  for (auto& thread : threads) thread.join();
  std::map<std::string, int> arrived;
  for (const auto& request : server.received()) ++arrived[request.body];
  int kinds[3] = {};
  for (const auto& [id, kind] : outcomes) {
    ++kinds[static_cast<int>(kind)];
    int count = arrived.contains(id) ? arrived[id] : 0;
    if (kind == Kind::answered) {
      EXPECT_EQ(count, 1) << id;
    }
    if (kind == Kind::not_sent) {
      EXPECT_EQ(count, 0) << id;
    }
    if (kind == Kind::maybe_sent) {
      EXPECT_LE(count, 1) << id;
    }
  }
  EXPECT_EQ(outcomes.size(), threads_count * per_thread);
  EXPECT_LE(server.arrived(), threads_count * per_thread);
  EXPECT_GT(kinds[0], threads_count * per_thread / 3);
  EXPECT_GT(kinds[2], threads_count * per_thread / 8);
}

}  // namespace
}  // namespace segments::aws

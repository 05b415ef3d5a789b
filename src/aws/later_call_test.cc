// Calls for whoever does not wait: what goes without, and that all else comes out as with call().
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <thread>

#include "aws/client.h"
#include "aws/test_credentials.h"
#include "base/test_watcher.h"
#include "net/test_tls_peer.h"

namespace segments::aws {
namespace {

using Answer = TestHttpServer::Answer;
using Received = TestHttpServer::Received;
using Then = TestHttpServer::Then;

Answer said(const std::string& body, Then then = Then::keep, bool drips = false) {
  return {http_answer(200, body), then, drips};
}

// One call under way.
struct Running {
  explicit Running(std::shared_ptr<LaterSource<Reply>> s) : source(std::move(s)) {
    source->begin([this] { ++told; });
  }
  std::shared_ptr<LaterSource<Reply>> source;
  int told = 0;
};

class LaterCalls : public testing::Test, protected TestEnvironment {
 protected:
  LaterCalls() {
    set("AWS_ACCESS_KEY_ID", "id");
    set("AWS_SECRET_ACCESS_KEY", "SeCrEt");
  }
  Client::Options options(const TestHttpServer& server) {
    Client::Options out{.service = "dynamodb", .region = "eu-west-1", .origin = server.origin("DynamoDB")};
    out.sleep = [](Millis) {};
    return out;
  }
  static Call get_item(bool is_idempotent = true) {
    return {.operation = "GetItem", .body = memory_body("{}"), .is_idempotent = is_idempotent};
  }
  // So that there is a connection, and keys.
  static void warm(Client& client, int connections = 1) {
    std::vector<std::thread> threads;
    for (int i = 0; i < connections; ++i) threads.emplace_back([&] { client.call(get_item()); });
    for (auto& thread : threads) thread.join();
  }
  static bool finish(TestWatcher& watcher, Running& call) {
    return watcher.run_until([&] { return call.told > 0; });
  }
  static std::string failure_of(Running& call) {
    try {
      call.source->take();
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable);
      return error.what();
    }
  }

  CredentialProvider credentials{context()};
};

TEST_F(LaterCalls, AreWaitedForWhereTheThreadMay) {
  TestHttpServer server([](const Received&) { return said("{}"); });
  Client client(options(server), credentials);
  for (int i = 0; i < 2; ++i) {
    Running call(client.call_later(get_item()));
    EXPECT_EQ(call.told, 1);
    EXPECT_TRUE(call.source->must_wait());
    EXPECT_EQ(call.source->take().body, "{}");
  }
  EXPECT_EQ(server.received().size(), 2u);
}

TEST_F(LaterCalls, GoWithoutWaitingWhereAConnectionIsAtHand) {
  TestHttpServer server([](const Received& request) { return said(std::to_string(request.number)); });
  Client client(options(server), credentials);
  TestWatcher watcher;
  Running first(client.call_later(get_item()));
  EXPECT_EQ(first.told, 1);
  ASSERT_TRUE(first.source->must_wait()) << "nobody has connected yet";
  EXPECT_EQ(first.source->take().body, "0");
  for (int i = 1; i <= 5; ++i) {
    Running call(client.call_later(get_item()));
    EXPECT_EQ(call.told, 0);
    ASSERT_TRUE(finish(watcher, call));
    ASSERT_FALSE(call.source->must_wait());
    auto reply = call.source->take();
    EXPECT_EQ(reply.body, std::to_string(i));
    EXPECT_EQ(reply.attempts, 1);
    EXPECT_EQ(call.told, 1);
  }
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(watcher.watched(), 1u);
  EXPECT_NE(server.received().at(3).header("authorization").find("Credential=id/"), std::string::npos);
}

TEST_F(LaterCalls, ManyAtOnceEachHaveAConnection) {
  std::mutex mutex;
  std::condition_variable all_are_there;
  int there = 0;
  TestHttpServer server([&](const Received& request) {
    // The first ones are answered together, so that each has a connection of its own.
    std::unique_lock lock(mutex);
    ++there;
    all_are_there.notify_all();
    all_are_there.wait_for(lock, std::chrono::seconds(20), [&] { return there >= 8; });
    return said(request.body, Then::keep, true);
  });
  Client client(options(server), credentials);
  warm(client, 8);
  TestWatcher watcher;
  for (int round = 0; round < 3; ++round) {
    std::deque<Running> calls;
    for (int i = 0; i < 8; ++i) {
      auto call = get_item();
      call.body = memory_body("{" + std::to_string(i) + "}");
      calls.emplace_back(client.call_later(std::move(call)));
    }
    for (int i = 0; i < 8; ++i) {
      auto& call = calls[static_cast<std::size_t>(i)];
      ASSERT_TRUE(finish(watcher, call));
      ASSERT_FALSE(call.source->must_wait());
      EXPECT_EQ(call.source->take().body, "{" + std::to_string(i) + "}");
    }
  }
  EXPECT_EQ(server.connections(), 8);
}

TEST_F(LaterCalls, AConnectionThatEndsWhileItIsIdleCostsNoAttempt) {
  std::atomic<bool> closes = false;
  TestHttpServer server([&](const Received&) { return said("{}", closes ? Then::close : Then::keep); });
  Client client(options(server), credentials);
  TestWatcher watcher;
  warm(client);
  closes = true;  // behind an answer that does not say so
  Running call(client.call_later(get_item()));
  ASSERT_TRUE(finish(watcher, call));
  EXPECT_FALSE(call.source->must_wait());
  EXPECT_EQ(watcher.watched(), 1u);
  EXPECT_TRUE(watcher.run_until([&] { return watcher.watched() == 0; })) << "its end is seen";
  closes = false;
  Running next(client.call_later(get_item()));
  EXPECT_TRUE(next.source->must_wait());
  EXPECT_EQ(next.source->take().attempts, 1);
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(LaterCalls, WhatIsToBeTriedAgainIsWaitedFor) {
  TestHttpServer server([](const Received& request) {
    if (request.number == 1) return Answer{http_answer(500, R"({"__type":"x#InternalServerError"})")};
    return said("{}");
  });
  Client client(options(server), credentials);
  TestWatcher watcher;
  warm(client);
  Running refused(client.call_later(get_item()));
  ASSERT_TRUE(finish(watcher, refused));
  EXPECT_TRUE(refused.source->must_wait());
  auto reply = refused.source->take();
  EXPECT_TRUE(reply.is_done());
  EXPECT_EQ(reply.attempts, 2);
  EXPECT_TRUE(reply.may_have_run_before);
  EXPECT_EQ(server.received().size(), 3u);
}

TEST_F(LaterCalls, ARefusalForGoodIsAnAnswer) {
  TestHttpServer server([](const Received& request) {
    if (request.number == 0) return said("{}");
    return Answer{http_answer(400, R"({"__type":"x#ConditionalCheckFailedException","message":"no"})")};
  });
  Client client(options(server), credentials);
  TestWatcher watcher;
  warm(client);
  Running call(client.call_later(get_item(false)));
  ASSERT_TRUE(finish(watcher, call));
  EXPECT_FALSE(call.source->must_wait());
  EXPECT_EQ(call.source->take().error_code, "ConditionalCheckFailedException");
}

TEST_F(LaterCalls, WhatMayHaveBeenCarriedOutIsNotSentAgain) {
  TestHttpServer server([](const Received& request) {
    return request.number == 0 ? said("{}") : Answer{"HTTP/1.1 200 OK\r\ncontent-le", Then::reset};
  });
  Client client(options(server), credentials);
  TestWatcher watcher;
  warm(client);
  Running call(client.call_later(get_item(false)));
  ASSERT_TRUE(finish(watcher, call));
  EXPECT_TRUE(call.source->must_wait());
  EXPECT_NE(failure_of(call).find("Whether it was carried out is not known."), std::string::npos);
  EXPECT_EQ(server.received().size(), 2u);
}

TEST_F(LaterCalls, ASilentServerIsNotWaitedForBeyondTheAttemptsTime) {
  TestHttpServer server([](const Received& request) {
    return request.number == 1 ? Answer{"", Then::hold} : said("{}");
  });
  Client client(options(server), credentials);
  TestWatcher watcher;
  warm(client);
  auto silent = get_item();
  silent.attempt_ms = 50;
  Running call(client.call_later(std::move(silent)));
  ASSERT_TRUE(finish(watcher, call));
  EXPECT_TRUE(call.source->must_wait());
  EXPECT_EQ(watcher.watched(), 0u) << "nothing further comes on that connection";
}

TEST_F(LaterCalls, EndWithTheirWatcher) {
  TestHttpServer server([](const Received& request) {
    return request.number == 1 ? Answer{"", Then::hold} : said("{}");
  });
  Client client(options(server), credentials);
  warm(client);
  std::optional<TestWatcher> watcher(std::in_place);
  Running call(client.call_later(get_item(false)));
  server.wait_until([](TestHttpServer& s) { return s.arrived_so_far() == 2; });
  EXPECT_EQ(call.told, 0);
  watcher.reset();
  EXPECT_EQ(call.told, 1);
  EXPECT_TRUE(call.source->must_wait());
  EXPECT_NE(failure_of(call).find("not known"), std::string::npos);
}

TEST_F(LaterCalls, KeysThatHaveToBeFetchedAreWaitedFor) {
  TestHttpServer server([](const Received&) { return said("{}"); });
  Client client(options(server), credentials);
  EXPECT_FALSE(client.has_keys_at_hand());
  warm(client);
  EXPECT_TRUE(client.has_keys_at_hand());
  TestWatcher watcher;
  // As AWS does when it no longer knows them, some time after they were fetched.
  auto late = context();
  late.clock = [now = now_ms()]() mutable { return now += 10'000; };
  CredentialProvider others(late);
  Client other(options(server), others);
  warm(other);
  others.refuse(others.get());
  EXPECT_FALSE(other.has_keys_at_hand());
  Running call(other.call_later(get_item()));
  EXPECT_EQ(call.told, 1);
  EXPECT_TRUE(call.source->must_wait());
  EXPECT_TRUE(call.source->take().is_done());
}

TEST(LaterExchanges, GoOverTls) {
  net::TestTlsPeer peer({.answer = http_answer(200, std::string(100'000, 'x'))});
  HttpClient client({.ca_file = peer.ca_file()});
  const Origin origin{"The peer", true, "localhost", peer.port()};
  HttpRequest request;
  request.is_repeatable = true;
  ASSERT_EQ(client.send(origin, request, soon()).kind, HttpOutcome::Kind::answered);
  TestWatcher watcher;
  for (int i = 0; i < 3; ++i) {
    std::optional<HttpOutcome> outcome;
    auto copy = request;
    ASSERT_TRUE(client.begin(origin, std::move(copy), soon(),
                             [&](HttpOutcome&& given) { outcome = std::move(given); }));
    ASSERT_TRUE(watcher.run_until([&] { return outcome.has_value(); }));
    ASSERT_EQ(outcome->kind, HttpOutcome::Kind::answered) << outcome->failure;
    EXPECT_EQ(outcome->response.body.size(), 100'000u);
  }
  EXPECT_EQ(peer.requests().size(), 4u);
  EXPECT_EQ(peer.asked_names().size(), 1u) << "one connection";
}

}  // namespace
}  // namespace segments::aws

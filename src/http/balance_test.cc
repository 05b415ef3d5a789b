#include "http/balance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "http/test_client.h"

namespace segments::http {
namespace {

using Uses = std::vector<LoopUse>;

std::optional<ConnectionMove> move_when_always(const Uses& uses) {
  return move_to_balance(uses, uses);
}

TEST(BalanceTest, LoopThatWaitsGivesAPartToTheOneThatSleeps) {
  EXPECT_EQ(move_when_always({{0.8, 32}, {0.4, 32}}), (ConnectionMove{0, 1, 4}));
  EXPECT_EQ(move_when_always({{0.4, 32}, {0.8, 32}}), (ConnectionMove{1, 0, 4}));
  EXPECT_EQ(move_when_always({{1.0, 1000}, {0.0, 0}}), (ConnectionMove{0, 1, 250}));
}

TEST(BalanceTest, OfManyTheBusiestGivesToTheLeastBusy) {
  EXPECT_EQ(move_when_always({{0.5, 16}, {0.2, 16}, {0.9, 16}, {0.6, 16}}), (ConnectionMove{2, 1, 3}));
}

TEST(BalanceTest, NothingMovesWhileTheyDifferByLittle) {
  EXPECT_EQ(move_when_always({{0.5, 32}, {0.5, 32}}), std::nullopt);
  EXPECT_EQ(move_when_always({{0.5, 32}, {0.38, 32}}), std::nullopt);
  EXPECT_EQ(move_when_always({{0.0, 0}, {0.14, 32}}), std::nullopt);
  EXPECT_EQ(move_when_always({{1.0, 32}, {0.8, 32}}), std::nullopt);
  EXPECT_EQ(move_when_always({{1.0, 32}, {1.0, 32}}), std::nullopt);
}

TEST(BalanceTest, NothingMovesForWhatOneLookAloneSaw) {
  const Uses even = {{0.5, 32}, {0.5, 32}}, first = {{0.9, 32}, {0.3, 32}}, second = {{0.3, 32}, {0.9, 32}};
  EXPECT_EQ(move_to_balance(even, first), std::nullopt);
  EXPECT_EQ(move_to_balance(first, even), std::nullopt);
  EXPECT_EQ(move_to_balance(first, second), std::nullopt);
  EXPECT_EQ(move_to_balance({}, first), std::nullopt);
}

TEST(BalanceTest, OneConnectionAloneStays) {
  EXPECT_EQ(move_when_always({{1.0, 1}, {0.0, 0}}), std::nullopt);
  EXPECT_EQ(move_when_always({{1.0, 2}, {0.0, 0}}), (ConnectionMove{0, 1, 1}));
  EXPECT_EQ(move_when_always({{1.0, 0}, {0.0, 0}}), std::nullopt);
}

TEST(BalanceTest, OneLoopHasNobodyToGiveTo) {
  EXPECT_EQ(move_when_always({{1.0, 32}}), std::nullopt);
  EXPECT_EQ(move_when_always({}), std::nullopt);
}

// What has to be done stays the same and goes where the connections go; one thread gets half a processor.
TEST(BalanceTest, UnevenProcessorsComeToRest) {
  std::vector<double> speed = {0.5, 1};
  std::vector<int> connections = {32, 32};
  std::vector<std::pair<int, int>> seen;
  Uses before;
  for (int look = 0; look < 100; ++look) {
    Uses now;
    for (std::size_t i = 0; i < 2; ++i)
      now.push_back({std::min(1.0, connections[i] * 0.012 / speed[i]), connections[i]});
    if (const auto move = move_to_balance(before, now)) {
      EXPECT_EQ(move->from, 0u);
      connections[move->from] -= move->count;
      connections[move->to] += move->count;
      before.clear();
    } else {
      before = now;
    }
    if (look >= 50) seen.emplace_back(connections[0], connections[1]);
  }
  EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), 1u);
  EXPECT_LT(connections[0], 28);
  EXPECT_GE(connections[0], 20);
}

// Over real sockets: whichever thread answers says which it is.
struct TwoLoops {
  static Response thread_response(int spin_ms) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(spin_ms);
    while (std::chrono::steady_clock::now() < until) {
    }
    return json_response(std::to_string(gettid()));
  }

  test::TestServer server{
      {test::route("GET", "/who", [](const Request&) { return thread_response(0); }),
       test::route("GET", "/busy", [](const Request&) { return thread_response(20); }),
       test::route("POST", "/echo", [](const Request& r) { return json_response(r.body); })},
      {.io_threads = 2, .idle_seconds = 30}};
};

std::string who(test::Client& client) {
  return client.ask(test::get("/who")).body;
}

double moved(TwoLoops& loops) {
  return loops.server.metrics.counter("http_connections_moved_total", "").value();
}

TEST(BalanceServerTest, ConnectionsOfABusyLoopAreServedByTheOther) {
  if (!ProcessorUse().read()) GTEST_SKIP() << "this kernel does not tell";
  TwoLoops loops;
  test::Client busy = loops.server.client();
  const auto busy_thread = busy.ask(test::get("/busy")).body;
  std::vector<test::Client> others;
  for (int i = 0; i < 9; ++i) others.push_back(loops.server.client());
  std::vector<test::Client*> beside;
  for (auto& one : others)
    if (who(one) == busy_thread) beside.push_back(&one);
  ASSERT_EQ(beside.size(), 4u);

  std::atomic<bool> ended = false;
  std::atomic<bool> stayed = true;
  std::thread keeping([&] {
    while (!ended) stayed = busy.ask(test::get("/busy")).body == busy_thread && stayed;
  });
  // A busy loop gives them away one after the other, for as long as it is the busier one by much.
  const bool all_went = test::eventually(
      [&] { return std::ranges::none_of(beside, [&](auto* one) { return who(*one) == busy_thread; }); });
  ended = true;
  keeping.join();
  EXPECT_TRUE(all_went) << moved(loops) << " were moved";
  EXPECT_TRUE(stayed) << "the connection that keeps the loop busy went as well";
  EXPECT_GE(moved(loops), 4);
  // What moved is as good as before, bodies and all, and counted as before.
  for (auto* one : beside)
    EXPECT_EQ(one->ask("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello").body, "hello");
  EXPECT_EQ(loops.server.connections(), 10);
  others.clear();
  EXPECT_TRUE(test::eventually([&] { return loops.server.connections() == 1; }));
}

// Every byte comes once and in turn, whenever the connection goes from one thread to the other.
TEST(BalanceServerTest, NothingIsLostOrDoubledOnTheWay) {
  if (!ProcessorUse().read()) GTEST_SKIP() << "this kernel does not tell";
  TwoLoops loops;
  // One on each thread, which they keep busy in turn.
  test::Client one = loops.server.client(), other = loops.server.client();
  ASSERT_NE(who(one), who(other));
  std::atomic<bool> ended = false;
  std::vector<std::thread> clients;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < 8; ++i)
    clients.emplace_back([&, i] {
      test::Client client = loops.server.client();
      for (int n = 0; !ended; usleep(5'000), ++n) {  // the other thread has time to spare
        // Two at once at times: what was read of the second goes nowhere before it is answered.
        const auto first = std::to_string(i) + "-" + std::to_string(n), second = first + "b";
        const auto request = [](const std::string& body) {
          return "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(body.size()) +
                 "\r\n\r\n" + body;
        };
        client.send(request(first) + request(second));
        if (client.read_answer().body != first || client.read_answer().body != second) ++wrong;
      }
    });
  const bool went = test::eventually([&] {
    for (auto* busy : {&one, &other})
      for (int i = 0; i < 15; ++i) busy->ask(test::get("/busy"));
    return moved(loops) >= 4;
  });
  ended = true;
  for (auto& client : clients) client.join();
  EXPECT_TRUE(went) << moved(loops) << " were moved";
  EXPECT_EQ(wrong, 0);
}

TEST(BalanceServerTest, StopFindsConnectionsThatMoved) {
  TwoLoops loops;
  std::vector<test::Client> clients;
  for (int i = 0; i < 6; ++i) clients.push_back(loops.server.client());
  for (int i = 0; i < 20; ++i) clients[0].ask(test::get("/busy")), who(clients[2]), who(clients[4]);
  loops.server.server.stop();
  for (auto& client : clients) EXPECT_TRUE(client.is_at_end());
  EXPECT_EQ(loops.server.connections(), 0);
}

}  // namespace
}  // namespace segments::http

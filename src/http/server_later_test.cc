// Answers that are there later, over real sockets.
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/batch.h"
#include "base/error.h"
#include "http/test_client.h"

namespace segments {
namespace {

using test::Client;
using test::eventually;
using test::get;
using test::TestServer;

// Keeps whoever asks until it is told to let go, as a store does with what it has yet to commit.
class Office {
 public:
  class Visit : public LaterSource<int> {
   public:
    Visit(Office& office, int number) : office_(office), number_(number) {}
    void begin(std::function<void()> ready) noexcept override {
      std::lock_guard lock(office_.mutex_);
      office_.waiting_.push_back(std::move(ready));
    }
    int take() override {
      if (number_ < 0) throw Error(ErrorKind::conflict, "No.");
      return number_;
    }

   private:
    Office& office_;
    int number_;
  };

  Later<int> ask(int number) { return Later<int>(std::make_shared<Visit>(*this, number)); }
  std::size_t waiting() {
    std::lock_guard lock(mutex_);
    return waiting_.size();
  }
  void let_go() {
    std::vector<std::function<void()>> gone;
    {
      std::lock_guard lock(mutex_);
      gone.swap(waiting_);
    }
    for (auto& ready : gone) ready();
  }

 private:
  std::mutex mutex_;
  std::vector<std::function<void()>> waiting_;
};

Response number_response(int number) {
  return json_response(std::to_string(number));
}

RouteHandler number_route(Office& office, Runs runs = Runs::inline_) {
  return test::route(
      "GET", "/numbers/{n}",
      [&office](const Request& request) {
        return later_response(
            office.ask(std::stoi(std::string(request.path_parameter("n")))).then(number_response));
      },
      runs);
}

std::string number(int n) {
  return get("/numbers/" + std::to_string(n));
}

TEST(LaterAnswers, HoldNoThreadWhileTheyWait) {
  Office office;
  ServerOptions options;
  options.io_threads = 1;
  options.pool_threads = 1;
  options.pool_queue = 1'000;
  auto routes = std::vector{number_route(office)};
  routes.push_back(test::route("GET", "/hello", [](const Request&) { return json_response("hello"); }));
  TestServer server(std::move(routes), options);
  std::vector<Client> clients;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 100; ++i) {
      if (round == 0) clients.push_back(server.client());
      clients[static_cast<std::size_t>(i)].send(number(i));
    }
    ASSERT_TRUE(eventually([&] { return office.waiting() == 100; })) << office.waiting();
    EXPECT_EQ(server.client().ask(get("/hello")).body, "hello");
    // By a thread that has a batch, as the store's writer, and by one that has none.
    std::thread([&] {
      std::optional<Batch> batch;
      if (round % 2) batch.emplace([] {});
      office.let_go();
    }).join();
    for (int i = 0; i < 100; ++i)
      EXPECT_EQ(clients[static_cast<std::size_t>(i)].read_answer().body, std::to_string(i));
  }
}

// What has to be waited for once it is ready, as a call that has to be made again.
class Errand : public LaterSource<int> {
 public:
  explicit Errand(Office& office) : visit_(office.ask(1).source()), errand_(office.ask(2)) {}
  void begin(std::function<void()> ready) noexcept override { visit_->begin(std::move(ready)); }
  bool must_wait() const override { return true; }
  int take() override { return visit_->take() * 10 + std::move(errand_).wait(); }

 private:
  std::shared_ptr<LaterSource<int>> visit_;
  Later<int> errand_;
};

TEST(LaterAnswers, ThatHaveToWaitOnceTheyAreReadyDoSoOnThePool) {
  Office office;
  ServerOptions options;
  options.io_threads = 1;
  std::vector<RouteHandler> routes;
  for (const char* path : {"/errand", "/marked"})
    routes.push_back(test::route("GET", path, [&office, path](const Request&) {
      auto later = path == std::string_view("/errand") ? Later<int>(std::make_shared<Errand>(office))
                                                       : office.ask(12).for_who_may_wait();
      return later_response(std::move(later).then(number_response));
    }));
  routes.push_back(test::route("GET", "/hello", [](const Request&) { return json_response("hello"); }));
  TestServer server(std::move(routes), options);
  auto client = server.client();
  client.send(get("/errand"));
  for (int times = 0; times < 2; ++times) {
    ASSERT_TRUE(eventually([&] { return office.waiting() == 1; }));
    EXPECT_EQ(server.client().ask(get("/hello")).body, "hello") << "the only I/O thread is free";
    office.let_go();
  }
  EXPECT_EQ(client.read_answer().body, "12");
  client.send(get("/marked"));
  ASSERT_TRUE(eventually([&] { return office.waiting() == 1; }));
  office.let_go();
  EXPECT_EQ(client.read_answer().body, "12");
}

TEST(LaterAnswers, MayBeReadyAtOnceWaitAgainAndFail) {
  Office office;
  std::vector<RouteHandler> routes{number_route(office)};
  routes.push_back(test::route(
      "GET", "/now", [](const Request&) { return later_response(Later(7).then(number_response)); }));
  routes.push_back(test::route("GET", "/twice", [&](const Request&) {
    return later_response(office.ask(1).then([&](int one) {
      return later_response(
          office.ask(one + 1).then([one](int two) { return number_response(one * 10 + two); }));
    }));
  }));
  TestServer server(std::move(routes));
  auto client = server.client();
  EXPECT_EQ(client.ask(get("/now")).body, "7");
  client.send(get("/twice"));
  for (int times = 0; times < 2; ++times) {
    ASSERT_TRUE(eventually([&] { return office.waiting() == 1; }));
    office.let_go();
  }
  EXPECT_EQ(client.read_answer().body, "12");
  client.send(number(-1));
  ASSERT_TRUE(eventually([&] { return office.waiting() == 1; }));
  office.let_go();
  auto refused = client.read_answer();
  EXPECT_EQ(refused.status, 409);
  EXPECT_NE(refused.body.find("No."), std::string::npos);
  EXPECT_FALSE(refused.header("X-Request-Id").empty());
}

TEST(LaterAnswers, ArePlainOnesOnThePool) {
  Office office;
  TestServer server({number_route(office, Runs::on_pool)});
  auto client = server.client();
  client.send(number(5));
  ASSERT_TRUE(eventually([&] { return office.waiting() == 1; }));
  office.let_go();
  EXPECT_EQ(client.read_answer().body, "5");
  std::jthread clerk([&](std::stop_token stop) {
    while (!stop.stop_requested()) {
      office.let_go();
      std::this_thread::yield();
    }
  });
  Request request;
  request.method = "GET";
  request.target = "/numbers/6";
  EXPECT_EQ(server.router.call(request).body, "6");
}

TEST(LaterAnswers, AreRefusedBeyondTheBound) {
  Office office;
  ServerOptions options;
  options.io_threads = 1;
  options.pool_threads = 1;
  options.pool_queue = 2;
  TestServer server({number_route(office)}, options);
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) clients.emplace_back(server.client()).send(number(i));
  ASSERT_TRUE(eventually([&] { return office.waiting() == 3; }));
  auto refused = server.client().ask(number(3));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("Retry-After"), "1");
  office.let_go();
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(clients[static_cast<std::size_t>(i)].read_answer().body, std::to_string(i));
  clients[0].send(number(9));
  ASSERT_TRUE(eventually([&] { return office.waiting() == 1; }));
  office.let_go();
  EXPECT_EQ(clients[0].read_answer().body, "9");
}

TEST(LaterAnswers, OutliveTheirClient) {
  Office office;
  TestServer server({number_route(office)});
  server.client().send(number(1));
  ASSERT_TRUE(eventually([&] { return office.waiting() == 1; }));
  office.let_go();
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST(LaterAnswers, AreWaitedForByAServerThatEnds) {
  Office office;
  std::optional<TestServer> server(std::in_place, std::vector{number_route(office)});
  std::vector<Client> clients;
  for (int i = 0; i < 20; ++i) clients.emplace_back(server->client()).send(number(i));
  ASSERT_TRUE(eventually([&] { return office.waiting() == 20; }));
  // Its end must not leave anything behind that is still reached into.
  std::thread end([&] { server.reset(); });
  EXPECT_EQ(office.waiting(), 20u);
  office.let_go();
  end.join();
}

TEST(LaterAnswers, AreGivenByAServerThatStopsGracefully) {
  Office office;
  TestServer server({number_route(office)});
  auto client = server.client();
  client.send(number(4));
  ASSERT_TRUE(eventually([&] { return office.waiting() == 1; }));
  std::thread stop([&] { server.server.stop(); });
  office.let_go();
  EXPECT_EQ(client.read_answer().body, "4");
  stop.join();
}

}  // namespace
}  // namespace segments

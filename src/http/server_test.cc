#include "http/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <thread>

#include "base/error.h"
#include "http/test_client.h"

namespace segments {
namespace {

using test::Client;
using test::eventually;
using test::get;
using test::route;
using test::TestServer;

Response hello(const Request&) {
  return json_response("hello");
}
Response echo(const Request& request) {
  return json_response(request.body);
}

std::vector<RouteHandler> simple_routes() {
  return {route("GET", "/hello", hello), route("POST", "/echo", echo),
          route("POST", "/pool", echo, Runs::on_pool), route("GET", "/target", [](const Request& r) {
            return json_response(r.path + "|" + r.remote_address);
          })};
}

std::string post(std::string_view path, std::string_view body, std::string_view headers = "") {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(headers) + "\r\n" + std::string(body);
}

TEST(Server, AnswersOverOneConnection) {
  TestServer server(simple_routes());
  auto client = server.client();
  for (int i = 0; i < 3; ++i) {
    auto answer = client.ask(get("/hello"));
    EXPECT_TRUE(answer.head.starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_EQ(answer.body, "hello");
    EXPECT_EQ(answer.header("Content-Type"), "application/json");
    EXPECT_TRUE(answer.header("Date").ends_with(" GMT"));
    EXPECT_NE(answer.header("X-Request-Id"), "");
    EXPECT_EQ(answer.header("Connection"), "");
  }
  EXPECT_EQ(client.ask(get("//target")).body, "/target|127.0.0.1");
  EXPECT_EQ(client.ask(get("/nowhere")).status, 404);
  EXPECT_EQ(client.ask(post("/echo", "abc")).body, "abc");
  EXPECT_EQ(client.ask(post("/pool", "on the pool")).body, "on the pool");
  EXPECT_EQ(client.ask(post("/hello", "unwanted")).status, 405);
  EXPECT_EQ(client.ask(get("/hello")).status, 200);
  EXPECT_EQ(server.connections(), 1);
  client.close();
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST(Server, HeadHasTheHeadersAndNoBody) {
  TestServer server(simple_routes());
  auto client = server.client();
  client.send("HEAD /hello HTTP/1.1\r\nHost: test\r\n\r\n");
  auto answer = client.read_answer(false);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Length"), "5");
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  EXPECT_EQ(client.ask(get("/hello")).body, "hello");
}

TEST(Server, StatusesWithoutBodyHaveNoLength) {
  auto with_status = [](int status) {
    return [status](const Request&) { return json_response("x", status); };
  };
  TestServer server({route("DELETE", "/a", with_status(204)), route("GET", "/a", with_status(304))});
  auto client = server.client();
  auto removed = client.ask("DELETE /a HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(removed.status, 204);
  EXPECT_EQ(removed.header("Content-Length"), "");
  EXPECT_EQ(client.ask(get("/a")).status, 304);
  EXPECT_EQ(client.ask(get("/a")).status, 304);
}

TEST(Server, AnInlineRouteSendsWhatWaitsToThePool) {
  auto list = route("GET", "/list", [](const Request&) {
    return json_response(std::to_string(std::hash<std::thread::id>()(std::this_thread::get_id())));
  });
  auto pool = list;
  pool.pattern = "/pool";
  pool.runs = Runs::on_pool;
  list.waits = [](const Request& request) { return !request.query.empty(); };
  TestServer server({list, pool}, {.io_threads = 1});
  auto client = server.client();
  auto io_thread = client.ask(get("/list")).body;
  EXPECT_NE(client.ask(get("/list?search=x")).body, io_thread);
  EXPECT_EQ(client.ask(get("/list")).body, io_thread);
  EXPECT_NE(client.ask(get("/pool")).body, io_thread);
}

TEST(Server, PipelinedRequestsAreAnsweredInOrder) {
  TestServer server(simple_routes());
  auto client = server.client();
  std::string requests;
  for (int i = 0; i < 500; ++i) requests += post(i % 3 ? "/echo" : "/pool", std::to_string(i)) + "\r\n";
  std::thread sender([&] { client.send(requests); });
  for (int i = 0; i < 500; ++i) ASSERT_EQ(client.read_answer().body, std::to_string(i));
  sender.join();
}

TEST(Server, ByteByByte) {
  TestServer server(simple_routes());
  auto client = server.client();
  for (char byte : post("/echo", "slow but sure", "X-Thing: 1\r\n")) client.send({&byte, 1});
  EXPECT_EQ(client.read_answer().body, "slow but sure");
  for (char byte : std::string("POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "3;ext=1\r\nabc\r\n0a\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"))
    client.send({&byte, 1});
  EXPECT_EQ(client.read_answer().body, "abc0123456789");
  EXPECT_EQ(client.ask(get("/hello")).status, 200);
}

TEST(Server, ConnectionHeaders) {
  TestServer server(simple_routes());
  auto closing = server.client();
  auto answer = closing.ask(get("/hello", "Connection: close\r\n"));
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_TRUE(closing.is_at_end());
  auto old = server.client();
  EXPECT_EQ(old.ask("GET /hello HTTP/1.0\r\n\r\n").header("Connection"), "close");
  EXPECT_TRUE(old.is_at_end());
  auto kept = server.client();
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(kept.ask("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").header("Connection"),
              "keep-alive");
}

TEST(Server, HeadersThatWouldSplitTheAnswerDoNot) {
  TestServer server({route("GET", "/a", [](const Request& request) {
    auto response = json_response("x");
    response.set("X-Back", *request.query_parameter("v"));
    return response;
  })});
  auto answer = server.client().ask(get("/a?v=1%0d%0aX-Evil:%202%0d%0a"));
  EXPECT_EQ(answer.header("X-Evil"), "");
  EXPECT_EQ(answer.body, "x");
}

struct BadRequest {
  const char* name;
  std::string bytes;
  int status;
};

std::string request_of_64_kb_line() {
  return get("/" + std::string(64 * 1024, 'a'));
}

TEST(Server, RefusesWhatIsNotWellFormedAndCloses) {
  TestServer server(simple_routes());
  std::string big_body(1024 * 1024 + 1, 'x');
  const BadRequest requests[] = {
      {"no HTTP", "hello\r\n\r\n", 400},
      {"TLS", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15), 400},
      {"version", "GET /hello HTTP/2.0\r\nHost: t\r\n\r\n", 400},
      {"no host", "GET /hello HTTP/1.1\r\n\r\n", 400},
      {"two hosts", "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"space before colon", "GET /hello HTTP/1.1\r\nHost : a\r\n\r\n", 400},
      {"NUL in a header", std::string("GET /hello HTTP/1.1\r\nHost: a\0b\r\n\r\n", 35), 400},
      {"two lengths", "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
       400},
      {"the same length twice",
       "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 400},
      {"list of lengths", "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1, 1\r\n\r\na", 400},
      {"length and chunks",
       "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400},
      {"chunks and length",
       "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
       400},
      {"negative length", "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n", 400},
      {"huge length", "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999999999999999999\r\n\r\n",
       400},
      {"encoding", "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
      {"chunks in HTTP/1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"bad chunk", "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {"endless chunk line",
       "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(200'000, 'e'),
       400},
      {"expectation", "POST /echo HTTP/1.1\r\nHost: t\r\nExpect: tea\r\nContent-Length: 1\r\n\r\na", 417},
      {"request line of 64 KB", request_of_64_kb_line(), 414},
      {"header of 64 KB", get("/hello", "X-A: " + std::string(64 * 1024, 'a') + "\r\n"), 431},
      {"body too large", post("/echo", big_body), 413},
      {"chunks too large",
       "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n" + big_body, 413},
  };
  for (const auto& request : requests) {
    auto client = server.client();
    auto answer = client.ask(request.bytes);
    EXPECT_EQ(answer.status, request.status) << request.name;
    EXPECT_EQ(answer.header("Connection"), "close") << request.name;
    EXPECT_EQ(answer.header("Content-Type"), "application/problem+json") << request.name;
    EXPECT_NE(answer.body.find(answer.header("X-Request-Id")), std::string::npos) << request.name;
    client.end_sending();
    EXPECT_EQ(client.read_to_end(), "") << request.name;
  }
  EXPECT_EQ(server.client().ask(get("/hello")).status, 200);
}

TEST(Server, BodyOfExactlyTheLimit) {
  TestServer server(simple_routes());
  std::string body(1024 * 1024, 'x');
  auto client = server.client();
  EXPECT_EQ(client.ask(post("/echo", body)).body.size(), body.size());
  EXPECT_EQ(client.ask(get("/hello")).status, 200);
}

TEST(Server, AnnouncedBodyThatIsTooLargeIsNotAwaited) {
  TestServer server(simple_routes());
  auto client = server.client();
  auto answer = client.ask("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999999\r\n\r\n");
  EXPECT_EQ(answer.status, 413);
}

TEST(Server, ManySmallHeadersAreTooManyTogether) {
  TestServer server(simple_routes());
  auto client = server.client();
  client.send("GET /hello HTTP/1.1\r\nHost: t\r\n");
  // Sent one by one, so that the parser never holds much at once.
  for (int i = 0; i < 100'000 && client.send("X-" + std::to_string(i) + ": flood\r\n"); ++i) {
    char byte;
    if (recv(client.descriptor(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) break;
  }
  EXPECT_EQ(client.read_answer().status, 431);
}

TEST(Server, Expect100Continue) {
  TestServer server(simple_routes());
  auto client = server.client();
  std::string head = "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
  client.send(head);
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(client.ask("body").body, "body");
  EXPECT_EQ(client.ask(head + "body").body, "body");  // a client that does not wait gets no 100
  // Refused without being asked to send.
  auto refused =
      client.ask("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 9999999\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(refused.status, 413);
  auto nowhere = server.client().ask(
      "POST /no HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(nowhere.status, 404);
}

TEST(Server, SlowHeadsAreDroppedAndQuickRequestsGoOn) {
  ServerOptions options;
  options.header_seconds = 1;
  options.io_threads = 2;
  TestServer server(simple_routes(), options);
  std::vector<Client> slow;
  for (int i = 0; i < 100; ++i) slow.push_back(server.client());
  std::atomic<bool> done{false};
  // Each sends a byte now and then and never ends its head.
  std::thread dripping([&] {
    std::string head = "GET /hello HTTP/1.1\r\nHost: t\r\nX-Long: " + std::string(1000, 'a');
    for (std::size_t at = 0; !done; at = (at + 1) % head.size()) {
      for (auto& client : slow) client.send({&head[at], 1});
      usleep(50'000);
    }
  });
  auto quick = server.client();
  int answered = 0;
  EXPECT_TRUE(eventually([&] {
    for (int i = 0; i < 20; ++i) answered += quick.ask(get("/hello")).status == 200;
    return server.connections() <= 1;  // all slow ones are gone, this one is not
  }));
  done = true;
  dripping.join();
  EXPECT_GE(answered, 20);
  for (auto& client : slow) EXPECT_EQ(client.read_answer().status, 408);
}

TEST(Server, SlowBodiesAndIdleConnectionsAreDropped) {
  ServerOptions options;
  options.body_seconds = 1;
  options.idle_seconds = 1;
  TestServer server(simple_routes(), options);
  auto slow = server.client();
  EXPECT_EQ(slow.ask("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc").status, 408);
  auto idle = server.client();
  EXPECT_EQ(idle.ask(get("/hello")).status, 200);
  EXPECT_TRUE(idle.is_at_end());
}

TEST(Server, BodyCutHalfWayIs400) {
  TestServer server(simple_routes());
  auto client = server.client();
  client.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc");
  client.end_sending();
  EXPECT_EQ(client.read_answer().status, 400);
}

TEST(Server, BeyondMaxConnections503) {
  ServerOptions options;
  options.max_connections = 3;
  TestServer server(simple_routes(), options);
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(clients.emplace_back(server.client()).ask(get("/hello")).status, 200);
  auto fourth = server.client();
  auto answer = fourth.read_answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Retry-After"), "1");
  clients.pop_back();
  EXPECT_TRUE(eventually([&] { return server.client().ask(get("/hello")).status == 200; }));
}

TEST(Server, FullPoolRefusesAndInlineGoesOn) {
  ServerOptions options;
  options.pool_threads = 2;
  options.pool_queue = 3;
  std::latch release(1);
  auto routes = simple_routes();
  routes.push_back(route(
      "GET", "/wait",
      [&](const Request&) {
        release.wait();
        return json_response("done");
      },
      Runs::on_pool));
  TestServer server(std::move(routes), options);
  std::vector<Client> waiting;
  for (int i = 0; i < 5; ++i) waiting.emplace_back(server.client()).send(get("/wait"));
  // Two run and three wait; whoever comes then is refused.
  EXPECT_TRUE(eventually([&] { return server.metrics.gauge("http_pool_queued", "").value() == 3; }));
  auto refused = server.client().ask(get("/wait"));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("Retry-After"), "1");
  EXPECT_EQ(server.client().ask(get("/hello")).status, 200);
  release.count_down();
  for (auto& client : waiting) EXPECT_EQ(client.read_answer().body, "done");
}

TEST(Server, ManyClientsAtOnce) {
  TestServer server(simple_routes());
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t)
    threads.emplace_back([&, t] {
      auto client = server.client();
      for (int i = 0; i < 100; ++i) {
        auto body = std::to_string(t * 1000 + i);
        right += client.ask(post(i % 2 ? "/pool" : "/echo", body)).body == body;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 1600);
}

TEST(Server, TakenAddressIsUnavailable) {
  TestServer server(simple_routes());
  ServerOptions options;
  options.port = server.server.port();
  Server second(server.router, options);
  EXPECT_THROW(second.start(), Error);
  ServerOptions nowhere;
  nowhere.host = "no such host.invalid";
  EXPECT_THROW(Server(server.router, nowhere).start(), Error);
}

TEST(ServerStop, FinishesWhatRunsAndTakesNoMore) {
  std::latch running(2), release(1);
  auto slow = [&](const Request&) {
    running.count_down();
    release.wait();
    return json_response("finished");
  };
  auto routes = simple_routes();
  routes.push_back(route("GET", "/slow", slow, Runs::on_pool));
  TestServer server(std::move(routes));
  auto first = server.client(), second = server.client(), idle = server.client();
  EXPECT_EQ(idle.ask(get("/hello")).status, 200);
  first.send(get("/slow"));
  second.send(get("/slow"));
  running.wait();
  std::thread stopping([&] { server.server.stop(); });
  EXPECT_TRUE(idle.is_at_end());
  release.count_down();
  auto answer = first.read_answer();
  EXPECT_EQ(answer.body, "finished");
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_EQ(second.read_answer().body, "finished");
  stopping.join();
  EXPECT_THROW(server.client(), std::runtime_error);
  EXPECT_EQ(server.connections(), 0);
}

TEST(ServerStop, ReturnsAfterDrainSecondsWhateverRuns) {
  ServerOptions options;
  options.drain_seconds = 1;
  std::latch release(1), running(1);
  TestServer server({route(
                        "GET", "/stuck",
                        [&](const Request&) {
                          running.count_down();
                          release.wait();
                          return json_response("late");
                        },
                        Runs::on_pool)},
                    options);
  auto client = server.client();
  client.send(get("/stuck"));
  running.wait();
  server.server.stop();
  release.count_down();
}

TEST(ServerStop, AtOnceWithEverythingOpen) {
  auto server = std::make_unique<TestServer>(simple_routes());
  std::vector<Client> clients;
  for (int i = 0; i < 20; ++i) clients.emplace_back(server->client()).send(i % 2 ? "GET /he" : get("/hello"));
  EXPECT_TRUE(eventually([&] { return server->connections() == 20; }));
  server.reset();
  for (auto& client : clients) client.read_to_end();
}

}  // namespace
}  // namespace segments

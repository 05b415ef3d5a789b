// What a client makes of servers that die, stall, refuse or lie.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/error.h"
#include "redis/client.h"
#include "redis/test_peer.h"
#include "redis/test_server.h"

namespace segments::redis {
namespace {

constexpr Timeouts hasty = {.connect_ms = 5'000, .answer_ms = 100};

template <class Call>
ErrorKind kind_of_failure(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.kind();
  }
  throw std::runtime_error("nothing failed");
}

// Until the client's back-off lets it through.
Reply ask_until_it_works(Client& client, const Command& command) {
  while (true) {
    try {
      return client.ask(command);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable) << error.what();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
}

Url url_of(const TestPeer& peer) {
  return parse_url("redis://127.0.0.1:" + std::to_string(peer.port()));
}

TEST(RedisOutage, ComesBackByItselfAfterARestart) {
  RedisServer server({.append_only = true});
  Client client(parse_url(server.url()));
  client.ask({"SET", "k", "kept"});
  server.kill();
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(kind_of_failure([&] { client.ask({"GET", "k"}); }), ErrorKind::unavailable);
  server.start();
  EXPECT_EQ(ask_until_it_works(client, {"GET", "k"}).text, "kept");
}

TEST(RedisOutage, ConnectsOnlyWhenItIsAsked) {
  Client client(parse_url("redis://127.0.0.1:1"));
  EXPECT_EQ(kind_of_failure([&] { client.ask({"PING"}); }), ErrorKind::unavailable);
}

TEST(RedisOutage, NoticesClosedConnectionsBeforeItSends) {
  RedisServer server;
  Client client(parse_url(server.url())), killer(parse_url(server.socket_url()));
  for (int i = 1; i <= 50; ++i) {
    EXPECT_EQ(client.ask({"INCR", "n"}).integer, i);
    auto id = std::to_string(client.ask({"CLIENT", "ID"}).integer);
    EXPECT_EQ(killer.ask({"CLIENT", "KILL", "ID", id}).integer, 1);
  }
}

TEST(RedisOutage, WaitingCallsFailWhenTheServerDies) {
  RedisServer server;
  Client client(parse_url(server.url()), {.connect_ms = 600'000, .answer_ms = 600'000});
  Client other(parse_url(server.socket_url()));
  std::thread waiter([&] {
    EXPECT_EQ(kind_of_failure([&] { client.wait({"BRPOP", "q", "0"}, 600'000); }), ErrorKind::unavailable);
  });
  while (other.ask({"INFO", "clients"}).text.find("blocked_clients:1") == std::string::npos)
    std::this_thread::yield();
  server.kill();
  waiter.join();
}

TEST(RedisOutage, GivesUpOnAStalledServerAndNeverReadsALateAnswer) {
  RedisServer server;
  Client client(parse_url(server.url()), hasty);
  client.ask({"MSET", "a", "1", "b", "2"});
  server.pause();
  EXPECT_EQ(kind_of_failure([&] { client.ask({"GET", "a"}); }), ErrorKind::unavailable);
  EXPECT_EQ(kind_of_failure([&] { client.ask({"INCR", "n"}); }), ErrorKind::unavailable);
  server.resume();
  EXPECT_EQ(ask_until_it_works(client, {"GET", "b"}).text, "2");
  // What was lost on the way was not sent again.
  auto calls = ask_until_it_works(client, {"INFO", "commandstats"}).text;
  EXPECT_EQ(calls.find("cmdstat_incr:calls=2"), std::string::npos);
  EXPECT_LE(ask_until_it_works(client, {"INCR", "n"}).integer, 2);
}

TEST(RedisOutage, OnlyOneCallerWaitsForAServerThatHangs) {
  std::atomic<bool> hangs = false;
  TestPeer peer([&](int, std::string_view) { return std::string(hangs ? "" : "+PONG\r\n"); });
  Client client(url_of(peer), {.connect_ms = 5'000, .answer_ms = 200});
  std::vector<std::thread> threads;  // that leave idle connections
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { client.ask({"PING"}); });
  for (auto& thread : threads) thread.join();
  hangs = true;
  int before = peer.messages();
  for (int i = 0; i < 30; ++i)
    EXPECT_EQ(kind_of_failure([&] { client.ask({"INCR", "n"}); }), ErrorKind::unavailable);
  EXPECT_LE(peer.messages(), before + 3) << "the others were refused at once";
  hangs = false;
  EXPECT_EQ(ask_until_it_works(client, {"PING"}).text, "PONG");
}

TEST(RedisOutage, ASlowAnswerCostsTheOthersNothingForLong) {
  std::atomic<int> messages = 0;
  TestPeer peer([&](int, std::string_view) { return std::string(messages++ == 0 ? "" : "+PONG\r\n"); });
  Client client(url_of(peer), hasty);
  EXPECT_EQ(kind_of_failure([&] { client.ask({"INCR", "n"}); }), ErrorKind::unavailable);
  EXPECT_EQ(ask_until_it_works(client, {"PING"}).text, "PONG");
}

// So that a program may end soon, however patient it is otherwise.
TEST(RedisOutage, CallsEndWhenTheProgramIsToEnd) {
  RedisServer server;
  Client client(parse_url(server.url()), {.connect_ms = 600'000, .answer_ms = 600'000});
  client.ask({"PING"});
  Client other(parse_url(server.socket_url()));
  other.ask({"CLIENT", "PAUSE", "600000"});
  client.end_by(steady_ms() + 50);
  EXPECT_EQ(kind_of_failure([&] { client.ask({"GET", "k"}); }), ErrorKind::unavailable);
  EXPECT_EQ(kind_of_failure([&] { client.ask({"GET", "k"}); }), ErrorKind::unavailable);
  EXPECT_EQ(kind_of_failure([&] { client.wait({"BRPOP", "q", "0"}, 600'000); }), ErrorKind::unavailable);
  EXPECT_EQ(kind_of_failure([&] { client.run(Script("return 1"), {}, {}); }), ErrorKind::unavailable);
}

TEST(RedisOutage, ManyThreadsSurviveRestarts) {
  RedisServer server({.append_only = true});
  Client client(parse_url(server.url()), {.connect_ms = 5'000, .answer_ms = 5'000}, 4);
  std::atomic<bool> stopping = false;
  std::atomic<int> acknowledged = 0, attempted = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      while (!stopping) try {
          ++attempted;
          client.ask({"INCR", "n"});
          ++acknowledged;
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::unavailable) << error.what();
          std::this_thread::yield();
        }
    });
  for (int i = 0; i < 3; ++i) {
    for (int seen = acknowledged; acknowledged < seen + 50;) std::this_thread::yield();
    server.restart();
  }
  for (int seen = acknowledged; acknowledged < seen + 50;) std::this_thread::yield();
  stopping = true;
  for (auto& thread : threads) thread.join();
  auto count = std::stoi(ask_until_it_works(client, {"GET", "n"}).text);
  EXPECT_GE(count, acknowledged);
  EXPECT_LE(count, attempted);
}

TEST(RedisOutage, IsUnavailableWithoutMemory) {
  RedisServer server({.arguments = {"--maxmemory", "1mb", "--maxmemory-policy", "noeviction"}});
  Client client(parse_url(server.url()));
  client.ask({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_EQ(kind_of_failure([&] { client.ask({"SET", "k", "v"}); }), ErrorKind::unavailable);
  std::vector<Command> commands = {{"SET", "k", "v"}};
  EXPECT_EQ(kind_of_failure([&] { client.transact(commands); }), ErrorKind::unavailable);
  EXPECT_EQ(kind_of_failure([&] { client.run(Script("return redis.call('SET', 'k', 'v')"), {}, {}); }),
            ErrorKind::unavailable);
  client.ask({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_EQ(client.ask({"SET", "k", "v"}).text, "OK");
}

TEST(RedisOutage, FindsWhyAScriptFailedInWhatRedis6SaysOfIt) {
  std::string inner;
  TestPeer peer([&](int, std::string_view) {
    return "-ERR Error running script (call to f_4a): @user_script:1: @user_script: 1: " + inner + "\r\n";
  });
  Client client(url_of(peer));
  inner = "-OOM command not allowed when used memory > 'maxmemory'.";
  EXPECT_EQ(kind_of_failure([&] { client.run(Script("x"), {}, {}); }), ErrorKind::unavailable);
  for (std::string other :
       {"-WRONGTYPE Operation against a key", "attempt to index a nil value", "-OOM", ": -"}) {
    inner = other;
    EXPECT_EQ(kind_of_failure([&] { client.run(Script("x"), {}, {}); }),
              other == "-OOM" ? ErrorKind::unavailable : ErrorKind::internal)
        << other;
  }
}

TEST(RedisOutage, IsUnavailableOnAReplica) {
  RedisServer server;
  Client client(parse_url(server.url()));
  client.ask({"REPLICAOF", "127.0.0.1", "1"});
  auto id = client.ask({"CLIENT", "ID"}).integer;
  EXPECT_EQ(kind_of_failure([&] { client.ask({"SET", "k", "v"}); }), ErrorKind::unavailable);
  // The name may lead to the new master by now: connected anew.
  EXPECT_NE(client.ask({"CLIENT", "ID"}).integer, id);
  client.ask({"CONFIG", "SET", "replica-serve-stale-data", "no"});
  EXPECT_EQ(kind_of_failure([&] { client.ask({"GET", "k"}); }), ErrorKind::unavailable);
  client.ask({"REPLICAOF", "NO", "ONE"});
  EXPECT_EQ(client.ask({"SET", "k", "v"}).text, "OK");
}

TEST(RedisOutage, IsUnavailableWhileLoading) {
  RedisServer server(
      {.arguments = {"--loading-process-events-interval-bytes", "1024", "--key-load-delay", "100"},
       .append_only = true});
  Client client(parse_url(server.url()));
  client.ask({"EVAL", "for i = 1, 3000 do redis.call('SET', i, i) end", "0"});
  client.ask({"BGREWRITEAOF"});
  while (client.ask({"INFO", "persistence"}).text.find("aof_rewrite_in_progress:0") == std::string::npos)
    std::this_thread::yield();
  server.kill();
  server.start(true);
  bool was_loading = false;
  for (bool done = false; !done;) try {
      done = client.ask({"GET", "1"}).text == "1";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable);
      was_loading |= std::string_view(error.what()).find("LOADING") != std::string_view::npos;
    }
  EXPECT_TRUE(was_loading);
}

TEST(RedisOutage, IsUnavailableWhileAScriptRuns) {
  RedisServer server({.arguments = {"--busy-reply-threshold", "10"}});
  Client client(parse_url(server.url()));
  std::thread runner([&] {
    EXPECT_EQ(kind_of_failure([&] {
                client.wait({"EVAL", "while true do end", "0"}, 600'000);
              }),
              ErrorKind::internal);
  });
  Client other(parse_url(server.url()));
  ErrorKind kind = ErrorKind::internal;
  for (bool refused = false; !refused;) try {
      other.ask({"GET", "k"});
    } catch (const Error& error) {
      kind = error.kind();
      refused = true;
    }
  EXPECT_EQ(kind, ErrorKind::unavailable);
  std::vector<Command> commands = {{"SET", "k", "v"}};
  EXPECT_EQ(kind_of_failure([&] { other.transact(commands); }), ErrorKind::unavailable);
  other.ask({"SCRIPT", "KILL"});
  runner.join();
  EXPECT_TRUE(other.ask({"GET", "k"}).is_nil());
}

TEST(RedisOutage, IsUnavailableWhenTheServerIsFull) {
  RedisServer server;
  Client client(parse_url(server.url()));
  client.ask({"CONFIG", "SET", "maxclients", "1"});
  EXPECT_EQ(kind_of_failure([&] { Client(parse_url(server.url())).ask({"PING"}); }), ErrorKind::unavailable);
  EXPECT_EQ(client.ask({"PING"}).text, "PONG");
}

TEST(RedisOutage, BacksOffFromAServerThatRefuses) {
  TestPeer peer([](int, std::string_view) { return "-WRONGPASS no\r\n"; }, true);
  auto url = url_of(peer);
  url.password = "pw";
  Client client(url);
  for (int i = 0; i < 1'000; ++i)
    EXPECT_EQ(kind_of_failure([&] { client.ask({"PING"}); }), ErrorKind::unavailable);
  EXPECT_LT(peer.connections(), 500);
}

TEST(RedisOutage, DoesNotRepeatAPasswordThatTheServerRepeats) {
  TestPeer peer([](int, std::string_view) { return "-ERR unknown command AUTH, with args: 'hunter2'\r\n"; });
  auto url = url_of(peer);
  url.password = "hunter2";
  try {
    Client(url).ask({"PING"});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "Redis did not take the user or the password.");
  }
}

TEST(RedisOutage, ClosesAConnectionThatSpeaksNonsense) {
  TestPeer peer([](int connection, std::string_view) {
    return connection == 0   ? "HTTP/1.1 400 Bad Request\r\n\r\n"
           : connection == 1 ? "+PONG\r\n+MORE\r\n"
                             : "+FINE\r\n";
  });
  Client client(url_of(peer));
  EXPECT_EQ(kind_of_failure([&] { client.ask({"PING"}); }), ErrorKind::internal);
  // What nobody asked for must not answer the next question.
  EXPECT_EQ(client.ask({"PING"}).text, "PONG");
  EXPECT_EQ(client.ask({"PING"}).text, "FINE");
  EXPECT_EQ(peer.connections(), 3);
}

TEST(RedisOutage, AsksAConnectionThatWasIdleWhetherItLives) {
  TestPeer peer([](int connection, std::string_view bytes) -> std::string {
    if (bytes.find("PING") == bytes.npos) return ":" + std::to_string(connection) + "\r\n";
    return connection == 0 ? "" : "+PONG\r\n";
  });
  Client client(url_of(peer), {.connect_ms = 5'000, .answer_ms = 100, .trusted_idle_ms = 0});
  EXPECT_EQ(client.ask({"INCR", "n"}).integer, 0);
  // Its first connection has become a hole meanwhile: the command is sent once, on another one.
  EXPECT_EQ(client.ask({"INCR", "n"}).integer, 1);
  EXPECT_EQ(client.ask({"INCR", "n"}).integer, 1);
  EXPECT_EQ(peer.messages(), 5);
}

TEST(RedisOutage, FailsOnceForAnAnswerThatBreaksOff) {
  TestPeer peer([](int, std::string_view) { return "$10\r\nhalf"; }, true);
  Client client(url_of(peer));
  EXPECT_EQ(kind_of_failure([&] { client.ask({"INCR", "n"}); }), ErrorKind::unavailable);
  EXPECT_EQ(peer.messages(), 1);
}

TEST(RedisOutage, GivesUpOnAnAnswerWithoutEnd) {
  TestPeer endless([](int, std::string_view) { return "*16777216\r\n"; }, false, ":1\r\n");
  Client client(url_of(endless), hasty);
  EXPECT_EQ(kind_of_failure([&] { client.ask({"GET", "k"}); }), ErrorKind::unavailable);
  TestPeer silent([](int, std::string_view) { return ""; });
  Client waiting(url_of(silent), hasty);
  EXPECT_EQ(kind_of_failure([&] { waiting.ask({"GET", "k"}); }), ErrorKind::unavailable);
}

TEST(RedisOutage, GivesUpOnAnAddressThatTakesNoConnection) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 0), 0);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  // With its queue full, the kernel leaves the next one without an answer.
  std::vector<int> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    connect(fillers.back(), reinterpret_cast<sockaddr*>(&address), size);
  }
  Client client(parse_url("redis://127.0.0.1:" + std::to_string(ntohs(address.sin_port))),
                {.connect_ms = 100, .answer_ms = 600'000});
  EXPECT_EQ(kind_of_failure([&] { client.ask({"PING"}); }), ErrorKind::unavailable);
  for (int filler : fillers) close(filler);
  close(listener);
}

}  // namespace
}  // namespace segments::redis

#include "redis/client.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/error.h"
#include "redis/test_server.h"

namespace segments::redis {
namespace {

class RedisClient : public testing::Test {
 protected:
  static void SetUpTestSuite() { server = std::make_unique<RedisServer>(); }
  static void TearDownTestSuite() { server.reset(); }
  void SetUp() override { client.ask({"FLUSHALL"}); }

  template <class Call>
  static std::pair<ErrorKind, std::string> failure(Call call) {
    try {
      call();
    } catch (const Error& error) {
      return {error.kind(), error.what()};
    }
    throw std::runtime_error("nothing failed");
  }

  static std::unique_ptr<RedisServer> server;
  Client client{parse_url(server->url())};
};
std::unique_ptr<RedisServer> RedisClient::server;

TEST_F(RedisClient, AsksAndReads) {
  EXPECT_EQ(client.ask({"SET", "k", std::string_view("a\0\r\n", 4)}).text, "OK");
  EXPECT_EQ(client.ask({"GET", "k"}).text, std::string("a\0\r\n", 4));
  EXPECT_TRUE(client.ask({"GET", "absent"}).is_nil());
  EXPECT_EQ(client.ask({"INCRBY", "n", "41"}).integer, 41);
  auto list = client.ask({"EVAL", "return {1, 'a', {false, {}}, redis.status_reply('fine')}", "0"});
  ASSERT_EQ(list.items.size(), 4u);
  EXPECT_TRUE(list.items[2].items.at(0).is_nil());
  EXPECT_EQ(list.items[3].text, "fine");
}

TEST_F(RedisClient, CarriesLargeValues) {
  std::string big(20 << 20, 'x');
  big[12345] = '\r';
  client.ask({"SET", "big", big});
  EXPECT_TRUE(client.ask({"GET", "big"}).text == big);
  EXPECT_EQ(client.ask({"PING"}).text, "PONG");
}

TEST_F(RedisClient, ThrowsErrorRepliesAndKeepsTheConnection) {
  client.ask({"SET", "k", "v"});
  auto id = client.ask({"CLIENT", "ID"}).integer;
  auto [kind, what] = failure([&] { client.ask({"LPUSH", "k", "v"}); });
  EXPECT_EQ(kind, ErrorKind::internal);
  EXPECT_EQ(what, "Redis refused LPUSH: WRONGTYPE Operation against a key holding the wrong kind of value");
  EXPECT_EQ(client.ask({"CLIENT", "ID"}).integer, id);
}

TEST_F(RedisClient, AnswersAPipelineInItsOrder) {
  std::vector<Command> commands;
  for (int i = 0; i < 20'000; ++i) commands.push_back(Command("ECHO").add(i));
  auto replies = client.ask_all(commands);
  ASSERT_EQ(replies.size(), commands.size());
  for (int i = 0; i < 20'000; ++i) ASSERT_EQ(replies[static_cast<std::size_t>(i)].text, std::to_string(i));
  EXPECT_TRUE(client.ask_all({}).empty());
}

TEST_F(RedisClient, PipelinesMoreThanTheSocketsHold) {
  // 64 MiB each way: who only sends until all is sent would fill every buffer between the two.
  const std::string big(1 << 20, 'y');
  std::vector<Command> commands(64, Command{"ECHO", big});
  auto replies = client.ask_all(commands);
  EXPECT_TRUE(std::ranges::all_of(replies, [&](const Reply& reply) { return reply.text == big; }));
}

TEST_F(RedisClient, ReadsAWholePipelineBeforeItThrows) {
  std::vector<Command> commands = {{"SET", "k", "v"}, {"INCR", "k"}, {"SET", "after", "1"}};
  EXPECT_EQ(failure([&] { client.ask_all(commands); }).first, ErrorKind::internal);
  EXPECT_EQ(client.ask({"GET", "after"}).text, "1");
}

TEST_F(RedisClient, TransactsWholeOrNotAtAll) {
  std::vector<Command> commands = {{"SET", "k", "v"}, {"INCR", "n"}};
  auto replies = client.transact(commands);
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[0].text, "OK");
  EXPECT_EQ(replies[1].integer, 1);
  EXPECT_TRUE(client.transact({}).empty());

  std::vector<Command> broken = {{"INCR", "n"}, {"NOSUCHCOMMAND"}, {"INCR", "n"}};
  auto [kind, what] = failure([&] { client.transact(broken); });
  EXPECT_EQ(kind, ErrorKind::internal);
  EXPECT_TRUE(what.starts_with("Redis refused NOSUCHCOMMAND: ERR unknown command")) << what;
  EXPECT_EQ(client.ask({"GET", "n"}).text, "1");

  std::vector<Command> failing = {{"INCR", "k"}, {"INCR", "n"}};
  EXPECT_EQ(failure([&] { client.transact(failing); }).first, ErrorKind::internal);
  EXPECT_EQ(client.ask({"GET", "n"}).text, "2");
}

TEST_F(RedisClient, DoesNothingWhereTransactionsAreForbidden) {
  client.ask({"ACL", "SETUSER", "plain", "on", ">pw", "~*", "+@all", "-multi"});
  auto url = parse_url(server->url());
  url.user = "plain";
  url.password = "pw";
  Client plain(url);
  std::vector<Command> commands = {{"SET", "k", "v"}};
  EXPECT_EQ(failure([&] { plain.transact(commands); }).first, ErrorKind::internal);
  EXPECT_TRUE(client.ask({"GET", "k"}).is_nil());
}

TEST_F(RedisClient, TransactionsOfManyThreadsDoNotMix) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      std::vector<Command> commands = {{"INCR", "n"}, {"INCR", "n"}};
      for (int i = 0; i < 50; ++i) {
        auto replies = client.transact(commands);
        EXPECT_EQ(replies.at(0).integer + 1, replies.at(1).integer);
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(client.ask({"GET", "n"}).text, "800");
}

TEST_F(RedisClient, RunsScriptsByTheirDigest) {
  const Script script("return {KEYS[1], ARGV[1], redis.call('INCR', 'runs')}");
  std::vector<std::string> keys = {"key"}, arguments = {std::string("a\0b", 3)};
  for (int run = 1; run <= 3; ++run) {
    // Flushed in the middle: sent in full again, and run once.
    if (run == 3) client.ask({"SCRIPT", "FLUSH"});
    auto reply = client.run(script, keys, arguments);
    EXPECT_EQ(reply.items.at(0).text, "key");
    EXPECT_EQ(reply.items.at(1).text, arguments[0]);
    EXPECT_EQ(reply.items.at(2).integer, run);
  }
  auto calls = client.ask({"INFO", "commandstats"}).text;
  EXPECT_NE(calls.find("cmdstat_evalsha:calls=3,"), std::string::npos) << calls;
  auto [kind, what] = failure([&] { client.run(Script("return redis.error_reply('MINE no')"), {}, {}); });
  EXPECT_EQ(kind, ErrorKind::internal);
  EXPECT_TRUE(what.starts_with("Redis refused EVAL: MINE no")) << what;
}

TEST_F(RedisClient, WaitsLongerThanAnAnswerMayTake) {
  Client hasty(parse_url(server->url()), {.connect_ms = 5'000, .answer_ms = 100});
  EXPECT_TRUE(hasty.wait({"BLMOVE", "q", "q", "RIGHT", "RIGHT", "0.3"}, 10'000).is_nil());
  std::thread pusher([&] {
    while (client.ask({"INFO", "clients"}).text.find("blocked_clients:1") == std::string::npos)
      std::this_thread::yield();
    client.ask({"LPUSH", "q", "x"});
  });
  EXPECT_EQ(hasty.wait({"BRPOP", "q", "60"}, 60'000).items.at(1).text, "x");
  pusher.join();
}

TEST_F(RedisClient, ChoosesTheDatabase) {
  Client other(parse_url(server->url(9)));
  other.ask({"SET", "k", "nine"});
  EXPECT_TRUE(client.ask({"GET", "k"}).is_nil());
  EXPECT_EQ(other.ask({"GET", "k"}).text, "nine");
  auto [kind, what] = failure([&] { Client(parse_url(server->url(16))).ask({"PING"}); });
  EXPECT_EQ(kind, ErrorKind::unavailable);
  EXPECT_EQ(what, "Redis did not take the database: ERR DB index is out of range.");
}

TEST_F(RedisClient, TellsUserAndPassword) {
  client.ask({"ACL", "SETUSER", "ann", "on", ">pa:s/s@", "~ann:*", "+@all", "-flushall"});
  auto url = server->url().substr(8);
  Client ann(parse_url("redis://ann:pa%3As%2Fs%40@" + url));
  EXPECT_EQ(ann.ask({"ACL", "WHOAMI"}).text, "ann");
  EXPECT_EQ(failure([&] { ann.ask({"GET", "other"}); }).first, ErrorKind::internal);
  EXPECT_EQ(failure([&] { ann.ask({"FLUSHALL"}); }).first, ErrorKind::internal);
  for (std::string user : {"ann:wrong", "nobody:pa%3As%2Fs%40", ":wrong"}) {
    Client refused(parse_url("redis://" + user + "@" + url));
    auto [kind, what] = failure([&] { refused.ask({"PING"}); });
    EXPECT_EQ(kind, ErrorKind::unavailable) << user;
    EXPECT_EQ(what.find("wrong"), std::string::npos) << what;
    EXPECT_TRUE(what.starts_with("Redis did not take the user or the password: ")) << what;
  }
  // A user who goes takes the connections along; the next one is told so.
  client.ask({"ACL", "DELUSER", "ann"});
  EXPECT_EQ(failure([&] { ann.ask({"PING"}); }).first, ErrorKind::unavailable);
}

TEST_F(RedisClient, NeedsThePasswordOfTheServer) {
  RedisServer guarded({.arguments = {"--requirepass", "pw"}});
  auto tail = guarded.url().substr(8);
  EXPECT_EQ(Client(parse_url("redis://:pw@" + tail)).ask({"PING"}).text, "PONG");
  EXPECT_EQ(Client(parse_url("redis://default:pw@" + tail)).ask({"PING"}).text, "PONG");
  EXPECT_EQ(failure([&] { Client(parse_url("redis://:no@" + tail)).ask({"PING"}); }).first,
            ErrorKind::unavailable);
  EXPECT_EQ(failure([&] { Client(parse_url("redis://" + tail)).ask({"PING"}); }).first,
            ErrorKind::unavailable);
}

TEST_F(RedisClient, SpeaksOverASocketFile) {
  Client local(parse_url(server->socket_url()));
  EXPECT_EQ(local.ask({"SET", "k", "v"}).text, "OK");
  EXPECT_EQ(client.ask({"GET", "k"}).text, "v");
  EXPECT_EQ(failure([] { Client(parse_url("unix:///nonexistent/socket")).ask({"PING"}); }).first,
            ErrorKind::unavailable);
}

TEST_F(RedisClient, FindsNames) {
  auto url = parse_url(server->url());
  url.host = "localhost";
  EXPECT_EQ(Client(url).ask({"PING"}).text, "PONG");
  url.host = "no such host";
  EXPECT_EQ(failure([&] { Client(url).ask({"PING"}); }).first, ErrorKind::unavailable);
}

TEST_F(RedisClient, KeepsToItsConnectionsWithManyThreads) {
  Client pooled(parse_url(server->url(3)), {}, 4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 32; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 40; ++i) {
        auto word = std::to_string(t) + ":" + std::to_string(i);
        EXPECT_EQ(pooled.ask({"ECHO", word}).text, word);
        pooled.ask({"INCR", "n"});
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(pooled.ask({"GET", "n"}).text, "1280");
  auto list = client.ask({"CLIENT", "LIST"}).text;
  std::size_t count = 0;
  for (std::size_t at = 0; (at = list.find(" db=3 ", at)) != list.npos; ++at) ++count;
  EXPECT_GE(count, 1u);
  EXPECT_LE(count, 4u);
}

TEST_F(RedisClient, SaysWhenAllConnectionsAreInUse) {
  Client single(parse_url(server->url()), {.connect_ms = 5'000, .answer_ms = 100}, 1);
  std::thread waiter([&] { EXPECT_EQ(single.wait({"BRPOP", "q", "60"}, 60'000).items.at(1).text, "x"); });
  while (client.ask({"INFO", "clients"}).text.find("blocked_clients:1") == std::string::npos)
    std::this_thread::yield();
  auto [kind, what] = failure([&] { single.ask({"PING"}); });
  EXPECT_EQ(kind, ErrorKind::unavailable);
  EXPECT_NE(what.find("in use"), std::string::npos) << what;
  client.ask({"LPUSH", "q", "x"});
  waiter.join();
  EXPECT_EQ(single.ask({"PING"}).text, "PONG");
}

TEST_F(RedisClient, LeavesNoDescriptorToOtherPrograms) {
  client.ask({"PING"});
  int sockets = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    if (!std::filesystem::read_symlink(entry, ignored).string().starts_with("socket:")) continue;
    ++sockets;
    EXPECT_TRUE(fcntl(std::stoi(entry.path().filename()), F_GETFD) & FD_CLOEXEC) << entry.path();
  }
  EXPECT_GE(sockets, 1);
}

}  // namespace
}  // namespace segments::redis

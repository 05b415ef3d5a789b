#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "base/error.h"
#include "redis/client.h"
#include "redis/subscriber.h"
#include "redis/test_peer.h"
#include "redis/test_server.h"

namespace segments::redis {
namespace {

class RedisTls : public testing::Test {
 protected:
  static void SetUpTestSuite() { server = std::make_unique<RedisServer>(RedisServerOptions{.tls = true}); }
  static void TearDownTestSuite() { server.reset(); }

  // What is said where the connection is refused; empty where it works.
  static std::string fault(const Url& url, Timeouts timeouts = {}) {
    try {
      Client client(url, timeouts);
      EXPECT_EQ(client.ask({"PING"}).text, "PONG");
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable);
      return error.what();
    }
  }

  static std::unique_ptr<RedisServer> server;
};
std::unique_ptr<RedisServer> RedisTls::server;

TEST_F(RedisTls, VerifiesTheServer) {
  EXPECT_EQ(fault(parse_url(server->tls_url("localhost"))), "");
  EXPECT_EQ(fault(parse_url(server->tls_url("127.0.0.1"))), "");
}

TEST_F(RedisTls, RefusesACertificateOfAnotherAuthority) {
  auto url = parse_url(server->tls_url());
  url.ca_file = server->file("other-ca.crt");
  EXPECT_TRUE(fault(url).starts_with("Redis has a certificate that is not trusted")) << fault(url);
  url.ca_file = "";  // the system's, which know nothing of it
  EXPECT_TRUE(fault(url).starts_with("Redis has a certificate that is not trusted")) << fault(url);
  url.verify = false;
  EXPECT_EQ(fault(url), "");
}

TEST_F(RedisTls, RefusesACertificateOfAnotherName) {
  auto url = parse_url(server->tls_url("127.0.0.2"));
  Client plain(parse_url(server->url()));
  plain.ask({"CONFIG", "SET", "bind", "127.0.0.1 127.0.0.2"});
  EXPECT_NE(fault(url).find("mismatch"), std::string::npos) << fault(url);
  url.verify = false;
  EXPECT_EQ(fault(url), "");
}

TEST_F(RedisTls, SaysThatAFileCannotBeRead) {
  auto url = parse_url(server->tls_url());
  url.ca_file = "/nonexistent";
  EXPECT_NE(fault(url).find("trusted certificates cannot be read"), std::string::npos) << fault(url);
  url = parse_url(server->tls_url());
  url.cert_file = "/nonexistent";
  EXPECT_NE(fault(url).find("our certificate"), std::string::npos) << fault(url);
}

TEST_F(RedisTls, ShowsItsCertificateWhereItIsAskedFor) {
  RedisServer strict({.arguments = {"--tls-auth-clients", "yes"}, .tls = true});
  auto url = parse_url(strict.tls_url());
  EXPECT_NE(fault(url), "");
  url.cert_file = strict.file("server.crt");
  url.key_file = strict.file("server.key");
  EXPECT_EQ(fault(url), "");
}

TEST_F(RedisTls, RefusesServersThatDoNotSpeakIt) {
  auto url = parse_url(server->tls_url());
  url.port = server->port();
  // It waits for the end of what it takes for a very long line.
  EXPECT_NE(fault(url, {.connect_ms = 200, .answer_ms = 5'000}), "");
  // And plain text to a TLS port is no Redis.
  url = parse_url(server->tls_url());
  url.tls = false;
  EXPECT_NE(fault(url), "");
}

TEST_F(RedisTls, GivesUpOnAHandshakeThatStalls) {
  TestPeer silent([](int, std::string_view) { return ""; });
  auto url = parse_url(server->tls_url());
  url.port = silent.port();
  url.host = "127.0.0.1";
  Client client(url, {.connect_ms = 100, .answer_ms = 600'000});
  EXPECT_THROW(client.ask({"PING"}), Error);
}

TEST_F(RedisTls, CarriesLargeBatchesBothWays) {
  Client client(parse_url(server->tls_url()));
  const std::string big(1 << 20, 'z');
  std::vector<Command> commands(24, Command{"ECHO", big});
  auto replies = client.ask_all(commands);
  for (const auto& reply : replies) ASSERT_TRUE(reply.text == big);
}

TEST_F(RedisTls, KeepsAndChecksPooledConnections) {
  Client client(parse_url(server->tls_url())), killer(parse_url(server->url()));
  auto id = client.ask({"CLIENT", "ID"}).integer;
  // The server's session tickets are no unasked reply: the connection is the same.
  for (int i = 0; i < 5; ++i) EXPECT_EQ(client.ask({"CLIENT", "ID"}).integer, id);
  for (int i = 1; i <= 20; ++i) {
    killer.ask({"CLIENT", "KILL", "ID", std::to_string(client.ask({"CLIENT", "ID"}).integer)});
    EXPECT_EQ(client.ask({"INCR", "n"}).integer, i);
  }
}

TEST_F(RedisTls, ManyThreadsShareIt) {
  Client client(parse_url(server->tls_url()), {}, 3);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 40; ++i)
        EXPECT_EQ(client.ask({"ECHO", std::to_string(t * i)}).text, std::to_string(t * i));
    });
  for (auto& thread : threads) thread.join();
}

TEST_F(RedisTls, SurvivesAServerThatIsGoneWithoutASignal) {
  // A write to a closed connection raises SIGPIPE, unless it is told not to; by default that is death.
  signal(SIGPIPE, SIG_DFL);
  RedisServer mortal({.tls = true});
  Client client(parse_url(mortal.tls_url()));
  const std::string big(32 << 20, 'x');
  client.ask({"PING"});
  std::thread killer([&] { mortal.kill(); });
  for (bool gone = false; !gone;) try {
      client.ask({"SET", "big", big});
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable);
      gone = true;
    }
  killer.join();
}

}  // namespace
}  // namespace segments::redis

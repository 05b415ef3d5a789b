// The client over TLS.
#include <gtest/gtest.h>

#include "aws/http_client.h"
#include "net/test_tls_peer.h"

namespace segments::aws {
namespace {

using Kind = HttpOutcome::Kind;

HttpOutcome ask(HttpClient& client, const net::TestTlsPeer& peer, const char* host = "localhost") {
  return client.send({"S3", true, host, peer.port()}, HttpRequest{}, steady_ms() + 20'000);
}

TEST(Https, KeepsAConnection) {
  net::TestTlsPeer peer({.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"});
  HttpClient client(HttpClient::Options{.ca_file = peer.ca_file()});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask(client, peer).response.body, "ok");
  EXPECT_EQ(peer.asked_names(), (std::vector<std::string>{"localhost"}));
  EXPECT_EQ(peer.requests().size(), 5u);
}

TEST(Https, SendsNothingToWhomItDoesNotTrust) {
  net::TestTlsPeer unknown({}), other({.names = "DNS:other.example"});
  HttpClient by_system;
  EXPECT_EQ(ask(by_system, unknown).kind, Kind::not_sent);
  HttpClient by_file(HttpClient::Options{.ca_file = other.ca_file()});
  auto outcome = ask(by_file, other);
  EXPECT_EQ(outcome.kind, Kind::not_sent);
  EXPECT_TRUE(outcome.failure.starts_with("S3 has a certificate that is not trusted")) << outcome.failure;
  EXPECT_TRUE(unknown.requests().empty());
  EXPECT_TRUE(other.requests().empty());
}

TEST(Https, SeesThatAnAnswerWasCut) {
  net::TestTlsPeer peer({.answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", .cuts = true});
  HttpClient client(HttpClient::Options{.ca_file = peer.ca_file()});
  EXPECT_EQ(ask(client, peer).kind, Kind::maybe_sent);
  EXPECT_EQ(peer.requests().size(), 1u);
}

}  // namespace
}  // namespace segments::aws

#include "aws/http_client.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "aws/test_http_server.h"
#include "base/error.h"

namespace segments::aws {
namespace {

using Kind = HttpOutcome::Kind;
using Then = TestHttpServer::Then;
using Answer = TestHttpServer::Answer;
using Received = TestHttpServer::Received;

HttpRequest post(std::string body, bool is_repeatable = false) {
  HttpRequest out;
  out.method = "POST";
  out.body = memory_body(std::move(body));
  out.is_repeatable = is_repeatable;
  return out;
}

HttpRequest get(std::string target = "/") {
  HttpRequest out;
  out.target = std::move(target);
  out.is_repeatable = true;
  return out;
}

// What a client makes of one answer.
HttpOutcome outcome_of(Answer answer, const HttpRequest& request = get(), HttpClient::Options options = {}) {
  TestHttpServer server([&](const Received&) { return answer; });
  HttpClient client(options);
  auto outcome = client.send(server.origin(), request, soon());
  EXPECT_EQ(server.arrived(), 1);
  return outcome;
}

TEST(HttpClient, SendsARequestAsItIsGiven) {
  TestHttpServer server([](const Received&) { return Answer{http_answer(201, "made", {{"X-Id", " 7 "}})}; });
  HttpClient client;
  auto request = post("body \0 bytes");
  request.target = "/a%20b?c=d";
  request.headers = {{"x-amz-target", "DynamoDB_20120810.PutItem"}, {"x-twice", "1"}, {"x-twice", "2"}};
  auto outcome = client.send(server.origin(), request, soon());
  ASSERT_EQ(outcome.kind, Kind::answered) << outcome.failure;
  EXPECT_EQ(outcome.response.status, 201);
  EXPECT_EQ(outcome.response.body, "made");
  EXPECT_EQ(find_header(outcome.response.headers, "x-id"), "7");
  auto received = server.received().at(0);
  EXPECT_EQ(received.method, "POST");
  EXPECT_EQ(received.target, "/a%20b?c=d");
  EXPECT_EQ(received.body, "body \0 bytes");
  EXPECT_EQ(received.header("host"), "127.0.0.1:" + std::to_string(server.port()));
  EXPECT_EQ(received.headers.size(), 5u);  // nothing was added but host and content-length
}

TEST(HttpClient, TellsAnEmptyBodyOfAPutAndNoneOfAGet) {
  TestHttpServer server([](const Received&) { return Answer{http_answer(200, "")}; });
  HttpClient client;
  auto put = get();
  put.method = "PUT";
  client.send(server.origin(), put, soon());
  client.send(server.origin(), get(), soon());
  EXPECT_EQ(server.received().at(0).header("content-length"), "0");
  EXPECT_EQ(server.received().at(1).header("content-length"), "");
}

TEST(HttpClient, RefusesAHeaderThatWouldBeTwo) {
  TestHttpServer server([](const Received&) { return Answer{http_answer(200, "")}; });
  HttpClient client;
  auto request = get();
  request.headers = {{"x-name", "a\r\nx-other: b"}};
  EXPECT_THROW(client.send(server.origin(), request, soon()), Error);
  EXPECT_EQ(server.arrived(), 0);
}

TEST(HttpClient, ReadsEveryKindOfAnswer) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  struct Sample {
    std::string bytes, body;
    int status = 200;
  };
  const Sample samples[] = {
      {http_answer(200, "x"), "x"},
      {http_answer(404, "none"), "none", 404},
      {"HTTP/1.1 204 No Content\r\n\r\n", "", 204},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "", 304},
      {chunked + "3\r\nabc\r\n1;ext=1\r\nd\r\n0\r\n\r\n", "abcd"},
      {chunked + "0\r\nX-Trailer: 1\r\n\r\n", ""},
      {"HTTP/1.1 100 Continue\r\n\r\n" + http_answer(200, "later"), "later"},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nA: b\r\n\r\n" + http_answer(200, "l"), "l"},
      {"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", "ok"},
      {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"},
  };
  for (const auto& sample : samples)
    for (bool drips : {false, true}) {
      auto outcome = outcome_of({sample.bytes, Then::keep, drips});
      EXPECT_EQ(outcome.kind, Kind::answered) << sample.bytes << outcome.failure;
      EXPECT_EQ(outcome.response.status, sample.status);
      EXPECT_EQ(outcome.response.body, sample.body);
    }
}

TEST(HttpClient, ReadsNoBodyOfAHead) {
  TestHttpServer server([](const Received& request) {
    return request.method == "HEAD" ? Answer{"HTTP/1.1 200 OK\r\nContent-Length: 123\r\n\r\n"}
                                    : Answer{http_answer(200, "after")};
  });
  HttpClient client;
  auto head = get();
  head.method = "HEAD";
  auto outcome = client.send(server.origin(), head, soon());
  EXPECT_EQ(find_header(outcome.response.headers, "content-length"), "123");
  EXPECT_EQ(outcome.response.body, "");
  EXPECT_EQ(client.send(server.origin(), get(), soon()).response.body, "after");
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, RefusesWhatIsNoWholeAnswer) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";
  const std::string samples[] = {
      "",                                                                    // closed without a byte
      "HTTP/1.1 200 OK\r\nContent-Le",                                       // cut in the head
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123456789",              // cut in the body
      "HTTP/1.1 200 OK\r\n\r\nno length",                                    // ends with the connection
      "HTTP/1.0 200 OK\r\n\r\nno length",                                    //
      chunked + "\r\n5\r\nabc",                                              // cut in a chunk
      chunked + "\r\n3\r\nabc\r\n",                                          // no last chunk
      chunked + "\r\n3\r\nabc\r\n0\r\n",                                     // no end of the trailers
      chunked + "\r\nzz\r\nabc\r\n0\r\n\r\n",                                // no number
      chunked + "\r\n3\r\nabcd\r\n0\r\n\r\n",                                // longer than it says
      chunked + "Content-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",            // two ways
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",                  //
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",  // two lengths
      "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nx",                    //
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",                      //
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",              //
      "HTTP/1.1 100 Continue\r\n\r\n",                                       // and no more
      "HTTP/2 200\r\n\r\n",                                                  //
      "SSH-2.0-OpenSSH_9.2\r\n",                                             //
      std::string("\x16\x03\x01\x02\x00\x01\x00", 7),                        // TLS
      "HTTP/1.1 200 OK\r\nA\r\nContent-Length: 0\r\n\r\n",                   // a line without colon
      "HTTP/1.1 020 OK\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 20x OK\r\nContent-Length: 0\r\n\r\n",
  };
  for (const auto& sample : samples)
    for (auto then : {Then::close, Then::reset}) {
      auto outcome = outcome_of({sample, then});
      EXPECT_EQ(outcome.kind, Kind::maybe_sent) << sample;
      EXPECT_FALSE(outcome.is_timeout) << sample;
      EXPECT_TRUE(outcome.failure.starts_with("The test server ")) << outcome.failure;
      EXPECT_EQ(outcome.failure.find("127.0.0.1"), std::string::npos);
    }
}

TEST(HttpClient, BoundsWhatItReads) {
  std::string endless = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 10'000; ++i) endless += "X-" + std::to_string(i) + ": padding padding\r\n";
  EXPECT_EQ(outcome_of({endless, Then::hold}).kind, Kind::maybe_sent);
  EXPECT_EQ(outcome_of({"HTTP/1.1 200 " + std::string(200'000, 'x'), Then::hold}).kind, Kind::maybe_sent);
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(outcome_of({chunked + "1;" + std::string(200'000, 'x'), Then::hold}).kind, Kind::maybe_sent);
  EXPECT_EQ(outcome_of({chunked + std::string(200'000, '0'), Then::hold}).kind, Kind::maybe_sent);
  std::string interim;
  for (int i = 0; i < 1'000; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
  EXPECT_EQ(outcome_of({interim, Then::hold}).kind, Kind::maybe_sent);
  HttpClient::Options small;
  small.limits.body_bytes = 1'000;
  EXPECT_EQ(outcome_of({http_answer(200, std::string(1'000, 'x'))}, get(), small).kind, Kind::answered);
  auto outcome = outcome_of({http_answer(200, std::string(1'001, 'x')), Then::hold}, get(), small);
  EXPECT_EQ(outcome.failure, "The test server sent an answer that is too long.");
}

TEST(HttpClient, EndsAtItsDeadline) {
  HttpClient::Options patient;
  patient.stall_ms = 60'000;
  for (bool drips : {false, true})
    for (const auto& bytes : {std::string(), std::string("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")}) {
      TestHttpServer server([&](const Received&) { return Answer{bytes, Then::hold, drips}; });
      HttpClient client(patient);
      auto outcome = client.send(server.origin(), post("x"), steady_ms() + 50);
      EXPECT_EQ(outcome.kind, Kind::maybe_sent);
      EXPECT_TRUE(outcome.is_timeout);
      EXPECT_EQ(outcome.failure, "The test server did not answer in time.");
    }
}

TEST(HttpClient, GivesUpOnSilence) {
  HttpClient::Options hasty;
  hasty.stall_ms = 30;
  auto outcome = outcome_of({"HTTP/1.1 200 OK\r\n", Then::hold}, get(), hasty);
  EXPECT_EQ(outcome.kind, Kind::maybe_sent);
  EXPECT_TRUE(outcome.is_timeout);
}

TEST(HttpClient, SaysThatNothingWasSent) {
  HttpClient client;
  auto refused = client.send({"Nobody", false, "127.0.0.1", 1}, post("x"), soon());
  EXPECT_EQ(refused.kind, Kind::not_sent);
  EXPECT_FALSE(refused.is_timeout);
  EXPECT_TRUE(refused.failure.starts_with("Nobody cannot be reached")) << refused.failure;
  auto unknown = client.send({"Nobody", false, "no-such-host.invalid", 80}, post("x"), soon());
  EXPECT_EQ(unknown.kind, Kind::not_sent);
  // A listener whose queue is full takes no connection; a TLS handshake with one that is silent has no end.
  HttpClient::Options hasty;
  hasty.connect_ms = 50;
  TestHttpServer silent([](const Received&) { return Answer{"", Then::hold}; });
  auto origin = silent.origin();
  origin.tls = true;
  auto stalled = HttpClient(hasty).send(origin, post("x"), soon());
  EXPECT_EQ(stalled.kind, Kind::not_sent);
  EXPECT_TRUE(stalled.is_timeout);
}

TEST(HttpClient, TakesTheAnswerOfAServerThatDoesNotReadOn) {
  // 403 is said at once, then the connection is closed upon a body that nobody reads.
  TestHttpServer server([](const Received&) { return Answer{http_answer(403, "no"), Then::hold}; }, false);
  HttpClient client;
  auto outcome = client.send(server.origin(), post(std::string(64 << 20, 'x')), soon());
  ASSERT_EQ(outcome.kind, Kind::answered) << outcome.failure;
  EXPECT_EQ(outcome.response.status, 403);
  // The connection still owes the body: it is not used again.
  client.send(server.origin(), get(), soon());
  EXPECT_EQ(server.connections(), 2);
}

TEST(HttpClient, PassesOnWhatBodyAndSinkThrow) {
  TestHttpServer server([](const Received&) { return Answer{http_answer(200, "body")}; });
  HttpClient client;
  auto request = get();
  request.sink = [](std::string_view) { throw Error(ErrorKind::unavailable, "The disk is full."); };
  EXPECT_THROW(client.send(server.origin(), request, soon()), Error);
  auto sending = post("");
  sending.body = {200'000, [](std::uint64_t offset, std::span<char>) {
                    if (offset > 0) throw Error(ErrorKind::unavailable, "The file is gone.");
                  }};
  EXPECT_THROW(client.send(server.origin(), sending, soon()), Error);
  // Neither connection is in order; the next request gets another.
  EXPECT_EQ(client.send(server.origin(), get(), soon()).response.body, "body");
  EXPECT_EQ(server.connections(), 3);
}

TEST(HttpClient, GivesTheSinkOnlyWhatWasAskedFor) {
  for (int status : {200, 206, 403, 500}) {
    std::string sunk;
    auto request = get();
    request.sink = [&](std::string_view bytes) { sunk += bytes; };
    auto outcome = outcome_of({http_answer(status, "0123456789")}, request);
    EXPECT_EQ(sunk, status < 300 ? "0123456789" : "") << status;
    EXPECT_EQ(outcome.response.body, status < 300 ? "" : "0123456789") << status;
    EXPECT_EQ(outcome.delivered, sunk.size());
  }
  // And nothing of an answer that is refused by its head.
  std::string sunk;
  auto request = get();
  request.sink = [&](std::string_view bytes) { sunk += bytes; };
  EXPECT_EQ(outcome_of({"HTTP/1.1 200 OK\r\n\r\nno length", Then::close}, request).kind, Kind::maybe_sent);
  EXPECT_EQ(sunk, "");
}

TEST(HttpClient, TellsTheHeadBeforeTheBody) {
  for (int status : {200, 206, 404}) {
    std::string told;
    auto request = get();
    request.head_sink = [&](const HttpResponse& head) {
      told +=
          std::to_string(head.status) + std::string(find_header(head.headers, "etag").value_or("?")) + ' ';
    };
    request.sink = [&](std::string_view bytes) { told += bytes; };
    outcome_of({http_answer(100, "") + http_answer(status, "body", {{"ETag", "e"}})}, request);
    EXPECT_EQ(told, status < 300 ? std::to_string(status) + "e body" : "");
  }
  auto request = get();
  std::string sunk;
  request.head_sink = [](const HttpResponse&) { throw Error(ErrorKind::conflict, "Another version."); };
  request.sink = [&](std::string_view bytes) { sunk += bytes; };
  TestHttpServer server([](const Received&) { return Answer{http_answer(200, "body")}; });
  EXPECT_THROW(HttpClient().send(server.origin(), request, soon()), Error);
  EXPECT_EQ(sunk, "");
}

TEST(HttpClient, TellsHowMuchOfACutAnswerTheSinkGot) {
  std::string sunk;
  auto request = get();
  request.sink = [&](std::string_view bytes) { sunk += bytes; };
  auto outcome = outcome_of({"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", Then::close}, request);
  EXPECT_EQ(outcome.kind, Kind::maybe_sent);
  EXPECT_EQ(sunk, "12345");
  EXPECT_EQ(outcome.delivered, 5u);
}

long peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(HttpClient, CarriesBodiesOfAnySizeInConstantMemory) {
  constexpr std::uint64_t size = 256ull << 20;
  constexpr std::uint64_t offset = 3;
  int file = memfd_create("sent", MFD_CLOEXEC);
  ASSERT_EQ(ftruncate(file, static_cast<off_t>(offset + size + 5)), 0);
  // A server of its own, since the scripted one keeps what it gets.
  std::atomic<std::uint64_t> arrived = 0;
  int pair = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(bind(pair, reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(pair, 1), 0);
  ASSERT_EQ(getsockname(pair, reinterpret_cast<sockaddr*>(&address), &length), 0);
  std::thread server([&] {
    int connection = accept(pair, nullptr, nullptr);
    std::vector<char> piece(256 << 10);
    std::string head;
    while (head.find("\r\n\r\n") == std::string::npos) {
      auto count = recv(connection, piece.data(), piece.size(), 0);
      head.append(piece.data(), static_cast<std::size_t>(count));
    }
    arrived = head.size() - head.find("\r\n\r\n") - 4;
    while (arrived < size)
      arrived += static_cast<std::uint64_t>(recv(connection, piece.data(), piece.size(), 0));
    auto begin = "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(size) + "\r\n\r\n";
    send(connection, begin.data(), begin.size(), 0);
    for (std::uint64_t sent = 0; sent < size; sent += piece.size())
      for (std::size_t at = 0; at < piece.size();)
        at += static_cast<std::size_t>(send(connection, piece.data() + at, piece.size() - at, MSG_NOSIGNAL));
    close(connection);
  });
  std::uint64_t sunk = 0;
  HttpRequest request;
  request.method = "PUT";
  request.body = file_body(file, offset, size);
  request.sink = [&](std::string_view bytes) { sunk += bytes.size(); };
  auto before = peak_kib();
  auto outcome =
      HttpClient().send({"Big", false, "127.0.0.1", ntohs(address.sin_port)}, request, steady_ms() + 60'000);
  server.join();
  close(pair);
  close(file);
  EXPECT_EQ(outcome.kind, Kind::answered) << outcome.failure;
  EXPECT_EQ(arrived, size);
  EXPECT_EQ(sunk, size);
#ifndef SEGMENTS_SANITIZED
  EXPECT_LT(peak_kib() - before, 16 << 10);  // what it carried each way is 16 times that
#else
  (void)before;
#endif
}

TEST(Body, OfAFileStartsAnywhereAndCanBeReadAgain) {
  int file = memfd_create("sent", MFD_CLOEXEC);
  ASSERT_EQ(write(file, "0123456789", 10), 10);
  auto body = file_body(file, 2, 6);
  for (int i = 0; i < 2; ++i) {
    char bytes[3];
    body.read(1, bytes);
    EXPECT_EQ(std::string_view(bytes, 3), "345");
  }
  EXPECT_EQ(hex_sha256(body), hex_sha256(memory_body("234567")));
  ASSERT_EQ(ftruncate(file, 4), 0);
  EXPECT_THROW(hex_sha256(body), Error);
  close(file);
}

}  // namespace
}  // namespace segments::aws

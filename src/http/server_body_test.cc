// Uploads and files over real sockets.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <latch>
#include <numeric>

#include "http/range.h"
#include "http/test_client.h"

namespace segments {
namespace {

using test::Client;
using test::eventually;
using test::get;
using test::route;
using test::TestServer;

// What the sinks of one test have seen.
struct Seen {
  std::atomic<int> alive{0}, finished{0}, begun{0};
  std::atomic<std::size_t> bytes{0}, largest_piece{0};
  std::atomic<std::size_t> limit{SIZE_MAX};
  std::latch* gate = nullptr;  // the first write waits for it
};

struct Sink : BodySink {
  explicit Sink(Seen& s) : seen(s) { ++seen.alive; }
  ~Sink() override { --seen.alive; }
  void write(std::string_view piece) override {
    if (seen.gate) seen.gate->wait();
    seen.bytes += piece.size();
    if (piece.size() > seen.largest_piece) seen.largest_piece = piece.size();
    if (seen.bytes > seen.limit) throw Error(ErrorKind::too_large, "Larger than announced.");
    for (char c : piece) sum = sum * 31 + static_cast<unsigned char>(c);
  }
  Response finish() override {
    ++seen.finished;
    return json_response(std::to_string(sum), 201);
  }
  Seen& seen;
  std::uint64_t sum = 0;
};

std::vector<RouteHandler> upload_routes(Seen& seen) {
  return {route("GET", "/hello", [](const Request&) { return json_response("hello"); }),
          {"PUT", "/media/{key...}", Runs::on_pool, true, nullptr,
           [&seen](const Request& request) -> std::unique_ptr<BodySink> {
             ++seen.begun;
             if (request.path_parameter("key") == "no")
               throw Error(ErrorKind::forbidden, "The signature is wrong.");
             if (request.path_parameter("key") == "known" && !request.content_length)
               throw Error(ErrorKind::invalid, "The length must be announced.");
             return std::make_unique<Sink>(seen);
           }}};
}

std::string put_head(std::string_view key, std::size_t length, std::string_view headers = "") {
  return "PUT /media/" + std::string(key) +
         " HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(length) + "\r\n" + std::string(headers) +
         "\r\n";
}

std::string sum_of(std::string_view bytes) {
  std::uint64_t sum = 0;
  for (char c : bytes) sum = sum * 31 + static_cast<unsigned char>(c);
  return std::to_string(sum);
}

std::string pattern_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  return bytes;
}

TEST(Upload, StreamsInPieces) {
  Seen seen;
  TestServer server(upload_routes(seen));
  auto body = pattern_bytes(8 * 1024 * 1024 + 17);
  auto client = server.client();
  auto answer = client.ask(put_head("a/b.mp4", body.size()) + body);
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.body, sum_of(body));
  EXPECT_EQ(seen.bytes, body.size());
  EXPECT_LE(seen.largest_piece, 256u * 1024);
  EXPECT_EQ(seen.alive, 0);
  EXPECT_EQ(client.ask(get("/hello")).status, 200);
  EXPECT_EQ(client.ask(put_head("empty", 0)).body, "0");
  EXPECT_EQ(client.ask("PUT /media/none HTTP/1.1\r\nHost: t\r\n\r\n").body, "0");
  EXPECT_EQ(client.ask(put_head("one", 1) + "x" + get("/hello")).body, sum_of("x"));
  EXPECT_EQ(client.read_answer().body, "hello");
}

// However the bytes come: within the head's packet, in drips that no thread waits for, in a flood; and what
// follows them is the next request.
TEST(Upload, TakesExactlyItsOwnBytes) {
  Seen seen;
  TestServer server(upload_routes(seen));
  auto body = pattern_bytes(3 * 1024 * 1024 + 5);
  for (std::size_t first : {0u, 1u, 3'000u, 300'000u}) {
    auto client = server.client();
    auto stream =
        put_head("a", body.size()) + body + get("/hello") + put_head("b", 3) + "xyz" + get("/hello");
    std::size_t at = stream.find("\r\n\r\n") + 4 + first;
    client.send(stream.substr(0, at));
    auto seen_before = seen.bytes.load();
    for (std::size_t size = 1, sends = 1; at < stream.size();
         at += size, size = size * 5 % 700'001 + 1, ++sends) {
      client.send(stream.substr(at, size));
      // Now and then the server has taken all there is, and waits on its loop.
      if (sends % 4 == 0) {
        auto least = seen_before + std::min(at, body.size());
        EXPECT_TRUE(eventually([&] { return seen.bytes + 512 * 1024 > least; }));
      }
    }
    EXPECT_EQ(client.read_answer().body, sum_of(body));
    EXPECT_EQ(client.read_answer().body, "hello");
    EXPECT_EQ(client.read_answer().body, sum_of("xyz"));
    EXPECT_EQ(client.read_answer().body, "hello");
  }
  EXPECT_LE(seen.largest_piece, 256u * 1024);
}

TEST(Upload, Chunked) {
  Seen seen;
  TestServer server(upload_routes(seen));
  auto client = server.client();
  auto body = pattern_bytes(1'000'000);
  std::string request = "PUT /media/a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0, size = 1; at < body.size(); at += size, size = size * 3 % 70'001 + 1) {
    auto piece = body.substr(at, size);
    char line[32];
    snprintf(line, sizeof line, "%zx\r\n", piece.size());
    request += line + piece + "\r\n";
  }
  EXPECT_EQ(client.ask(request + "0\r\n\r\n").body, sum_of(body));
  EXPECT_LE(seen.largest_piece, 256u * 1024);
  auto refused =
      client.ask("PUT /media/known HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  EXPECT_EQ(refused.status, 422);
}

TEST(Upload, ChunkedAndEmptyInTheSmallestPieces) {
  Seen seen;
  TestServer server(upload_routes(seen));
  for (int i = 0; i < 20; ++i) {
    auto client = server.client();
    client.send("PUT /media/a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
    // Apart, so that the server sees "0\r\n" alone and then "0\r\n\r".
    for (const char* piece : {"0\r\n", "\r", "\n"}) {
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
      client.send(piece);
    }
    EXPECT_EQ(client.read_answer().status, 201);
  }
}

TEST(Upload, RefusedBeforeTheBodyIsRead) {
  Seen seen;
  TestServer server(upload_routes(seen));
  auto asking = server.client();
  auto answer = asking.ask(put_head("no", 1 << 30, "Expect: 100-continue\r\n"));
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(answer.header("Connection"), "close");
  // Who sends at once sees the answer too, though nobody reads the body.
  auto sending = server.client();
  sending.send(put_head("no", 12 << 20));
  sending.send(pattern_bytes(12 << 20));
  EXPECT_EQ(sending.read_answer().status, 403);
  EXPECT_EQ(seen.bytes, 0u);
  auto accepted = server.client();
  accepted.send(put_head("yes", 5, "Expect: 100-continue\r\n"));
  EXPECT_EQ(accepted.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(accepted.ask("hello").status, 201);
}

TEST(Upload, CutHalfWayStoresNothing) {
  Seen seen;
  TestServer server(upload_routes(seen));
  auto body = pattern_bytes(3'000'000);
  std::vector<Client> clients;
  for (int i = 0; i < 10; ++i) {
    auto& client = clients.emplace_back(server.client());
    client.send(put_head("cut", body.size()));
    client.send(std::string_view(body).substr(0, 300'000u * static_cast<unsigned>(i)));
  }
  EXPECT_TRUE(eventually([&] { return seen.alive == 10; }));
  clients.clear();
  EXPECT_TRUE(eventually([&] { return seen.alive == 0 && server.connections() == 0; }));
  EXPECT_EQ(seen.finished, 0);
  auto half = server.client();
  half.send(put_head("cut", 10) + "12345");
  half.end_sending();
  EXPECT_EQ(half.read_answer().status, 400);
  EXPECT_EQ(seen.finished, 0);
}

TEST(Upload, SinkThatThrowsEndsIt) {
  Seen seen;
  seen.limit = 500'000;
  TestServer server(upload_routes(seen));
  auto request = put_head("large", 4 << 20) + pattern_bytes(4 << 20);
  auto client = server.client();
  client.send(request);
  auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_EQ(seen.finished, 0);
  EXPECT_TRUE(eventually([&] { return seen.alive == 0; }));
}

TEST(Upload, SlowSinkHoldsTheClientBack) {
  Seen seen;
  std::latch gate(1);
  seen.gate = &gate;
  TestServer server(upload_routes(seen));
  auto body = pattern_bytes(32 << 20);
  auto client = server.client();  // last: the server waits for a head no longer than header_seconds
  std::atomic<std::size_t> sent{0};
  std::thread sender([&] {
    bool taken = client.send(put_head("slow", body.size()));
    for (std::size_t at = 0; taken && at < body.size(); at += 65536) {
      taken = client.send(std::string_view(body).substr(at, 65536));
      if (taken) sent = at + 65536;
    }
  });
  // What has been sent stops growing: the kernel's buffers are full and the server reads no more.
  std::size_t before = 1;
  EXPECT_TRUE(eventually([&] {
    auto now = sent.load();
    bool still = now == before && now > 0;
    before = now;
    if (!still) usleep(200'000);
    return still;
  }));
  EXPECT_LT(sent, body.size());
  gate.count_down();
  EXPECT_EQ(client.read_answer().body, sum_of(body));
  sender.join();
}

TEST(Upload, SlowClientIsDropped) {
  Seen seen;
  ServerOptions options;
  options.body_seconds = 1;
  TestServer server(upload_routes(seen), options);
  auto client = server.client();
  EXPECT_EQ(client.ask(put_head("slow", 10) + "12345").status, 408);
  EXPECT_TRUE(eventually([&] { return seen.alive == 0; }));
  EXPECT_EQ(seen.finished, 0);
}

TEST(Upload, GracefulStopFinishesIt) {
  Seen seen;
  TestServer server(upload_routes(seen));
  auto client = server.client();
  client.send(put_head("a", 6) + "abc");
  EXPECT_TRUE(eventually([&] { return seen.begun == 1; }));
  std::thread stopping([&] { server.server.stop(); });
  EXPECT_TRUE(eventually([&] {
    try {
      server.client();
      return false;
    } catch (const std::runtime_error&) {
      return true;
    }
  }));
  EXPECT_EQ(client.ask("def").body, sum_of("abcdef"));
  stopping.join();
}

class FileTest : public testing::Test {
 protected:
  static constexpr std::int64_t size = 50 * 1024 * 1024;

  FileTest() {
    int descriptor = memfd_create("file", MFD_CLOEXEC);
    for (std::size_t at = 0; at < bytes.size();)
      at += static_cast<std::size_t>(write(descriptor, bytes.data() + at, bytes.size() - at));
    file = std::make_shared<FileHandle>(descriptor);
  }
  std::vector<RouteHandler> routes() {
    return {route("GET", "/hello", [](const Request&) { return json_response("hello"); }),
            route("GET", "/file",
                  [this](const Request& request) {
                    auto range = parse_range(request.header("range"), size);
                    Response response;
                    response.file = FileRange{file, 0, size};
                    if (range.kind == ByteRange::Kind::satisfiable) {
                      response.status = 206;
                      response.file = FileRange{file, range.offset, range.length};
                      response.set("Content-Range", content_range(range, size));
                    }
                    return response;
                  }),
            route("GET", "/short", [this](const Request&) {
              Response response;
              response.file = FileRange{file, size - 10, 1000};
              return response;
            })};
  }
  static const std::string& made() {
    static const std::string once = pattern_bytes(size);
    return once;
  }
  const std::string& bytes = made();
  std::shared_ptr<FileHandle> file;
};

TEST_F(FileTest, WholeRangeAndHead) {
  TestServer server(routes());
  auto client = server.client();
  auto whole = client.ask(get("/file"));
  EXPECT_EQ(whole.status, 200);
  EXPECT_TRUE(whole.body == bytes);
  auto part = client.ask(get("/file", "Range: bytes=1000-1999\r\n"));
  EXPECT_EQ(part.status, 206);
  EXPECT_TRUE(part.body == bytes.substr(1000, 1000));
  EXPECT_EQ(part.header("Content-Range"), "bytes 1000-1999/" + std::to_string(size));
  client.send("HEAD /file HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(client.read_answer(false).header("Content-Length"), std::to_string(size));
  EXPECT_EQ(client.ask(get("/hello")).body, "hello");
}

TEST_F(FileTest, SlowReaderGetsItAllAndBlocksNobody) {
  ServerOptions options;
  options.io_threads = 1;
  TestServer server(routes(), options);
  Client slow(server.server.port(), 16 * 1024);
  slow.send(get("/file"));
  EXPECT_EQ(slow.read_until("\r\n\r\n").substr(9, 3), "200");
  auto quick = server.client();
  std::string got;
  while (got.size() < bytes.size()) {
    auto piece = slow.read_bytes(std::min<std::size_t>(1024 * 1024, bytes.size() - got.size()));
    ASSERT_FALSE(piece.empty());
    got += piece;
    ASSERT_EQ(quick.ask(get("/hello")).body, "hello");
  }
  EXPECT_TRUE(got == bytes);
}

TEST_F(FileTest, ReaderThatStopsIsDroppedAndOneThatLeavesHarmsNobody) {
  ServerOptions options;
  options.idle_seconds = 1;
  TestServer server(routes(), options);
  Client stalled(server.server.port(), 16 * 1024);
  stalled.send(get("/file"));
  {
    auto leaving = server.client();
    leaving.send(get("/file"));
    leaving.read_bytes(1000);
  }
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
  EXPECT_LT(stalled.read_to_end().size(), bytes.size());
}

TEST_F(FileTest, FileThatHasBecomeShorterEndsTheConnection) {
  TestServer server(routes());
  auto client = server.client();
  client.send(get("/short"));
  client.read_until("\r\n\r\n");
  EXPECT_EQ(client.read_to_end().size(), 10u);
}

}  // namespace
}  // namespace segments

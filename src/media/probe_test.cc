#include "media/probe.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

#include "base/error.h"
#include "media/range_reader.h"
#include "media/test_media.h"
#include "net/test_tls_peer.h"

namespace segments {
namespace {

namespace fs = std::filesystem;

// Serves one file by ranges, one connection at a time, and counts.
class RangeServer {
 public:
  enum class Manner { kept, closing, forgetful, without_ranges, silent, missing };

  explicit RangeServer(std::string file, Manner manner = Manner::kept)
      : file_(std::move(file)), manner_(manner) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    bind(listener_, reinterpret_cast<sockaddr*>(&address), length);
    listen(listener_, 8);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/video.mp4?signature=a%2Fb";
    thread_ = std::jthread([this](std::stop_token stop) { serve(stop); });
  }
  ~RangeServer() {
    thread_.request_stop();
    thread_.join();
    close(listener_);
  }
  const std::string& url() const { return url_; }
  int requests() const { return requests_; }
  std::int64_t sent() const { return sent_; }

 private:
  static bool is_ready(int fd, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd waiting{fd, POLLIN, 0};
      if (poll(&waiting, 1, 20) > 0) return true;
    }
    return false;
  }

  void serve(const std::stop_token& stop) {
    while (is_ready(listener_, stop)) {
      int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      while (answer(connection, stop)) {
      }
      close(connection);
    }
  }

  bool answer(int connection, const std::stop_token& stop) {
    std::string request;
    while (request.find("\r\n\r\n") == std::string::npos) {
      char buffer[4096];
      if (!is_ready(connection, stop)) return false;
      ssize_t count = recv(connection, buffer, sizeof buffer, 0);
      if (count <= 0) return false;
      request.append(buffer, static_cast<std::size_t>(count));
    }
    EXPECT_TRUE(request.starts_with("GET /video.mp4?signature=a%2Fb HTTP/1.1\r\n"));
    ++requests_;
    if (manner_ == Manner::silent) {
      is_ready(connection, stop);
      return false;
    }
    auto size = static_cast<std::int64_t>(fs::file_size(file_));
    std::int64_t first = 0, last = 0;
    auto range = request.find("Range: bytes=");
    if (range == std::string::npos ||
        std::sscanf(request.c_str() + range + 13, "%ld-%ld", &first, &last) != 2)
      return false;
    last = std::min(last, size - 1);
    std::string head = "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes " + std::to_string(first) + "-" +
                       std::to_string(last) + "/" + std::to_string(size) + "\r\n";
    if (manner_ == Manner::without_ranges) head = "HTTP/1.1 200 OK\r\n";
    if (manner_ == Manner::missing) head = "HTTP/1.1 404 Not Found\r\n";
    if (manner_ == Manner::closing) head += "Connection: close\r\n";
    std::string body(static_cast<std::size_t>(std::max<std::int64_t>(0, last - first + 1)), '\0');
    std::ifstream in(file_, std::ios::binary);
    in.seekg(first);
    in.read(body.data(), static_cast<std::streamsize>(body.size()));
    std::string all = head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    for (std::size_t done = 0; done < all.size();) {
      ssize_t count = send(connection, all.data() + done, all.size() - done, MSG_NOSIGNAL);
      if (count <= 0) return false;
      done += static_cast<std::size_t>(count);
    }
    sent_ += static_cast<std::int64_t>(body.size());
    return manner_ != Manner::closing && manner_ != Manner::forgetful;
  }

  std::string file_, url_;
  Manner manner_;
  int listener_;
  std::atomic<int> requests_{0};
  std::atomic<std::int64_t> sent_{0};
  std::jthread thread_;
};

#define SHORT                                                                                            \
  "-f lavfi -i testsrc=s=192x108:r=25:d=3 -f lavfi -i sine=d=3 -c:v libx264 -preset ultrafast -pix_fmt " \
  "yuv420p -c:a aac "

// Puts a gigabyte that is never written in front of the file's index.
void pad_media_data(const std::string& path) {
  std::string bytes(fs::file_size(path), '\0');
  std::ifstream(path, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  auto index = bytes.rfind("moov") - 4;
  std::string header =
      std::string("\0\0\0\1free", 8) + std::string("\0\0\0\0\x40\0\0\0", 8);  // 64-bit size: 1 GiB
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << bytes.substr(0, index) << header;
  out.seekp(static_cast<std::streamoff>(index + (1 << 30)));
  out << bytes.substr(index);
}

TEST(ProbeTest, tells_what_is_in_the_real_videos) {
  auto phone = probe_media(real_video("dog_phone_1080p.mp4"));
  EXPECT_TRUE(phone.has_video && phone.has_audio);
  EXPECT_EQ(phone.video_codec, "h264");
  EXPECT_EQ(phone.audio_codec, "aac");
  EXPECT_EQ(phone.width, 1920);
  EXPECT_NEAR(phone.duration, 1.517, 0.002);
  EXPECT_NEAR(phone.container_duration, 1.6, 0.001);
  EXPECT_NEAR(phone.frame_rate, 27.02, 0.05);
  EXPECT_GT(phone.bit_rate, 10'000'000);
  auto webm = probe_media(real_video("rocket_vp8_vorbis.webm"));
  EXPECT_EQ(webm.video_codec, "vp8");
  EXPECT_EQ(webm.audio_codec, "vorbis");
  EXPECT_NEAR(webm.duration, 8.087, 0.001);
  auto mov = probe_media(real_video("desk_motion.mov"));
  EXPECT_EQ(mov.container, "mov,mp4,m4a,3gp,3g2,mj2");
  EXPECT_NEAR(mov.duration, 8.04, 0.01);
  EXPECT_NEAR(probe_media(real_video("wannaworktogether_180s.mp4")).duration, 180.2469, 0.001);
}

TEST(ProbeTest, sound_alone_is_no_video) {
  TestFolder folder;
  auto cover = make_video(folder, "c.png", "-f lavfi -i color=s=64x64 -frames:v 1");
  auto song =
      make_video(folder, "a.mp3",
                 "-f lavfi -i sine=d=2 -i " + cover + " -map 0 -map 1 -c:v png -disposition:v attached_pic");
  auto info = probe_media(song);
  EXPECT_FALSE(info.has_video);
  EXPECT_EQ(info.audio_codec, "mp3");
  EXPECT_NEAR(info.duration, 2, 0.1);
  EXPECT_NEAR(probe_media(make_video(folder, "a.flac", "-f lavfi -i sine=d=2")).duration, 2, 0.01);
  EXPECT_NEAR(probe_media(make_video(folder, "a.wav", "-f lavfi -i sine=d=2")).duration, 2, 0.01);
}

TEST(ProbeTest, a_recording_without_a_duration_is_measured) {
  TestFolder folder;
  run_shell(
      "ffmpeg -nostdin -v error -f lavfi -i testsrc=s=64x64:r=25:d=3 -c:v libvpx -f webm -live 1 pipe:1 > " +
      folder.file("live.webm"));
  EXPECT_NEAR(probe_media(folder.file("live.webm")).duration, 3, 0.05);
}

TEST(ProbeTest, what_is_no_media_is_refused_with_one_sentence) {
  TestFolder folder;
  auto write = [&](const std::string& name, const std::string& bytes) {
    std::ofstream(folder.file(name), std::ios::binary) << bytes;
    return folder.file(name);
  };
  auto whole = make_video(folder, "whole.mp4", SHORT);
  std::string bytes(fs::file_size(whole), '\0');
  std::ifstream(whole, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  std::mt19937 random(3);
  std::string noise(200'000, '\0');
  for (char& byte : noise) byte = static_cast<char>(random());
  std::vector<std::string> files{
      write("empty.mp4", ""),
      write("zeros.mp4", std::string(100'000, '\0')),
      write("text.mp4", "root:x:0:0:root:/root:/bin/bash\n"),
      write("noise.mp4", noise),
      write("list.m3u8", "#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"),
      write("list.mp4", "#EXTM3U\n#EXTINF:1,\n" + whole + "\n#EXT-X-ENDLIST\n"),
      write("concat.mp4", "ffconcat version 1.0\nfile '" + whole + "'\n"),
      write("session.sdp", "v=0\nm=video 5000 RTP/AVP 96\na=rtpmap:96 H264/90000\n"),
      write("cut_off.mp4", bytes.substr(0, bytes.size() / 2)),
      make_video(folder, "picture.png", "-f lavfi -i color=s=64x64 -frames:v 1"),
      make_video(folder, "picture.jpg", "-f lavfi -i color=s=64x64 -frames:v 1"),
      make_video(folder, "moving.gif", "-f lavfi -i testsrc=s=64x64:d=1"),
      folder.path(),
      "/dev/zero",
  };
  for (const auto& file : files) {
    SCOPED_TRACE(file);
    try {
      probe_media(file);
      ADD_FAILURE() << "was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid);
      EXPECT_STREQ(error.what(), "The file is not a video that can be read.");
    }
  }
}

TEST(ProbeTest, a_location_is_a_path_or_an_http_url_and_nothing_else) {
  TestFolder folder;
  auto whole = make_video(folder, "whole.mp4", SHORT);
  for (const std::string& location :
       {"concat:" + whole, "file:" + whole, "subfile,,start,0,end,0,,:" + whole,
        std::string("data:video/mp4;base64,AAAA"), std::string("https://127.0.0.1:1/a.mp4"),
        std::string("no/such/file.mp4"), std::string("http://127.0.0.1:1/a.mp4"),
        std::string("http://user@127.0.0.1/a"), std::string("http:///a")}) {
    SCOPED_TRACE(location);
    try {
      probe_media(location);
      ADD_FAILURE() << "was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable);
      EXPECT_EQ(std::string(error.what()).find("127.0.0.1"), std::string::npos);
    }
  }
}

TEST(ProbeTest, a_gigabyte_over_http_costs_a_few_requests) {
  TestFolder folder;
  auto source = make_video(folder, "a.mp4", SHORT);
  pad_media_data(source);
  ASSERT_GT(fs::file_size(source), 1U << 30);
  for (auto manner :
       {RangeServer::Manner::kept, RangeServer::Manner::closing, RangeServer::Manner::forgetful}) {
    RangeServer server(source, manner);
    auto info = probe_media(server.url());
    EXPECT_NEAR(info.duration, 3, 0.01);
    EXPECT_EQ(info.width, 192);
    EXPECT_NEAR(info.frame_rate, 25, 0.01);
    EXPECT_LE(server.requests(), 5);
    EXPECT_LE(server.sent(), 2'000'000);
    RecordProperty("requests", server.requests());
    RecordProperty("bytes", std::to_string(server.sent()));
  }
}

// As long as a gigabyte of ordinary video is: its index alone is nearly two megabytes.
TEST(ProbeTest, a_gigabyte_with_a_long_index_costs_no_more) {
  TestFolder folder;
  auto piece = make_video(folder, "piece.mp4", SHORT);
  auto source = make_video(folder, "a.mp4", "-stream_loop 780 -i " + piece + " -c copy");
  auto index = fs::file_size(source);
  pad_media_data(source);
  ASSERT_GT(fs::file_size(source), 1U << 30);
  {
    std::ifstream file(source, std::ios::binary);
    file.seekg(-2'000'000, std::ios::end);
    std::string tail(2'000'000, '\0');
    file.read(tail.data(), 2'000'000);
    index = tail.size() - tail.rfind("moov");
  }
  EXPECT_GT(index, 1'500'000U) << "a gigabyte of ordinary video has so long a one";
  RangeServer server(source);
  auto info = probe_media(server.url());
  EXPECT_NEAR(info.duration, 2343, 60);
  EXPECT_EQ(info.width, 192);
  EXPECT_LE(server.requests(), 3);  // the beginning, what pads it, the index
  EXPECT_LE(server.sent(), 2'000'000);
}

TEST(ProbeTest, an_url_says_the_same_as_the_path) {
  for (const char* name :
       {"hello_speech_720p.mp4", "wannaworktogether_180s.mp4", "desk_motion.mov", "rocket_vp8_vorbis.webm"}) {
    SCOPED_TRACE(name);
    auto path = real_video(name);
    RangeServer server(path);
    auto far = probe_media(server.url()), near = probe_media(path);
    EXPECT_DOUBLE_EQ(far.duration, near.duration);
    EXPECT_DOUBLE_EQ(far.frame_rate, near.frame_rate);
    EXPECT_EQ(far.bit_rate, near.bit_rate);
    EXPECT_EQ(far.video_codec, near.video_codec);
    EXPECT_LE(server.requests(), 5);
    EXPECT_LE(server.sent(), 2'000'000);
  }
}

TEST(ProbeTest, a_source_that_cannot_be_read_is_unavailable) {
  TestFolder folder;
  auto source = make_video(folder, "a.mp4", SHORT);
  for (auto manner : {RangeServer::Manner::without_ranges, RangeServer::Manner::missing}) {
    RangeServer server(source, manner);
    try {
      probe_media(server.url());
      ADD_FAILURE() << "was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    }
  }
  std::ofstream(folder.file("empty"));
  RangeServer server(folder.file("empty"));
  EXPECT_THROW(probe_media(server.url()), Error);
}

TEST(RangeReaderTest, a_server_that_never_answers_is_given_up) {
  TestFolder folder;
  std::ofstream(folder.file("a")) << "x";
  RangeServer server(folder.file("a"), RangeServer::Manner::silent);
  RangeReader reader(server.url(), steady_ms() + 300);
  EXPECT_THROW(reader.size(), Error);
}

TEST(RangeReaderTest, an_https_url_is_read_from_a_server_whose_certificate_is_verified) {
  TestFolder folder;
  auto source =
      make_video(folder, "a.mp4", "-f lavfi -i testsrc=s=64x36:r=10:d=3 -c:v libx264 -pix_fmt yuv420p");
  std::ifstream file(source, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  ASSERT_LT(bytes.size(), 32'000u) << "one block, which is one answer";
  auto size = std::to_string(bytes.size());
  net::TestTlsPeer server({.answer = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-" +
                                     std::to_string(bytes.size() - 1) + "/" + size +
                                     "\r\nContent-Length: " + size + "\r\n\r\n" + bytes});
  auto url = "https://localhost:" + std::to_string(server.port()) + "/a.mp4?X-Amz-Signature=a%2Fb";
  EXPECT_THROW(probe_media(url), Error) << "an authority that nobody trusts";
  ::setenv("SSL_CERT_FILE", server.ca_file().c_str(), 1);
  auto info = probe_media(url);
  ::unsetenv("SSL_CERT_FILE");
  EXPECT_NEAR(info.duration, 3, 0.01);
  ASSERT_FALSE(server.requests().empty());
  EXPECT_TRUE(
      server.requests()[0].starts_with("GET /a.mp4?X-Amz-Signature=a%2Fb HTTP/1.1\r\nHost: localhost:"));
  EXPECT_EQ(server.asked_names().back(), "localhost");
}

TEST(RangeReaderTest, every_byte_is_the_files) {
  TestFolder folder;
  std::mt19937 random(5);
  std::string bytes(3'000'001, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  std::ofstream(folder.file("a"), std::ios::binary) << bytes;
  RangeServer server(folder.file("a"), RangeServer::Manner::forgetful);
  RangeReader reader(server.url(), steady_ms() + 60'000);
  ASSERT_EQ(reader.size(), 3'000'001);
  std::string read;
  char buffer[70'000];
  while (int count = reader.read_at(static_cast<std::int64_t>(read.size()), buffer, sizeof buffer))
    read.append(buffer, static_cast<std::size_t>(count));
  EXPECT_TRUE(read == bytes);
  for (int i = 0; i < 200; ++i) {
    auto at = static_cast<std::int64_t>(random() % bytes.size());
    int count = reader.read_at(at, buffer, 1000);
    ASSERT_GT(count, 0);
    EXPECT_EQ(std::string(buffer, static_cast<std::size_t>(count)),
              bytes.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(count)));
  }
  EXPECT_EQ(reader.read_at(3'000'001, buffer, 10), 0);
}

}  // namespace
}  // namespace segments

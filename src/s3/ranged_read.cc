#include "s3/ranged_read.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

namespace segments::s3 {

namespace {

constexpr int most_resumptions = 1'000;  // each after at least a byte
constexpr int most_versions = 10;

class RangedRead {
 public:
  RangedRead(Bucket& bucket, std::string_view key, std::int64_t offset, std::int64_t length)
      : bucket_(bucket), key_(key), offset_(offset), length_(length) {}

  std::string read() {
    for (int resumed = 0; resumed <= most_resumptions; ++resumed) {
      auto before = bytes_.size();
      try {
        while (!attempt())
          if (++versions_ > most_versions) throw failure("was replaced again and again while it was read");
        return std::move(bytes_);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::unavailable || bytes_.size() == before) throw;
        log_info("s3.read_resumed", {{"key", key_}, {"at", bytes_.size()}, {"detail", error.what()}});
      }
    }
    throw failure("broke too often while it was read");
  }

 private:
  static Error failure(const char* what) {
    return Error(ErrorKind::unavailable, std::string("An object in S3 ") + what + ".", {}, 1);
  }

  // False where there is another version now; it is read from its beginning.
  bool attempt() {
    auto call = bucket_.call("GetObject", "GET", key_, length_);
    auto have = static_cast<std::int64_t>(bytes_.size());
    call.headers.emplace_back(
        "range", "bytes=" + std::to_string(offset_ + have) + "-" + std::to_string(offset_ + length_ - 1));
    if (!etag_.empty()) call.headers.emplace_back("if-match", etag_);
    call.head_sink = [&](const aws::HttpResponse& head) { take_head(head); };
    call.sink = [&](std::string_view bytes) { take(bytes); };
    auto reply = bucket_.client().call(call);
    if (reply.is_done()) return true;
    if (reply.error_code == "NoSuchKey" || reply.error_code == "Http404") throw not_found("object", key_);
    if (reply.status == 416) return true;  // nothing there: it begins beyond the end
    if (reply.status != 412) throw bucket_.client().unexpected(call, reply);
    bytes_.clear();
    etag_.clear();
    return false;
  }

  void take_head(const aws::HttpResponse& head) {
    auto begin = "bytes " + std::to_string(offset_ + static_cast<std::int64_t>(bytes_.size())) + "-";
    auto range = aws::find_header(head.headers, "content-range").value_or("");
    if (head.status != 206 || !range.starts_with(begin))
      throw failure("came in another range than was asked for");
    etag_ = aws::find_header(head.headers, "etag").value_or("");
    auto size = parse_integer(aws::find_header(head.headers, "content-length").value_or(""));
    if (size && *size > 0 && *size <= length_)
      bytes_.reserve(bytes_.size() + static_cast<std::size_t>(*size));
  }

  void take(std::string_view bytes) {
    if (bytes_.size() + bytes.size() > static_cast<std::size_t>(length_))
      throw failure("came with more bytes than were asked for");
    bytes_ += bytes;
  }

  Bucket& bucket_;
  const std::string key_;
  const std::int64_t offset_, length_;
  std::string bytes_, etag_;  // so far, and of which version
  int versions_ = 0;
};

}  // namespace

std::string read_range(Bucket& bucket, std::string_view key, std::int64_t offset, std::int64_t length) {
  return RangedRead(bucket, key, offset, length).read();
}

}  // namespace segments::s3

#include "aws/body.h"

#include <libdeflate.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include "base/crypto.h"
#include "base/error.h"
#include "base/text.h"

namespace segments::aws {

namespace {

constexpr std::size_t digest_piece = 256 << 10;

void read_file(int descriptor, std::uint64_t offset, std::span<char> into) {
  while (!into.empty()) {
    auto count = ::pread(descriptor, into.data(), into.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      throw Error(ErrorKind::internal,
                  "A file that is sent cannot be read: " + std::system_category().message(errno) + ".");
    if (count == 0) throw Error(ErrorKind::internal, "A file has become shorter while it was sent.");
    offset += static_cast<std::uint64_t>(count);
    into = into.subspan(static_cast<std::size_t>(count));
  }
}

template <class Take>
void read_pieces(const Body& body, Take take) {
  if (body.whole) return take(*body.whole);
  std::vector<char> piece(static_cast<std::size_t>(std::min<std::uint64_t>(body.size, digest_piece)));
  for (std::uint64_t at = 0; at < body.size;) {
    auto count = static_cast<std::size_t>(std::min<std::uint64_t>(body.size - at, piece.size()));
    body.read(at, {piece.data(), count});
    take({piece.data(), count});
    at += count;
  }
}

}  // namespace

Body memory_body(std::string bytes) {
  auto kept = std::make_shared<const std::string>(std::move(bytes));
  return {kept->size(),
          [kept](std::uint64_t offset, std::span<char> into) {
            std::copy_n(kept->data() + offset, into.size(), into.data());
          },
          kept};
}

Body file_body(int descriptor, std::uint64_t offset, std::uint64_t size) {
  return {size, [descriptor, offset](std::uint64_t from, std::span<char> into) {
            read_file(descriptor, offset + from, into);
          }};
}

std::string hex_sha256(const Body& body) {
  Digest digest(Digest::Kind::sha256);
  read_pieces(body, [&](std::string_view piece) { digest.add(piece); });
  return encode_hex(digest.finish());
}

std::string base64_crc32(const Body& body) {
  std::uint32_t crc = 0;
  read_pieces(body, [&](std::string_view piece) { crc = libdeflate_crc32(crc, piece.data(), piece.size()); });
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(crc >> shift & 0xff);
  return encode_base64(bytes);
}

}  // namespace segments::aws

// A request's body, read piece by piece, and again for every attempt: never whole in memory unless it was
// already.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace segments::aws {

struct Body {
  std::uint64_t size = 0;
  // Fills `into` whole with the bytes from `offset` (offset + into.size() <= size), or throws. May be empty
  // where size is 0. Called by the thread that sends.
  std::function<void(std::uint64_t offset, std::span<char> into)> read = {};
  std::shared_ptr<const std::string> whole = {};  // where it is in memory
};

Body memory_body(std::string bytes);

// `size` bytes of an open file from `offset` on. The descriptor stays the caller's and must stay open; its
// position is neither used nor moved. Reading throws Error{internal} where the file has become shorter.
Body file_body(int descriptor, std::uint64_t offset, std::uint64_t size);

// SHA-256 in lower-case hex, read in pieces.
std::string hex_sha256(const Body&);
// CRC-32 (zlib's) in base64, as S3's headers have it; read in pieces.
std::string base64_crc32(const Body&);

}  // namespace segments::aws

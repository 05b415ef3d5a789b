// Digests of bodies, which are read piece by piece.
#include "aws/body.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/descriptor.h"
#include "base/text.h"

namespace segments::aws {
namespace {

std::string zlib_crc32(std::string_view text) {
  auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(text.data()), text.size());
  std::string bytes;
  for (int shift : {24, 16, 8, 0}) bytes += static_cast<char>(crc >> shift);
  return encode_base64(bytes);
}

TEST(Body, HasTheChecksumThatS3Documents) {
  EXPECT_EQ(base64_crc32(memory_body("123456789")), "y/Q5Jg==");
  EXPECT_EQ(base64_crc32(memory_body("")), "AAAAAA==");
  EXPECT_EQ(base64_crc32({}), "AAAAAA==");
}

TEST(Body, OfAFileHasTheDigestsOfItsBytes) {
  Descriptor file(memfd_create("body", MFD_CLOEXEC));
  std::string bytes(1'000'000, '\0');  // of several pieces, the last one shorter
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * i >> 5);
  ASSERT_EQ(write(file.number(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  for (std::size_t begin : {0, 1, 700'001}) {
    auto part = bytes.substr(begin);
    auto body = file_body(file.number(), begin, part.size());
    EXPECT_EQ(base64_crc32(body), zlib_crc32(part));
    EXPECT_EQ(base64_crc32(memory_body(part)), zlib_crc32(part));
    EXPECT_EQ(hex_sha256(body), hex_sha256(memory_body(part)));
  }
}

}  // namespace
}  // namespace segments::aws

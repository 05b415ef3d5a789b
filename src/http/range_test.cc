#include "http/range.h"

#include <gtest/gtest.h>

namespace segments {
namespace {

using Kind = ByteRange::Kind;

void expect_range(std::string_view header, std::int64_t size, std::int64_t offset, std::int64_t length) {
  auto range = parse_range(header, size);
  EXPECT_EQ(range.kind, Kind::satisfiable) << header;
  EXPECT_EQ(range.offset, offset) << header;
  EXPECT_EQ(range.length, length) << header;
}

TEST(Range, OneRange) {
  expect_range("bytes=0-0", 1000, 0, 1);
  expect_range("bytes=0-499", 1000, 0, 500);
  expect_range("bytes=500-", 1000, 500, 500);
  expect_range("bytes=-1", 1000, 999, 1);
  expect_range("bytes=-5000", 1000, 0, 1000);
  expect_range("bytes=990-5000", 1000, 990, 10);
  expect_range("Bytes = 1-2 ", 1000, 1, 2);
  expect_range("bytes=1-99999999999999999999999999", 1000, 1, 999);
  expect_range("bytes=-99999999999999999999999999", 1000, 0, 1000);
}

TEST(Range, NonsenseAndSeveralRangesCountAsAbsent) {
  for (auto header :
       {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5", "bytes=5-4", "bytes=0-1,3-4", "items=0-1",
        "bytes=--1", "bytes=1-2-3", "bytes=+1-2", "bytes=0x1-2", "bytes= 1 - 2", "bytes=-+5"})
    EXPECT_EQ(parse_range(header, 1000).kind, Kind::absent) << header;
}

TEST(Range, Unsatisfiable) {
  for (auto header : {"bytes=1000-", "bytes=1000-2000", "bytes=-0", "bytes=99999999999999999999999-"})
    EXPECT_EQ(parse_range(header, 1000).kind, Kind::unsatisfiable) << header;
  EXPECT_EQ(parse_range("bytes=0-", 0).kind, Kind::unsatisfiable);
  EXPECT_EQ(parse_range("bytes=-5", 0).kind, Kind::unsatisfiable);
}

TEST(Range, ContentRange) {
  EXPECT_EQ(content_range(parse_range("bytes=0-499", 1234), 1234), "bytes 0-499/1234");
  EXPECT_EQ(content_range(parse_range("bytes=2000-", 1234), 1234), "bytes */1234");
}

TEST(Range, IfRange) {
  constexpr Millis modified = 784'111'777'999;
  EXPECT_TRUE(if_range_holds("", "\"a\"", modified));
  EXPECT_TRUE(if_range_holds("\"a\"", "\"a\"", modified));
  EXPECT_FALSE(if_range_holds("\"b\"", "\"a\"", modified));
  EXPECT_FALSE(if_range_holds("W/\"a\"", "W/\"a\"", modified));
  EXPECT_TRUE(if_range_holds("Sun, 06 Nov 1994 08:49:37 GMT", "\"a\"", modified));
  EXPECT_FALSE(if_range_holds("Sun, 06 Nov 1994 08:49:38 GMT", "\"a\"", modified));
}

}  // namespace
}  // namespace segments

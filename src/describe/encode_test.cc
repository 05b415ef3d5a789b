#include "describe/encode.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>

#include "base/text.h"
#include "describe/sample_types.h"

namespace segments {
namespace {

using namespace sample;

TEST(Encode, WritesMembersInTheirOrder) {
  Thing thing;
  thing.name = "a";
  thing.length = 12.5;
  thing.points = {{1, 2}, {0.1, -3}};
  thing.counts = {{"k\"", 1}};
  thing.extra.text = "[true]";
  EXPECT_EQ(encode(thing),
            R"({"name":"a","count":0,"length":12.5,"is_new":false,"colour":"red","kind":"plain","note":null,)"
            R"("words":null,"points":[{"x":1,"y":2},{"x":0.1,"y":-3}],"counts":{"k\"":1},"second":null,)"
            R"("origin":null,"extra":[true]})");
  EXPECT_EQ(encode(Nothing{}), "{}");
  EXPECT_EQ(encode(std::vector<Nothing>(2)), "[{},{}]");
}

TEST(Encode, WritesNumbersInTheirShortestForm) {
  EXPECT_EQ(encode(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(encode(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(encode(0.1), "0.1");
  EXPECT_EQ(encode(30.0), "30");
  EXPECT_EQ(encode(std::numeric_limits<double>::quiet_NaN()), "null");
  EXPECT_EQ(encode(-0.0), "0");
  EXPECT_EQ(encode(-std::numeric_limits<double>::infinity()), "null");
}

std::string encoded(std::string_view text) {
  std::string out, beside("before ");
  encode_string(out, text);
  TextSink sink(beside);
  encode_string(sink, text);
  sink.end();
  EXPECT_EQ(beside, "before " + out);
  return out;
}

TEST(TextSink, AppendsAsTheStringDoes) {
  for (std::size_t before : {0u, 1u, 15u, 16u, 100u}) {
    std::string text(before, 'x'), expected = text;
    text.reserve(2 * before);
    TextSink sink(text);
    for (std::size_t size = 0; size < 300; ++size) {
      const std::string piece(size, static_cast<char>('a' + size % 26));
      sink.append(piece.data(), piece.size()) += ',';
      sink += std::string_view(piece);
      encode(sink, size);
      encode(sink, 1.5);
      expected += piece + "," + piece + std::to_string(size) + "1.5";
    }
    sink.end();
    EXPECT_EQ(text, expected);
    std::string taken = std::move(text);
    text = "another";
    sink.end();
    EXPECT_EQ(text, "another") << "the string is the sink's no more";
  }
}

TEST(TextSink, LeavesTheStringWholeWhenItGoes) {
  std::string text = "a";
  text.reserve(1'000);
  { TextSink(text) += "bc"; }
  EXPECT_EQ(text, "abc");
}

// Thousandths are printed by a way of their own: it must find the same text as the standard library's.
TEST(Encode, WritesThousandthsAsToChars) {
  auto expected = [](double number) {
    char digits[32];
    return std::string(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
  };
  std::mt19937 random(3);
  auto check = [&](double number) { ASSERT_EQ(encode(number), expected(number)); };
  for (int n = 1; n <= 120'000; ++n) check(n / 1'000.0);
  for (int i = 0; i < 100'000; ++i) check(static_cast<double>(random() % 200'000'000) / 1'000.0 + 0.001);
  for (double number :
       {1e5, 99'999.999, 1e4, 9e4, 0.1 + 0.2, 1.0005, 0.0005, -1.5, 1e-3, 5e-324, 1e300, 123'456.75})
    check(number);
  for (int n = 1; n <= 1'000; ++n) check(std::nextafter(n / 8.0, 1e9));
}

TEST(EncodeString, EscapesWhatJsonAsksFor) {
  EXPECT_EQ(encoded(""), R"("")");
  EXPECT_EQ(encoded("a\"b\\c/\n\r\t\x01\x1f"), "\"a\\\"b\\\\c/\\n\\r\\t\\u0001\\u001f\"");
  EXPECT_EQ(encoded(std::string_view("\0", 1)), "\"\\u0000\"");
  EXPECT_EQ(encoded("grüße 漢字 😀"), "\"grüße 漢字 😀\"");
}

// Each byte at each place of a text that is scanned in words of eight.
TEST(EncodeString, FindsEveryByteAtEveryPlace) {
  for (int byte = 0; byte < 256; ++byte)
    for (std::size_t place = 0; place < 20; ++place) {
      std::string text(20, 'x');
      text[place] = static_cast<char>(byte);
      auto json = encoded(text);
      boost::json::error_code error;
      auto value = boost::json::parse(json, error);
      ASSERT_FALSE(error) << byte << " " << json;
      ASSERT_EQ(value.as_string(), clean_utf8(text)) << byte << " at " << place;
      bool escaped = byte < 0x20 || byte == '"' || byte == '\\';
      ASSERT_EQ(json.size() > 22 && byte < 0x80, escaped) << byte;
    }
}

TEST(EncodeString, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(encoded("a\xff"), "\"a\xef\xbf\xbd\"");
  EXPECT_EQ(encoded("\xc3"), "\"\xef\xbf\xbd\"");
  EXPECT_EQ(encoded("\xff\"é"), "\"\xef\xbf\xbd\\\"é\"");
}

}  // namespace
}  // namespace segments

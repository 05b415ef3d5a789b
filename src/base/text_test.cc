#include "base/text.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace segments {
namespace {

using Strings = std::vector<std::string>;

const Strings not_utf8 = {"\x80",
                          "\xbf",
                          "\xc0\xaf",
                          "\xc1\xbf",
                          "\xc3",
                          "\xe2\x82",
                          "\xe0\x9f\xbf",
                          "\xed\xa0\x80",
                          "\xed\xbf\xbf",
                          "\xf0\x8f\xbf\xbf",
                          "\xf4\x90\x80\x80",
                          "\xf5\x80\x80\x80",
                          "\xff",
                          "\xfe",
                          "\xf0\x9f\x98",
                          "\xc3\x28"};

TEST(IsUtf8, KnowsValidFromInvalid) {
  for (std::string text : {"", "abc", "é", "漢字", "😀", "\x7f", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf",
                           "\xed\x9f\xbf", "\xee\x80\x80"})
    EXPECT_TRUE(is_utf8(text)) << text;
  for (const auto& bad : not_utf8) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
    EXPECT_FALSE(is_utf8("abc" + bad));
    EXPECT_FALSE(is_utf8(bad + "abc"));
  }
}

TEST(CleanUtf8, ReplacesAndCuts) {
  EXPECT_EQ(clean_utf8("a\xff\xfe"
                       "b"),
            "a\xef\xbf\xbd\xef\xbf\xbd"
            "b");
  EXPECT_EQ(clean_utf8("aéb", 2), "a");
  EXPECT_EQ(clean_utf8("aéb", 3), "aé");
  EXPECT_EQ(clean_utf8("a\xff", 3), "a");
  std::mt19937 random(5);
  for (int i = 0; i < 10'000; ++i) {
    std::string bytes(random() % 12, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random() % 4 ? 0x80 + random() % 128 : random() % 128);
    ASSERT_TRUE(is_utf8(clean_utf8(bytes)));
    ASSERT_LE(clean_utf8(bytes, 5).size(), 5u);
    if (is_utf8(bytes)) {
      ASSERT_EQ(clean_utf8(bytes), bytes);
    }
  }
}

TEST(HasControl, FindsC0AndDel) {
  for (std::string text : {"\n", "a\tb", "\x1f", "\x7f"}) EXPECT_TRUE(has_control(text));
  EXPECT_TRUE(has_control(std::string_view("a\0", 2)));
  for (std::string text : {"", "abc ~", "é\xc2\x85"}) EXPECT_FALSE(has_control(text));
}

TEST(CountCodePoints, CountsCharacters) {
  EXPECT_EQ(count_code_points(""), 0u);
  EXPECT_EQ(count_code_points("aé漢😀"), 4u);
}

TEST(FirstCodePoints, CutsBetweenCharacters) {
  EXPECT_EQ(first_code_points("aé漢😀", 0), "");
  EXPECT_EQ(first_code_points("aé漢😀", 2), "aé");
  EXPECT_EQ(first_code_points("aé漢😀", 3), "aé漢");
  EXPECT_EQ(first_code_points("aé漢😀", 4), "aé漢😀");
  EXPECT_EQ(first_code_points("aé漢😀", 500), "aé漢😀");
  EXPECT_EQ(first_code_points("", 3), "");
}

TEST(FoldCase, LowersLatinGreekAndCyrillic) {
  EXPECT_EQ(fold_case("HeLLo 123"), "hello 123");
  EXPECT_EQ(fold_case("ÀÉÎÕÜ ŁŻŚ ŐŰ"), "àéîõü łżś őű");
  EXPECT_EQ(fold_case("ΑΒΓΔ ΩΣ"), "αβγδ ωσ");
  EXPECT_EQ(fold_case("ПРИВЕТ ЁЖ Ў"), "привет ёж ў");
  EXPECT_EQ(fold_case("ὈΔΥΣΣΕΎΣ"), fold_case("ὀδυσσεύς"));
  EXPECT_EQ(fold_case("漢字 😀 ß"), "漢字 😀 ß");
  EXPECT_EQ(fold_case(std::string_view("A\0B", 3)), std::string_view("a\0b", 3));
}

TEST(FoldCase, PassesThroughWhatIsNotUtf8) {
  for (const auto& bad : not_utf8)
    EXPECT_EQ(fold_case("A" + bad + "É").substr(0, 1 + bad.size()), "a" + lower_ascii(bad));
}

TEST(FoldCase, IsStableWhenRepeated) {
  for (std::string text : {"ÀÉ", "ΣΑΣ", "ǅ", "İ", "ẞ", "Ⅷ", "Ａ"})
    EXPECT_EQ(fold_case(fold_case(text)), fold_case(text)) << text;
}

TEST(LowerAscii, LeavesOtherLetters) {
  EXPECT_EQ(lower_ascii("AZaz[`É"), "azaz[`É");
}

TEST(Trim, TakesSpacesOffBothEnds) {
  EXPECT_EQ(trim(" \t\r\n a b \v\f"), "a b");
  EXPECT_EQ(trim("   "), "");
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim("x"), "x");
}

TEST(Split, KeepsEmptyParts) {
  EXPECT_EQ(split("", ','), Strings{});
  EXPECT_EQ(split("a", ','), Strings{"a"});
  EXPECT_EQ(split("a,,b", ','), (Strings{"a", "", "b"}));
  EXPECT_EQ(split(",", ','), (Strings{"", ""}));
}

TEST(Percent, EncodesAndDecodes) {
  EXPECT_EQ(percent_encode("aZ09-._~ /é%+"), "aZ09-._~%20%2F%C3%A9%25%2B");
  EXPECT_EQ(percent_encode("a/b c", true), "a/b%20c");
  EXPECT_EQ(percent_decode("a%20b+c"), "a b+c");
  EXPECT_EQ(percent_decode("a%20b+c", true), "a b c");
  EXPECT_EQ(percent_decode("%2525"), "%25");
  EXPECT_EQ(percent_decode("%c3%A9"), "é");
  EXPECT_EQ(percent_decode("%00"), std::string(1, '\0'));
  for (const char* text : {"%", "%4", "a%", "%zz", "%4g", "% 41", "%%", "%-1"})
    EXPECT_FALSE(percent_decode(text)) << text;
}

TEST(Encodings, RoundTripAllBytes) {
  std::mt19937 random(9);
  for (int i = 0; i < 5'000; ++i) {
    std::string bytes(random() % 70, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random());
    auto base64 = encode_base64url(bytes);
    ASSERT_EQ(base64.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              base64.npos);
    ASSERT_EQ(decode_base64url(base64), bytes);
    ASSERT_EQ(percent_decode(percent_encode(bytes), true), bytes);
    ASSERT_EQ(encode_hex(bytes).size(), bytes.size() * 2);
  }
  EXPECT_EQ(encode_hex(std::string_view("\x00\xff\x1a", 3)), "00ff1a");
}

TEST(Base64Url, FollowsRfc4648) {
  const std::pair<const char*, const char*> vectors[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"}};
  for (auto [plain, coded] : vectors) {
    EXPECT_EQ(encode_base64url(plain), coded);
    EXPECT_EQ(decode_base64url(coded), plain);
  }
}

TEST(Base64, FollowsRfc4648) {
  const std::pair<const char*, const char*> vectors[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xfb\xff", "+/8="}};
  for (auto [plain, coded] : vectors) EXPECT_EQ(encode_base64(plain), coded);
}

// One value has one text: what is signed cannot be varied.
TEST(Base64Url, RefusesEveryOtherText) {
  for (const char* text : {"A", "Zg==", "Zh", "Zm9", "Zm8=", "Z g", "Zg\n", "+/8", "Zm9vY", "é"})
    EXPECT_FALSE(decode_base64url(text)) << text;
}

TEST(ParseInteger, TakesWholeDecimalsOnly) {
  EXPECT_EQ(parse_integer("0"), 0);
  EXPECT_EQ(parse_integer("-12"), -12);
  EXPECT_EQ(parse_integer("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parse_integer("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  for (const char* text : {"", "-", "+1", " 1", "1 ", "1.0", "0x1", "9223372036854775808", "1e3", "abc"})
    EXPECT_FALSE(parse_integer(text)) << text;
  EXPECT_FALSE(parse_integer(std::string_view("1\0", 2)));
}

TEST(ParseNumber, TakesFiniteDecimalsOnly) {
  EXPECT_EQ(parse_number("12.5"), 12.5);
  EXPECT_EQ(parse_number("-1e3"), -1000);
  EXPECT_EQ(parse_number("0"), 0);
  for (const char* text : {"", "nan", "NaN", "-nan", "inf", "-Infinity", "1e400", "-1e400", "0x10", "1,5",
                           "+1", " 1", "1 ", "1.5x"})
    EXPECT_FALSE(parse_number(text)) << text;
}

}  // namespace
}  // namespace segments

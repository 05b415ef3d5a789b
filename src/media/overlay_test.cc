#include "media/overlay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace segments {
namespace {

TEST(OverlayTest, breaks_lines_between_words) {
  EXPECT_EQ(wrap_text("one two three", 7), "one two\nthree");
  EXPECT_EQ(wrap_text("one two three", 100), "one two three");
  EXPECT_EQ(wrap_text("  one   two  ", 100), "one two");
}
TEST(OverlayTest, breaks_long_words) {
  EXPECT_EQ(wrap_text("abcdefgh", 3), "abc\ndef\ngh");
  EXPECT_EQ(wrap_text("a bcdefgh i", 3), "a\nbcd\nefg\nh i");
}
TEST(OverlayTest, keeps_line_breaks_within) {
  EXPECT_EQ(wrap_text("\n\na\r\n\nb\n\n", 9), "a\n\nb");
}
TEST(OverlayTest, wide_characters_count_for_two) {
  EXPECT_EQ(wrap_text("你好世界", 4), "你好\n世界");
  EXPECT_EQ(wrap_text("🎬🎬🎬", 4), "🎬🎬\n🎬");
  EXPECT_EQ(wrap_text("éèüß", 4), "éèüß");
  EXPECT_EQ(wrap_text("“a”…", 4), "“a”…");
}
TEST(OverlayTest, leaves_out_controls_and_what_is_not_utf8) {
  EXPECT_EQ(wrap_text("a\x01\x7f\xff\xc3(\xf0\x9f"
                      "b\tc",
                      9),
            "a(b c");
  EXPECT_EQ(wrap_text("", 9), "");
  EXPECT_EQ(wrap_text(std::string("a\0b", 3), 9), "ab");
}
TEST(OverlayTest, no_line_is_longer_than_allowed) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += std::string(static_cast<std::size_t>(i % 23 + 1), 'x') + ' ';
  for (int columns : {2, 3, 10, 40}) {
    std::istringstream lines(wrap_text(text, columns));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(static_cast<int>(line.size()), columns);
  }
}
TEST(OverlayTest, the_text_is_never_part_of_the_filter) {
  auto overlay = make_overlay("x=1:y='2',[a];%{e}\\", 640, 360, "words.txt");
  EXPECT_EQ(overlay.text, "x=1:y='2',[a];%{e}\\");
  EXPECT_EQ(overlay.filter.find("y='2'"), std::string::npos);
  EXPECT_NE(overlay.filter.find("textfile=words.txt:expansion=none"), std::string::npos);
}
TEST(OverlayTest, a_long_text_gets_smaller_letters) {
  auto size = [](const std::string& text) {
    auto filter = make_overlay(text, 320, 240, "t").filter;
    return std::stoi(filter.substr(filter.find("fontsize=") + 9));
  };
  EXPECT_LT(size(std::string(1000, 'm')), size("short"));
  EXPECT_GE(size(std::string(100'000, 'm')), 7);
}

}  // namespace
}  // namespace segments

#include "base/time.h"

#include <gtest/gtest.h>

#include <random>

namespace segments {
namespace {

TEST(Time, FormatsWithFixedWidth) {
  EXPECT_EQ(format_time(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_time(1'795'366'800'123), "2026-11-22T17:00:00.123Z");
  EXPECT_EQ(format_time(951'782'400'000), "2000-02-29T00:00:00.000Z");
  EXPECT_EQ(format_time(253'402'300'799'999), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(format_time(-5), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_time(INT64_MAX), "9999-12-31T23:59:59.999Z");
}

TEST(Time, ReadsBackWhatItFormats) {
  std::mt19937_64 random(3);
  std::string previous_text;
  Millis previous = -1;
  for (int i = 0; i < 100'000; ++i) {
    Millis at = static_cast<Millis>(random() % 253'402'300'800'000);
    auto text = format_time(at);
    ASSERT_EQ(text.size(), 24u);
    ASSERT_EQ(parse_time(text), at) << text;
    if (previous >= 0) {
      ASSERT_EQ(text < previous_text, at < previous);
    }
    previous = at;
    previous_text = text;
  }
}

TEST(Time, TakesEveryFormOfRfc3339) {
  auto canonical = [](std::string_view text) {
    return parse_time(text) ? format_time(*parse_time(text)) : "none";
  };
  EXPECT_EQ(canonical("2026-11-22T17:00:00Z"), "2026-11-22T17:00:00.000Z");
  EXPECT_EQ(canonical("2026-11-22t17:00:00.5z"), "2026-11-22T17:00:00.500Z");
  EXPECT_EQ(canonical("2026-11-22 17:00:00.123456789Z"), "2026-11-22T17:00:00.123Z");
  EXPECT_EQ(canonical("2026-11-22T17:00:00+05:30"), "2026-11-22T11:30:00.000Z");
  EXPECT_EQ(canonical("2026-12-31T23:30:00-01:00"), "2027-01-01T00:30:00.000Z");
  EXPECT_EQ(canonical("2026-11-22T17:00:00-00:00"), "2026-11-22T17:00:00.000Z");
  EXPECT_EQ(canonical("2016-12-31T23:59:60Z"), "2017-01-01T00:00:00.000Z");
  EXPECT_EQ(canonical("2026-11-22"), "2026-11-22T00:00:00.000Z");
  EXPECT_EQ(canonical("2024-02-29"), "2024-02-29T00:00:00.000Z");
  EXPECT_EQ(canonical("2026-11-22T17:00:00." + std::string(5'000, '9') + "Z"), "2026-11-22T17:00:00.999Z");
}

TEST(Time, RefusesWhatIsNoTime) {
  for (std::string text : {"",
                           "now",
                           "2026",
                           "2026-11",
                           "2026-1-2",
                           "2026-13-01",
                           "2026-00-01",
                           "2026-02-29",
                           "2026-11-31",
                           "2026-11-22T",
                           "2026-11-22T17",
                           "2026-11-22T17:00",
                           "2026-11-22T17:00:00",
                           "2026-11-22T17:00Z",
                           "2026-11-22T24:00:00Z",
                           "2026-11-22T17:60:00Z",
                           "2026-11-22T17:00:61Z",
                           "2026-11-22T17:00:00.Z",
                           "2026-11-22T17:00:00,5Z",
                           "2026-11-22T17:00:00+0530",
                           "2026-11-22T17:00:00+24:00",
                           "2026-11-22T17:00:00+05:60",
                           "2026-11-22T17:00:00Zx",
                           " 2026-11-22",
                           "2026-11-22 ",
                           "+2026-11-22",
                           "1969-12-31",
                           "1970-01-01T00:00:00+00:01",
                           "0000-01-01",
                           "9999-12-31T23:59:59-00:01",
                           "10000-01-01",
                           "2026-11-22T17:00:00\xc2\xb1"
                           "00:00",
                           "1763830800"})
    EXPECT_FALSE(parse_time(text)) << text;
  EXPECT_FALSE(parse_time(std::string_view("2026-11-22\0", 11)));
}

TEST(Time, NowIsOfThisCentury) {
  EXPECT_GT(now_ms(), *parse_time("2024-01-01"));
  EXPECT_EQ(now_text().size(), 24u);
  auto before = steady_ms();
  EXPECT_LE(before, steady_ms());
}

}  // namespace
}  // namespace segments

#include "model/following.h"

#include <gtest/gtest.h>

#include <vector>

namespace segments {
namespace {

constexpr Millis minute = 60'000, hour = 60 * minute, day = 24 * hour, posted = 1'795'000'000'000;

TEST(Following, ReadsAtTheAgesOfTheTableAndThenEveryNinetyDays) {
  std::vector<Millis> ages;
  Millis read_at = posted;
  for (int i = 0; i < 15; ++i) {
    read_at = next_reading_at(posted, read_at);
    ages.push_back(read_at - posted);
  }
  EXPECT_EQ(ages,
            (std::vector<Millis>{15 * minute, hour, 3 * hour, 6 * hour, 12 * hour, day, 2 * day, 3 * day,
                                 7 * day, 14 * day, 30 * day, 90 * day, 180 * day, 270 * day, 360 * day}));
}

TEST(Following, ReadsThatComeLateSkipWhatTheyMissed) {
  EXPECT_EQ(next_reading_at(posted, posted + 5 * hour), posted + 6 * hour);
  EXPECT_EQ(next_reading_at(posted, posted + 20 * day), posted + 30 * day);
  EXPECT_EQ(next_reading_at(posted, posted + 1'000 * day), posted + 1'090 * day);
}

TEST(Following, NoTimeMakesItComeSoonerOrLaterThanItMay) {
  EXPECT_EQ(next_reading_at(posted + day, posted), posted + day + 15 * minute) << "posted tomorrow";
  EXPECT_EQ(next_reading_at(posted + 10'000 * day, posted), posted + longest_pause_ms);
  for (Millis since : {Millis{0}, posted, posted * 100})
    for (Millis read_at : {Millis{0}, posted, posted + day}) {
      EXPECT_GT(next_reading_at(since, read_at), read_at);
      EXPECT_LE(next_reading_at(since, read_at), read_at + longest_pause_ms);
    }
}

TEST(Following, AttemptsBackOffToThirtyDays) {
  EXPECT_EQ(next_attempt_at(1, posted), posted + hour);
  EXPECT_EQ(next_attempt_at(2, posted), posted + 2 * hour);
  EXPECT_EQ(next_attempt_at(5, posted), posted + 16 * hour);
  EXPECT_EQ(next_attempt_at(11, posted), posted + 30 * day);
  EXPECT_EQ(next_attempt_at(2'000'000'000, posted), posted + 30 * day);
}

TEST(Following, LeavesToTheOwnerWhatTheOwnerTells) {
  SocialMediaUsage post;
  EXPECT_FALSE(is_followed(post)) << "no id";
  post.post_id = "reported:tiktok";
  EXPECT_FALSE(is_followed(post)) << "an id that no platform has";
  post.post_id = "123";
  EXPECT_TRUE(is_followed(post)) << "where its counts come from is not known yet";
  post.source = MetricsSource::simulated;
  EXPECT_TRUE(is_followed(post));
  post.source = MetricsSource::reported;
  EXPECT_FALSE(is_followed(post));
}

}  // namespace
}  // namespace segments

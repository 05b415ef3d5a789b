#include "social/simulator.h"

#include <gtest/gtest.h>

#include <set>

#include "describe/members.h"

namespace segments {
namespace {

constexpr Millis posted = 1'770'000'000'000;
constexpr Millis hour = 3'600'000;

class SimulatorTest : public ::testing::Test {
 protected:
  MetricsReading read_at_age(SocialMediaPlatform platform, const std::string& post_id, Millis age) {
    now = posted + age;
    return platforms.at(platform)->read_metrics({post_id, std::nullopt, format_time(posted)});
  }
  std::vector<std::string> posts(int count) {
    std::vector<std::string> ids;
    for (int i = 0; i < count; ++i) ids.push_back("post" + std::to_string(i * 7919));
    return ids;
  }

  Millis now = posted;
  Platforms platforms = make_simulated_platforms({}, [this] { return now; });
};

TEST_F(SimulatorTest, HasAllFivePlatformsAndMarksTheirReadings) {
  EXPECT_EQ(platforms.size(), 5u);
  for (auto& [platform, simulator] : platforms) {
    EXPECT_EQ(simulator->source(), MetricsSource::simulated);
    auto reading = read_at_age(platform, "abc", 30 * hour);
    EXPECT_EQ(reading.source, MetricsSource::simulated);
    EXPECT_EQ(reading.read_at, format_time(posted + 30 * hour));
  }
}

TEST_F(SimulatorTest, SameInputGivesSameOutputInAnyInstanceAndOrder) {
  Millis other_now = posted;
  auto others = make_simulated_platforms({}, [&] { return other_now; });
  for (auto& [platform, simulator] : platforms)
    for (const auto& id : posts(20)) {
      auto first = read_at_age(platform, id, 50 * hour);
      read_at_age(platform, id + "x", 70 * hour);
      // Only the age counts: the same age at another date gives the same counts.
      other_now = posted + 1000 * hour;
      auto again =
          others.at(platform)->read_metrics({id, "https://example.com", format_time(posted + 950 * hour)});
      again.read_at = first.read_at;
      EXPECT_EQ(first, again);
    }
}

TEST_F(SimulatorTest, CountsAreNeverNegativeAndNeverAboveViews) {
  for (auto& [platform, simulator] : platforms)
    for (const auto& id : posts(60))
      for (Millis age : {Millis{0}, Millis{1}, hour / 60, hour, 7 * hour, 100 * hour, 5'000 * hour}) {
        auto reading = read_at_age(platform, id, age);
        ASSERT_TRUE(reading.views && reading.likes && reading.comments);
        for (auto count : {reading.likes, reading.comments, std::optional(reading.shares.value_or(0))}) {
          EXPECT_GE(*count, 0);
          EXPECT_LE(*count, *reading.views);
        }
        EXPECT_GE(*reading.views, 0);
      }
}

TEST_F(SimulatorTest, CountsGrowApartFromFewBoundedFalls) {
  int falls_of_all = 0, posts_that_never_fall = 0;
  for (auto& [platform, simulator] : platforms)
    for (const auto& id : posts(40)) {
      int falls = 0;
      auto falls_little = [](std::optional<std::int64_t> now, std::optional<std::int64_t> then) {
        return static_cast<double>(*now) >= 0.96 * static_cast<double>(*then) - 1;
      };
      MetricsReading before = read_at_age(platform, id, 0);
      EXPECT_EQ(before.views, 0);
      for (Millis age = 0; age <= 600 * hour; age += hour) {
        auto reading = read_at_age(platform, id, age);
        bool falls_now = reading.views < before.views || reading.likes < before.likes ||
                         reading.shares < before.shares || reading.comments < before.comments;
        falls += falls_now;
        ASSERT_TRUE(falls_little(reading.views, before.views) && falls_little(reading.likes, before.likes) &&
                    falls_little(reading.comments, before.comments))
            << name_of(platform) << " " << id << " at " << age;
        before = reading;
      }
      EXPECT_LE(falls, 3);
      falls_of_all += falls;
      posts_that_never_fall += falls == 0;
    }
  EXPECT_GT(falls_of_all, 20);
  EXPECT_GT(posts_that_never_fall, 20);
}

TEST_F(SimulatorTest, CurvesSaturate) {
  for (auto& [platform, simulator] : platforms)
    for (const auto& id : posts(40)) {
      double early = static_cast<double>(*read_at_age(platform, id, 100 * 24 * hour).views);
      double late = static_cast<double>(*read_at_age(platform, id, 200 * 24 * hour).views);
      EXPECT_LE(late, early * 1.15 + 2) << name_of(platform) << " " << id;
      EXPECT_GT(late, 0);
    }
}

TEST_F(SimulatorTest, PeopleWatchLessAtNight) {
  // Over a day of slow growth the busiest hour gains several times as much as the quietest.
  int uneven = 0;
  for (const auto& id : posts(40)) {
    std::int64_t least = INT64_MAX, most = 0;
    for (int h = 48; h < 72; ++h) {
      auto gain = *read_at_age(SocialMediaPlatform::youtube, id, (h + 1) * hour).views -
                  *read_at_age(SocialMediaPlatform::youtube, id, h * hour).views;
      least = std::min(least, std::max<std::int64_t>(gain, 0));
      most = std::max(most, gain);
    }
    uneven += most > 2 * least;
  }
  EXPECT_GT(uneven, 30);
}

TEST_F(SimulatorTest, PostsAndPlatformsDiffer) {
  std::set<std::int64_t> views;
  for (auto& [platform, simulator] : platforms)
    for (const auto& id : posts(40)) views.insert(*read_at_age(platform, id, 400 * hour).views);
  EXPECT_GT(views.size(), 190u);
}

TEST_F(SimulatorTest, OnlyYoutubeLeavesSharesOut) {
  for (auto& [platform, simulator] : platforms) {
    auto reading = read_at_age(platform, "abc", 30 * hour);
    EXPECT_EQ(reading.shares.has_value(), platform != SocialMediaPlatform::youtube);
    SocialMediaUsage usage;
    usage.platform = platform;
    apply_reading(usage, reading);
    EXPECT_EQ(usage.unreported, platform == SocialMediaPlatform::youtube ? std::vector<std::string>{"shares"}
                                                                         : std::vector<std::string>{});
  }
}

TEST_F(SimulatorTest, PostOfTheFutureHasNoCountsAndPostWithoutTimeIsOfA2025Day) {
  auto& tiktok = *platforms.at(SocialMediaPlatform::tiktok);
  now = posted;
  EXPECT_EQ(tiktok.read_metrics({"a", {}, format_time(posted + hour)}).views, 0);
  auto without_time = tiktok.read_metrics({"a", {}, {}});
  EXPECT_EQ(tiktok.read_metrics({"a", {}, {}}), without_time);
  EXPECT_GT(*without_time.views, 0);
  now = *parse_time("2025-01-01");
  EXPECT_EQ(tiktok.read_metrics({"a", {}, {}}).views, 0);
}

std::string fate(Platform& platform) {
  try {
    platform.read_metrics({"p", {}, {}});
    return "ok";
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::rate_limited) {
      EXPECT_GT(error.retry_after_s(), 0);
      return "rate";
    }
    return error.kind() == ErrorKind::unavailable ? "unavailable"
           : error.kind() == ErrorKind::not_found ? "not_found"
           : error.kind() == ErrorKind::forbidden ? "forbidden"
                                                  : "?";
  }
}

TEST(SimulatorFaults, ComeInTheirSharesAndInTheSameOrderEachTime) {
  auto faults = parse_simulator_faults("rate_limit=0.2, unavailable=0.1,not_found=0.05,forbidden=0.05");
  auto first = make_simulated_platforms(faults), second = make_simulated_platforms(faults);
  std::map<std::string, int> counts;
  for (int i = 0; i < 2'000; ++i) {
    auto one = fate(*first[SocialMediaPlatform::tiktok]);
    EXPECT_EQ(one, fate(*second[SocialMediaPlatform::tiktok]));
    ++counts[one];
  }
  EXPECT_NEAR(counts["rate"], 400, 80);
  EXPECT_NEAR(counts["unavailable"], 200, 60);
  EXPECT_NEAR(counts["not_found"], 100, 40);
  EXPECT_NEAR(counts["forbidden"], 100, 40);
  EXPECT_NEAR(counts["ok"], 1'200, 110);
}

TEST(SimulatorFaults, ShareOfOneHitsEveryCall) {
  auto platforms = make_simulated_platforms(parse_simulator_faults("rate_limit=1"));
  for (int i = 0; i < 200; ++i) EXPECT_EQ(fate(*platforms[SocialMediaPlatform::youtube]), "rate");
}

TEST(SimulatorFaults, TextIsReadOrEveryFaultIsNamed) {
  auto faults = parse_simulator_faults("latency_ms=20,rate_limit=0.5");
  EXPECT_EQ(faults.latency_ms, 20);
  EXPECT_EQ(faults.rate_limit, 0.5);
  EXPECT_EQ(parse_simulator_faults("").rate_limit, 0);
  try {
    parse_simulator_faults("rate_limit=2,nonsense=1,unavailable,latency_ms=-1,latency_ms=1.5,forbidden=nan");
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid);
    EXPECT_EQ(error.faults().size(), 6u);
  }
  EXPECT_THROW(parse_simulator_faults("rate_limit=0.7,unavailable=0.7"), Error);
}

}  // namespace
}  // namespace segments

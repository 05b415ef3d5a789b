#include "model/cutting.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "describe/decode.h"

namespace segments {
namespace {

using Cuts = std::vector<Cut>;
using Marks = std::vector<std::vector<double>>;

CuttingOptions fixed(std::optional<double> seconds = {}) {
  CuttingOptions options;
  options.duration_seconds = seconds;
  return options;
}
CuttingOptions random_pieces(std::optional<double> least, std::optional<double> most) {
  CuttingOptions options;
  options.type = CuttingType::random;
  options.min_duration = least;
  options.max_duration = most;
  return options;
}
CuttingOptions marks(std::optional<Marks> at) {
  CuttingOptions options;
  options.type = CuttingType::marks;
  options.marks = std::move(at);
  return options;
}

std::vector<std::string> faults_of(const CuttingOptions& options, double duration = 100) {
  try {
    plan_cuts(options, duration, "s");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid);
    std::vector<std::string> faults;
    for (const auto& fault : error.faults()) faults.push_back(fault.pointer + " " + fault.code);
    return faults;
  }
  return {};
}

void expect_covers(const Cuts& cuts, double duration) {
  ASSERT_FALSE(cuts.empty());
  EXPECT_EQ(cuts.front().start, 0);
  EXPECT_EQ(cuts.back().end, duration);
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    ASSERT_LT(cuts[i].start, cuts[i].end);
    if (i > 0) {
      ASSERT_EQ(cuts[i].start, cuts[i - 1].end);
    }
  }
}

TEST(FixedCuts, CoverTheVideo) {
  EXPECT_EQ(plan_cuts(fixed(30), 70, ""), (Cuts{{0, 30}, {30, 60}, {60, 70}}));
  EXPECT_EQ(plan_cuts(fixed(30), 60, ""), (Cuts{{0, 30}, {30, 60}}));
  EXPECT_EQ(plan_cuts(fixed(30), 60.05, ""), (Cuts{{0, 30}, {30, 60.05}}));
  EXPECT_EQ(plan_cuts(fixed(30), 60.99, "").size(), 2u) << "nobody posts a clip of a second's part";
  EXPECT_EQ(plan_cuts(fixed(30), 61, "").size(), 3u);
  EXPECT_EQ(plan_cuts(fixed(2), 60.19, "").size(), 30u);
  EXPECT_EQ(plan_cuts(fixed(2), 60.21, "").size(), 31u);
  EXPECT_EQ(plan_cuts(fixed(), 45, ""), (Cuts{{0, 30}, {30, 45}}));
  EXPECT_EQ(plan_cuts(fixed(30), 12, ""), (Cuts{{0, 12}}));
  EXPECT_EQ(plan_cuts(fixed(30), 0.04, ""), (Cuts{{0, 0.04}}));
  EXPECT_EQ(plan_cuts(fixed(0.1), 0.3, "").size(), 3u);
}

TEST(FixedCuts, CoverEveryVideo) {
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    double piece = 0.1 + random() % 10'000 / 97.0, duration = (1 + random() % 1'000'000) / 1'009.0;
    if (duration / piece > 10'000) continue;
    auto cuts = plan_cuts(fixed(piece), duration, "");
    expect_covers(cuts, duration);
    for (std::size_t k = 0; k + 1 < cuts.size(); ++k) ASSERT_NEAR(cuts[k].end - cuts[k].start, piece, 1e-6);
    double last = cuts.back().end - cuts.back().start;
    double rest = std::clamp(piece / 10, 0.1, 1.0);
    ASSERT_LT(last, piece + rest);
    ASSERT_TRUE(cuts.size() == 1 || last >= rest - 1e-6) << last;
  }
}

TEST(RandomCuts, AreDrawnFromTheSeedAlone) {
  auto options = random_pieces(5, 20);
  EXPECT_EQ(plan_cuts(options, 600, "job-1"), plan_cuts(options, 600, "job-1"));
  EXPECT_NE(plan_cuts(options, 600, "job-1"), plan_cuts(options, 600, "job-2"));
  EXPECT_EQ(plan_cuts(options, 600, "job-1").size(), plan_cuts(options, 600, "job-2").size());
  // Kept for ever: a task run again on another machine cuts at the same places.
  EXPECT_EQ(plan_cuts(options, 60, "seed"),
            (Cuts{{0, 5.292}, {5.292, 12.538}, {12.538, 20.573}, {20.573, 40.028}, {40.028, 60}}));
}

TEST(RandomCuts, KeepTheirBoundsWhereAnyNumberOfPiecesFits) {
  std::mt19937 random(2);
  int fitting = 0;
  for (int i = 0; i < 20'000; ++i) {
    double least = 0.1 + random() % 1'000 / 37.0, most = least + random() % 1'000 / 41.0;
    double duration = (1 + random() % 1'000'000) / 1'009.0;
    if (duration / ((least + most) / 2) > 9'000) continue;
    auto cuts = plan_cuts(random_pieces(least, most), duration, std::to_string(i));
    expect_covers(cuts, duration);
    bool fits = std::ceil(duration / most) <= std::floor(duration / least);
    fitting += fits;
    for (std::size_t k = 0; k < cuts.size(); ++k) {
      double length = cuts[k].end - cuts[k].start;
      bool is_last = k + 1 == cuts.size();
      if (fits || !is_last) {
        ASSERT_GE(length, least - 1e-6) << least << " " << most << " " << duration;
        ASSERT_LE(length, most + (is_last ? 1 : 1e-6)) << least << " " << most << " " << duration;
      } else {
        ASSERT_LE(length, std::max(least, most) + 1);
      }
    }
  }
  EXPECT_GT(fitting, 5'000);
}

TEST(RandomCuts, UseTheWholeOfTheirRange) {
  double shortest = 100, longest = 0;
  for (const auto& cut : plan_cuts(random_pieces(5, 20), 20'000, "x")) {
    shortest = std::min(shortest, cut.end - cut.start);
    longest = std::max(longest, cut.end - cut.start);
  }
  EXPECT_LT(shortest, 5.5);
  EXPECT_GT(longest, 19.5);
}

TEST(RandomCuts, HaveDefaultsThatGiveWay) {
  for (const auto& options : {random_pieces({}, {}), random_pieces(60, {}), random_pieces({}, 5)})
    expect_covers(plan_cuts(options, 300, "s"), 300);
  for (const auto& cut : plan_cuts(random_pieces({}, {}), 300, "s")) {
    EXPECT_GE(cut.end - cut.start, 15 - 1e-9);
    EXPECT_LE(cut.end - cut.start, 45 + 1e-9);
  }
  EXPECT_EQ(plan_cuts(random_pieces(60, {}), 300, "s").size(), 5u);
  EXPECT_EQ(plan_cuts(random_pieces(10, 20), 4, "s"), (Cuts{{0, 4}}));
  EXPECT_EQ(plan_cuts(random_pieces(10, 10), 25, "s"), (Cuts{{0, 10}, {10, 20}, {20, 25}}));
}

TEST(MarkedCuts, AreClippedToTheVideo) {
  EXPECT_EQ(plan_cuts(marks(Marks{{5, 10}, {0, 3}, {8, 12}}), 100, ""), (Cuts{{5, 10}, {0, 3}, {8, 12}}));
  EXPECT_EQ(plan_cuts(marks(Marks{{90, 110}, {100, 110}, {99.95, 200}, {1e9, 2e9}}), 100, ""),
            (Cuts{{90, 100}}));
  EXPECT_EQ(faults_of(marks(Marks{{100, 110}})), std::vector<std::string>{"/cutting_options range"});
}

TEST(CheckCutting, FindsAllFaultsAtOnce) {
  CuttingOptions options = marks(Marks{{1}, {3, 2}, {1, 2}, {-1, 2}, {1, 1.05}, {1, 2, 3}});
  options.duration_seconds = 0.05;
  options.min_duration = 10;
  options.max_duration = 5;
  EXPECT_EQ(faults_of(options), (std::vector<std::string>{
                                    "/cutting_options/duration_seconds range",
                                    "/cutting_options/max_duration range", "/cutting_options/marks/0 length",
                                    "/cutting_options/marks/1 range", "/cutting_options/marks/3 range",
                                    "/cutting_options/marks/4 range", "/cutting_options/marks/5 length"}));
  EXPECT_EQ(faults_of(marks(Marks{})), std::vector<std::string>{"/cutting_options/marks required"});
  EXPECT_EQ(faults_of(marks(std::nullopt)), std::vector<std::string>{"/cutting_options/marks required"});
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(),
                   infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(faults_of(fixed(nan)).size(), 1u);
  EXPECT_EQ(faults_of(marks(Marks{{nan, 2}, {1, infinity}, {1, nan}})).size(), 3u);
}

TEST(PlanCuts, RefusesWhatCannotBeCut) {
  for (double duration :
       {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
    EXPECT_EQ(faults_of(fixed(30), duration), std::vector<std::string>{"/cutting_options range"}) << duration;
  EXPECT_EQ(faults_of(fixed(0.1), 1e300).size(), 1u);
  EXPECT_EQ(faults_of(random_pieces(0.1, 0.2), 1e300).size(), 1u);
  EXPECT_EQ(faults_of(fixed(1), 10'001).size(), 1u);
  EXPECT_EQ(plan_cuts(fixed(1), 10'000, "").size(), 10'000u);
}

TEST(CuttingOptionsBody, TakesWhatTheClientSends) {
  EXPECT_EQ(decode<CuttingOptions>(R"({"type":"fixed","duration_seconds":30})").duration_seconds, 30);
  EXPECT_EQ(decode<CuttingOptions>(R"({"type":"random","min_duration":15,"max_duration":45})").max_duration,
            45);
  EXPECT_EQ(decode<CuttingOptions>(R"({"type":"marks","marks":[[0,1.5]],"mode":"keyframe"})").mode,
            CuttingMode::keyframe);
  EXPECT_THROW(decode<CuttingOptions>(R"({"type":"fixed","duration_seconds":0})"), Error);
  EXPECT_THROW(decode<CuttingOptions>(R"({"type":"fixed","duration_seconds":""})"), Error);
  EXPECT_THROW(decode<CuttingOptions>(R"({"type":"marks","marks":[[-1,1]]})"), Error);
}

}  // namespace
}  // namespace segments

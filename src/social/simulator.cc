#include "social/simulator.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <thread>
#include <utility>

#include "base/text.h"
#include "describe/members.h"

namespace segments {
namespace {

constexpr double hour_ms = 3'600'000;
constexpr int retry_hint_s = 2;

// How posts of one platform behave. Rates are shares of views. What a platform does not report is absent from
// the reading, as it is from the real interfaces that a server with an owner's token reads:
//   instagram  insights `views, likes, shares, comments`                        all four
//   tiktok     `view_count, like_count, share_count, comment_count`             all four
//   youtube    `statistics` of the Data API holds no shares: those come from    shares absent
//              the Analytics API alone, a separate grant with days of lag
//   facebook   reel plays, reactions, `post_video_social_actions`               all four
//   twitter    `public_metrics`: shares are reposts and quotes                  all four
struct Behaviour {
  SocialMediaPlatform platform;
  double median_views;  // that a post ends with
  double spread;        // of the logarithm of the views
  double growth_hours;  // after which 63 % of the views are there
  double shape;         // below 1: a fast start with a long tail
  double like_rate, share_rate, comment_rate;
  bool reports_shares;
};
constexpr std::array<Behaviour, 5> behaviours{{
    {SocialMediaPlatform::instagram, 6'000, 1.3, 40, 0.75, 0.045, 0.008, 0.006, true},
    {SocialMediaPlatform::tiktok, 9'000, 1.7, 30, 0.70, 0.085, 0.010, 0.007, true},
    {SocialMediaPlatform::youtube, 4'000, 1.5, 160, 0.60, 0.035, 0.004, 0.003, false},
    {SocialMediaPlatform::facebook, 2'500, 1.2, 48, 0.80, 0.020, 0.006, 0.004, true},
    {SocialMediaPlatform::twitter, 3'000, 1.4, 10, 0.85, 0.015, 0.004, 0.002, true},
}};

// Random-looking numbers that are a function of their seed alone (FNV-1a, then the finaliser of SplitMix64),
// because the standard library's distributions differ between implementations.
class Draws {
 public:
  explicit Draws(std::string_view seed) {
    for (unsigned char c : seed) state_ = (state_ ^ c) * 1'099'511'628'211ULL;
  }
  double uniform() {  // [0, 1)
    state_ += 0x9E3779B97F4A7C15ULL;
    std::uint64_t x = state_;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return static_cast<double>((x ^ (x >> 31)) >> 11) * 0x1.0p-53;
  }
  double between(double low, double high) { return low + (high - low) * uniform(); }
  double normal() {  // sum of twelve uniforms: bounded at six deviations, so no post gets absurd counts
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  }

 private:
  std::uint64_t state_ = 14'695'981'039'346'656'037ULL;
};

// What is fixed about one post for ever.
struct Post {
  double final_views, growth_hours, shape;
  double like_rate, share_rate, comment_rate;
  double hour_of_day;
  std::array<std::pair<double, double>, 3> falls;  // at which age in hours, which share is taken away
};

Post make_post(const Behaviour& behaviour, std::string_view post_id) {
  Draws draws(std::string(name_of(behaviour.platform)) + "/" + std::string(post_id));
  Post post;
  post.final_views = behaviour.median_views * std::exp(behaviour.spread * draws.normal());
  post.growth_hours = behaviour.growth_hours * draws.between(0.6, 1.7);
  post.shape = behaviour.shape * draws.between(0.9, 1.1);
  post.like_rate = behaviour.like_rate * draws.between(0.4, 2);
  post.share_rate = behaviour.share_rate * draws.between(0.3, 2.5);
  post.comment_rate = behaviour.comment_rate * draws.between(0.3, 2.5);
  post.hour_of_day = draws.between(0, 24);
  for (auto& [at, share] : post.falls) {
    bool happens = draws.uniform() < 0.4;
    at = draws.between(12, 500);
    share = happens ? draws.between(0.002, 0.03) : 0;
  }
  return post;
}

// The share of the final views that is there. People watch less at night: time passes unevenly within a day,
// but never backwards (the wobble's slope stays below 1).
double growth_of(const Post& post, double hours) {
  constexpr double radians_per_hour = 2 * 3.14159265358979323846 / 24;
  double wobble = 2.8 * (std::sin((hours + post.hour_of_day) * radians_per_hour) -
                         std::sin(post.hour_of_day * radians_per_hour));
  double passed = std::max(0.0, hours + wobble);
  return 1 - std::exp(-std::pow(passed / post.growth_hours, post.shape));
}

MetricsReading read_post(const Behaviour& behaviour, std::string_view post_id, double hours) {
  Post post = make_post(behaviour, post_id);
  double views = post.final_views * growth_of(post, hours);
  for (const auto& [at, share] : post.falls)
    if (hours >= at) views *= 1 - share;  // spam views were removed
  // Sharing and talking come after watching.
  double talk = 1 - std::exp(-hours / 6);
  auto count = [](double number) { return static_cast<std::int64_t>(std::floor(number)); };
  MetricsReading reading;
  reading.views = count(views);
  reading.likes = count(views * post.like_rate);
  if (behaviour.reports_shares) reading.shares = count(views * post.share_rate * talk);
  reading.comments = count(views * post.comment_rate * talk);
  reading.source = MetricsSource::simulated;
  return reading;
}

// A post whose time is not known was made at a fixed moment of 2025 that its id alone decides, so that its
// age, and with it its counts, are the same on every machine and in every run.
Millis assumed_time(SocialMediaPlatform platform, std::string_view post_id) {
  constexpr Millis start_of_2025 = 1'735'689'600'000;
  Draws draws("posted at/" + std::string(name_of(platform)) + "/" + std::string(post_id));
  return start_of_2025 + static_cast<Millis>(draws.between(0, 365 * 24 * hour_ms));
}

class SimulatedPlatform : public Platform {
 public:
  SimulatedPlatform(const Behaviour& behaviour, const SimulatorFaults& faults, std::function<Millis()> clock)
      : behaviour_(behaviour), faults_(faults), clock_(std::move(clock)) {}

  MetricsSource source() const override { return MetricsSource::simulated; }

  MetricsReading read_metrics(const PostReference& post) override {
    if (faults_.latency_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(faults_.latency_ms));
    throw_planned_fault(post);
    Millis now = clock_();
    auto posted = post.posted_at ? parse_time(*post.posted_at) : std::nullopt;
    Millis since = posted ? *posted : assumed_time(behaviour_.platform, post.post_id);
    // A post that is planned for later has no counts yet.
    double hours = static_cast<double>(std::max<Millis>(0, now - since)) / hour_ms;
    MetricsReading reading = read_post(behaviour_, post.post_id, hours);
    reading.read_at = format_time(now);
    return reading;
  }

 private:
  // The n-th call of a process has the same fate in every run.
  void throw_planned_fault(const PostReference& post) {
    std::string name = name_of(behaviour_.platform);
    Draws draws("fault/" + name + "/" + std::to_string(calls_.fetch_add(1, std::memory_order_relaxed)));
    double drawn = draws.uniform();
    auto hits = [&drawn](double share) { return (drawn -= share) < 0; };
    if (hits(faults_.rate_limit))
      throw Error(ErrorKind::rate_limited, "The simulated " + name + " limits the rate of requests.", {},
                  retry_hint_s);
    if (hits(faults_.unavailable))
      throw Error(ErrorKind::unavailable, "The simulated " + name + " cannot be reached now.");
    if (hits(faults_.not_found))
      throw Error(ErrorKind::not_found, "The simulated " + name + " has no post " + post.post_id + ".");
    if (hits(faults_.forbidden))
      throw Error(ErrorKind::forbidden,
                  "The simulated " + name + " does not let this account read post " + post.post_id + ".");
  }

  const Behaviour& behaviour_;
  SimulatorFaults faults_;
  std::function<Millis()> clock_;
  std::atomic<std::uint64_t> calls_{0};
};

// The member that `name` stands for takes the number; nullptr, or what is allowed.
const char* put_fault(SimulatorFaults& faults, std::string_view name, double number) {
  if (name == "latency_ms") {
    if (number < 0 || number > 60'000 || number != std::floor(number))
      return "latency_ms is a whole number from 0 to 60000.";
    faults.latency_ms = static_cast<int>(number);
    return nullptr;
  }
  double* share = name == "rate_limit"    ? &faults.rate_limit
                  : name == "unavailable" ? &faults.unavailable
                  : name == "not_found"   ? &faults.not_found
                  : name == "forbidden"   ? &faults.forbidden
                                          : nullptr;
  if (!share) return "The names are rate_limit, unavailable, not_found, forbidden and latency_ms.";
  if (number < 0 || number > 1) return "A share of calls is from 0 to 1.";
  *share = number;
  return nullptr;
}

}  // namespace

SimulatorFaults parse_simulator_faults(std::string_view text) {
  SimulatorFaults faults;
  std::vector<Fault> wrong;
  for (const auto& part : split(text, ',')) {
    std::string item(trim(part));
    if (item.empty()) continue;
    auto equals = item.find('=');
    auto number = equals == std::string::npos ? std::nullopt : parse_number(trim(item.substr(equals + 1)));
    if (!number) {
      wrong.push_back({item, "format", "\"" + item + "\" is not of the form name=number."});
      continue;
    }
    if (const char* allowed = put_fault(faults, trim(std::string_view(item).substr(0, equals)), *number))
      wrong.push_back({item, "range", "\"" + item + "\" is not taken: " + allowed});
  }
  double sum = faults.rate_limit + faults.unavailable + faults.not_found + faults.forbidden;
  if (wrong.empty() && sum > 1.000001) wrong.push_back({"", "range", "The shares add up to more than 1."});
  if (!wrong.empty()) throw invalid_input(std::move(wrong));
  return faults;
}

Platforms make_simulated_platforms(const SimulatorFaults& faults, std::function<Millis()> clock) {
  Platforms platforms;
  for (const auto& behaviour : behaviours)
    platforms[behaviour.platform] = std::make_unique<SimulatedPlatform>(behaviour, faults, clock);
  return platforms;
}

}  // namespace segments

// Eight clients write while DynamoDB throttles, fails, hangs up before and after it has done what was asked,
// sends cut and damaged answers, and the session token expires: nothing acknowledged is lost, nothing is done
// twice, and a counter is never above what was sent nor below what was acknowledged. SEGMENTS_TEST_REQUESTS
// sets how many requests (2000).
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <set>

#include "base/error.h"
#include "base/ids.h"
#include "dynamodb/test_segments.h"
#include "store/contract.h"

namespace segments::dynamodb {
namespace {

constexpr int clients = 8;

int requests_in_all() {
  const char* asked = std::getenv("SEGMENTS_TEST_REQUESTS");
  return asked ? std::atoi(asked) : 2'000;
}

// Of each operation's requests; `done`: carried out before the answer is spoilt.
constexpr const char* faults = R"([
  {"kind":"throttle","times":null,"probability":0.04,"seed":1},
  {"kind":"internal_error","times":null,"probability":0.02,"seed":2},
  {"kind":"internal_error","done":true,"times":null,"probability":0.02,"seed":3},
  {"kind":"unavailable","times":null,"probability":0.02,"seed":4},
  {"kind":"reset","times":null,"probability":0.02,"seed":5},
  {"kind":"reset","done":true,"times":null,"probability":0.02,"seed":6},
  {"kind":"truncate","times":null,"probability":0.02,"seed":7},
  {"kind":"bad_crc","times":null,"probability":0.02,"seed":8},
  {"kind":"close_after","times":null,"probability":0.02,"seed":9}])";

// What a client knows when it is done.
struct Known {
  std::set<std::string> made, edited, linked;
  std::set<std::string> maybe_edited;
  int counted = 0, maybe_counted = 0;
  std::int64_t readings = 0;
};

class SegmentFaults : public testing::Test {
 protected:
  static constexpr aws::RetryPolicy patient{
      .most_attempts = 6, .base_ms = 2, .throttled_base_ms = 4, .most_delay_ms = 40};

  // As a client does it that is told "unavailable": the same request again. False when it was never answered.
  template <class F>
  bool persist(F&& f) {
    for (int attempt = 0; attempt < 40; ++attempt) {
      ++sent_;
      try {
        f();
        return true;
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::unavailable) << error.what();
        ++refused_;
      }
    }
    return false;
  }

  void create(int client, int i, Known& known) {
    const std::string key = std::to_string(client) + "-" + std::to_string(i);
    bool is_answered = persist([&] {
      Segment segment = contract::make_segment("v" + std::to_string(client), i);
      segment.segment_id = make_segment_id(segment.video_id, make_id());  // a new one for each attempt
      auto outcome = stores_.store.create_segment(segment, IdempotencyKey{"ann", key, "digest"});
      known.made.insert(outcome.segment.segment.segment_id);
    });
    EXPECT_TRUE(is_answered);
  }
  void count(Known& known) {
    ++sent_;
    try {
      if (stores_.store.count_download(shared_, "ann", now_text())) ++known.counted;
    } catch (const Error& error) {
      ++refused_;
      ++known.maybe_counted;
      EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    }
  }
  void edit(int client, int i, Known& known) {
    const std::string word = "<" + std::to_string(client) + "-" + std::to_string(i) + ">";
    ++sent_;
    try {
      stores_.store.update_segment(
          shared_, "ann", {}, [&](Segment& s) { s.description = s.description.value_or("") + word; },
          now_text());
      known.edited.insert(word);
    } catch (const Error& error) {
      ++refused_;
      known.maybe_edited.insert(word);
      EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    }
  }
  void post(int client, int i, Known& known) {
    const std::string post_id = std::to_string(client) + "x" + std::to_string(i / 8 % 4);
    persist([&] {
      stores_.store.link_post(shared_, "ann", contract::make_post(SocialMediaPlatform::tiktok, post_id));
    });
    known.linked.insert(post_id);
    const auto reading = make_reading(i, format_time(1'790'000'000'000 + i));
    persist([&] {
      EXPECT_TRUE(stores_.store.add_reading(shared_, SocialMediaPlatform::tiktok, post_id, reading));
    });
    ++known.readings;
  }

  TestSegments stores_{patient};
  const std::string shared_ = "seg_shared_001";
  std::atomic<int> sent_{0}, refused_{0};
};

std::size_t occurrences(const std::string& text, const std::string& word) {
  std::size_t count = 0;
  for (auto at = text.find(word); at != text.npos; at = text.find(word, at + word.size())) ++count;
  return count;
}

TEST_F(SegmentFaults, LoseNothingThatWasAcknowledgedAndDoubleNothing) {
  stores_.store.create_segment(contract::make_segment("shared", 1), {});
  stores_.table.use_temporary_keys();
  stores_.fault(faults);
  const int each = requests_in_all() / clients;
  std::vector<Known> known(clients);
  contract::run_at_once(clients, [&](int client) {
    auto& mine = known[static_cast<std::size_t>(client)];
    for (int i = 0; i < each; ++i) {
      if (client == 0 && i == each / 2) stores_.table.expire_temporary_keys();
      if (i % 8 < 3) create(client, i, mine);
      if (i % 8 >= 3 && i % 8 < 6) count(mine);
      if (i % 8 == 6) edit(client, i, mine);
      if (i % 8 == 7) post(client, i, mine);
    }
  });
  stores_.heal();

  std::set<std::string> made, linked;
  int counted = 0, maybe_counted = 0;
  std::int64_t readings = 0;
  const Segment shared = stores_.store.find_segment(shared_)->segment;
  const std::string text = shared.description.value_or("");
  std::int64_t edits = 0, maybe_edits = 0;
  for (const auto& one : known) {
    made.insert(one.made.begin(), one.made.end());
    linked.insert(one.linked.begin(), one.linked.end());
    counted += one.counted;
    maybe_counted += one.maybe_counted;
    readings += one.readings;
    for (const auto& word : one.edited) EXPECT_EQ(occurrences(text, word), 1u) << word;
    for (const auto& word : one.maybe_edited) EXPECT_LE(occurrences(text, word), 1u) << word;
    edits += std::ssize(one.edited);
    maybe_edits += std::ssize(one.maybe_edited);
  }
  EXPECT_GE(shared.download_count, counted);
  EXPECT_LE(shared.download_count, counted + maybe_counted);
  const auto version = stores_.store.find_segment(shared_)->version;
  EXPECT_GE(version, 1 + edits);
  EXPECT_LE(version, 1 + edits + maybe_edits);

  std::set<std::string> stored, posts;
  for (int client = 0; client < clients; ++client)
    for (const auto& segment : stores_.store.list_video_segments("v" + std::to_string(client), "ann", {}))
      stored.insert(segment.segment_id);
  EXPECT_EQ(stored, made) << "each request has made one segment, the one that it was told of";
  for (const auto& usage : shared.social_media_usage) posts.insert(usage.post_id.value_or(""));
  EXPECT_EQ(posts, linked);
  EXPECT_EQ(posts.size(), shared.social_media_usage.size());
  EXPECT_EQ(std::ssize(stores_.store.list_history(shared_, 100'000)), readings);
  EXPECT_GT(refused_, 0) << "something must have gone wrong for this to mean anything";
  RecordProperty("sent", sent_);
  RecordProperty("refused", refused_);
}

}  // namespace
}  // namespace segments::dynamodb

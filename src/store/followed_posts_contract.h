// What every SegmentStore does with posts whose counts are followed.
#pragma once

#include <set>

#include "model/following.h"
#include "store/contract.h"

namespace segments::contract {

class FollowedPostsContract : public StoreContract {
 protected:
  static constexpr Millis hour_ms = 3'600'000, day_ms = 24 * hour_ms;

  std::string create(int number, const std::string& video_id = "v1", const std::string& user_id = "ann") {
    Segment segment = make_segment(video_id, number, user_id);
    segments_.create_segment(segment);
    return segment.segment_id;
  }
  void link(const std::string& id, const std::string& post_id, Millis posted_at = 0) {
    SocialMediaUsage usage = make_post(SocialMediaPlatform::tiktok, post_id);
    if (posted_at) usage.posted_at = format_time(posted_at);
    segments_.link_post(id, "", usage);
  }
  void read(const std::string& id, const std::string& post_id, Millis read_at,
            MetricsSource source = MetricsSource::simulated) {
    MetricsReading reading{.views = 5,
                           .likes = {},
                           .shares = {},
                           .comments = {},
                           .source = source,
                           .read_at = format_time(read_at)};
    EXPECT_TRUE(segments_.add_reading(id, SocialMediaPlatform::tiktok, post_id, reading));
  }
  std::vector<DuePost> due(Millis now, std::size_t limit = 1'000) {
    return segments_.list_due_posts(now, limit);
  }
  std::set<std::string> due_ids(Millis now) {
    std::set<std::string> ids;
    for (const auto& post : due(now)) ids.insert(post.post_id);
    return ids;
  }
  // When the only post there is becomes due.
  Millis only_due() {
    auto posts = due(now_ms() + longest_pause_ms);
    EXPECT_EQ(posts.size(), 1u);
    return posts.empty() ? 0 : posts[0].due_at;
  }
  using Ids = std::set<std::string>;
};

TEST_P(FollowedPostsContract, ALinkedPostIsDueAtOnceAndThenByItsAge) {
  auto id = create(1, "v1", "bob");
  EXPECT_TRUE(due(now_ms() + longest_pause_ms).empty());
  const Millis posted = now_ms() - 2 * hour_ms, linked_from = now_ms();
  link(id, "a", posted);
  auto posts = due(now_ms());
  ASSERT_EQ(posts.size(), 1u);
  EXPECT_EQ(posts[0].segment_id, id);
  EXPECT_EQ(posts[0].user_id, "bob");
  EXPECT_EQ(posts[0].platform, SocialMediaPlatform::tiktok);
  EXPECT_EQ(posts[0].post_id, "a");
  EXPECT_EQ(posts[0].asked, 0);
  EXPECT_GE(posts[0].due_at, linked_from);
  read(id, "a", posted + 2 * hour_ms);
  EXPECT_EQ(only_due(), posted + 3 * hour_ms);
  EXPECT_TRUE(due(posted + 3 * hour_ms - 1).empty());
  EXPECT_EQ(due_ids(posted + 3 * hour_ms), Ids{"a"});
  read(id, "a", posted + 20 * day_ms);
  EXPECT_EQ(only_due(), posted + 30 * day_ms);
  read(id, "a", posted + 5 * day_ms);
  EXPECT_EQ(only_due(), posted + 30 * day_ms) << "a reading that is older than the one there is";
}

TEST_P(FollowedPostsContract, APostOfUnknownAgeIsAsOldAsItsLink) {
  auto id = create(1);
  const Millis from = now_ms();
  link(id, "a");
  const Millis to = now_ms();
  read(id, "a", from + hour_ms + 10'000);
  EXPECT_GE(only_due(), from + 3 * hour_ms);
  EXPECT_LE(only_due(), to + 3 * hour_ms);
  // Its age becomes known.
  link(id, "a", from - 40 * day_ms);
  read(id, "a", from + hour_ms + 20'000);
  EXPECT_EQ(only_due(), from + 50 * day_ms);
}

TEST_P(FollowedPostsContract, WhatWasAskedForIsPutOffLongerAndLongerUntilItIsRead) {
  auto id = create(1);
  link(id, "a", now_ms() - 100 * day_ms);
  Millis now = now_ms(), pause = hour_ms;
  for (int asked = 1; asked <= 15; ++asked, pause = std::min(2 * pause, 30 * day_ms)) {
    auto posts = due(now);
    ASSERT_EQ(posts.size(), 1u) << asked;
    EXPECT_EQ(posts[0].asked, asked - 1);
    segments_.put_off_posts(posts, now);
    segments_.put_off_posts(posts, now);  // once for each turn
    EXPECT_TRUE(due(now + pause - 1).empty()) << asked;
    now += pause;
  }
  link(id, "a", now_ms());
  EXPECT_TRUE(due(now - 1).empty()) << "linking it again is no new turn";
  read(id, "a", now);
  EXPECT_EQ(due(now + longest_pause_ms).at(0).asked, 0);
}

TEST_P(FollowedPostsContract, WhatWasReadSinceItWasListedIsNotPutOff) {
  auto id = create(1);
  const Millis posted = now_ms();
  link(id, "a", posted);
  auto posts = due(now_ms());
  ASSERT_EQ(posts.size(), 1u);
  read(id, "a", posted + 1);
  segments_.put_off_posts(posts, posted + 5);
  EXPECT_EQ(only_due(), posted + 15 * 60'000);
  EXPECT_EQ(due(posted + hour_ms).at(0).asked, 0);
  segments_.put_off_posts({}, posted);
}

TEST_P(FollowedPostsContract, TheLongestDueComeFirstAndNoMoreThanAskedFor) {
  const Millis posted = now_ms() - 100 * day_ms;
  for (int i = 1; i <= 9; ++i) {
    auto id = create(i);
    link(id, "p" + std::to_string(i), posted);
    read(id, "p" + std::to_string(i), posted + (i * 7 % 9) * hour_ms);
  }
  auto all = due(now_ms());
  ASSERT_EQ(all.size(), 9u);
  for (std::size_t i = 1; i < all.size(); ++i) EXPECT_LE(all[i - 1].due_at, all[i].due_at);
  auto some = due(now_ms(), 4);
  ASSERT_EQ(some.size(), 4u);
  for (std::size_t i = 0; i < some.size(); ++i) EXPECT_EQ(some[i].due_at, all[i].due_at);
  EXPECT_TRUE(due(now_ms(), 0).empty());
}

TEST_P(FollowedPostsContract, WhatIsGoneIsFollowedNoMore) {
  auto first = create(1), second = create(2);
  for (const char* post : {"a", "b", "c"}) link(first, post);
  link(second, "d");
  EXPECT_EQ(due_ids(now_ms()), (Ids{"a", "b", "c", "d"}));
  auto listed = due(now_ms());
  segments_.unlink_posts(first, "", SocialMediaPlatform::tiktok, "b");
  EXPECT_EQ(due_ids(now_ms()), (Ids{"a", "c", "d"}));
  segments_.remove_segment(second, "", {});
  EXPECT_EQ(due_ids(now_ms()), (Ids{"a", "c"}));
  segments_.unlink_posts(first, "", SocialMediaPlatform::tiktok, {});
  EXPECT_TRUE(due(now_ms() + longest_pause_ms).empty());
  segments_.put_off_posts(listed, now_ms());
  EXPECT_TRUE(due(now_ms() + longest_pause_ms).empty()) << "putting it off does not bring it back";
  link(first, "b");
  EXPECT_EQ(due_ids(now_ms()), Ids{"b"});
}

TEST_P(FollowedPostsContract, CountsThatTheOwnerTellsAreLeftToTheOwner) {
  auto id = create(1);
  link(id, "a");
  link(id, "reported:tiktok");
  EXPECT_EQ(due_ids(now_ms()), Ids{"a"});
  read(id, "a", now_ms(), MetricsSource::reported);
  EXPECT_TRUE(due(now_ms() + longest_pause_ms).empty());
  link(id, "b");
  EXPECT_EQ(due_ids(now_ms()), Ids{"b"});
  read(id, "a", now_ms() + 1'000, MetricsSource::platform);
  EXPECT_EQ(due_ids(now_ms() + day_ms), (Ids{"a", "b"})) << "its owner asked for a sync of it";
}

TEST_P(FollowedPostsContract, ASegmentThatBringsItsPostsHasThemFollowed) {
  Segment segment = make_segment("v1", 1);
  segment.social_media_usage = {make_post(SocialMediaPlatform::youtube, "y"),
                                make_post(SocialMediaPlatform::tiktok, "t")};
  segments_.create_segment(segment);
  EXPECT_EQ(due_ids(now_ms()), (Ids{"t", "y"}));
  segments_.update_segment(
      segment.segment_id, "", {}, [](Segment& s) { s.title = "New"; }, now_text());
  EXPECT_EQ(due_ids(now_ms()), (Ids{"t", "y"}));
}

TEST_P(FollowedPostsContract, AClockThatWasAheadDelaysNothingBeyondWhatIsUsual) {
  auto id = create(1);
  link(id, "a", now_ms() - 200 * day_ms);
  const Millis ahead = now_ms() + 3'650 * day_ms;
  read(id, "a", ahead);
  auto posts = due(now_ms());
  ASSERT_EQ(posts.size(), 1u) << "the clock is right again";
  segments_.put_off_posts(posts, now_ms());
  EXPECT_TRUE(due(now_ms()).empty());
  EXPECT_EQ(due(now_ms() + hour_ms + 60'000).size(), 1u);
}

}  // namespace segments::contract

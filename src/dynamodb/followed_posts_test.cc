// Hints of due posts: what a kill between hint and segment leaves, and what nobody needs any more.
#include "dynamodb/followed_posts.h"

#include <gtest/gtest.h>

#include "base/ids.h"
#include "dynamodb/test_segments.h"
#include "store/contract.h"

namespace segments::dynamodb {
namespace {

constexpr Millis hour_ms = 3'600'000;

class DynamoFollowedPosts : public testing::Test {
 protected:
  // A segment with that post linked.
  std::string link(int number, const std::string& post_id) {
    auto segment = contract::make_segment("v1", number);
    segments.store.create_segment(segment, {});
    segments.store.link_post(segment.segment_id, "",
                             contract::make_post(SocialMediaPlatform::tiktok, post_id));
    return segment.segment_id;
  }
  FollowedPosts followed(const std::string& segment_id) {
    return followed_posts_of(*table.get(*key_of_segment(segment_id), true));
  }
  std::vector<std::string> due(std::size_t limit = 100) {
    std::vector<std::string> ids;
    for (const auto& post : list_due_posts(table, now_ms(), limit)) ids.push_back(post.post_id);
    return ids;
  }
  int hints() {
    int count = 0;
    Scan scan{.is_strong = true};
    do {
      auto page = table.scan(scan);
      for (const auto& item : page.items) count += text_of(item, "video_id").starts_with("#due#");
      scan.from = std::move(page.last);
    } while (!scan.from.empty());
    return count;
  }
  // A hint that its segment does not name, as old as that.
  void put_stray(const std::string& segment_id, const std::string& post_id, Millis age) {
    FollowedPosts posts;
    posts[post_key(SocialMediaPlatform::tiktok, post_id)] = {
        .since = 1, .due_at = 1'000, .asked = 0, .hint = make_id(now_ms() - age)};
    put_hints(table, segment_id, {}, posts);
  }

  TestSegments segments;
  Table& table = segments.table.table();
  using Ids = std::vector<std::string>;
};

TEST_F(DynamoFollowedPosts, OneHintStandsForEachPost) {
  auto id = link(1, "a");
  EXPECT_EQ(hints(), 1);
  for (int i = 0; i < 3; ++i) {
    auto posts = list_due_posts(table, now_ms() + 90 * 24 * hour_ms, 10);
    ASSERT_EQ(posts.size(), 1u);
    put_off_posts(table, posts, now_ms());
    EXPECT_EQ(hints(), 1);
  }
  EXPECT_EQ(followed(id).begin()->second.asked, 3);
}

TEST_F(DynamoFollowedPosts, StrayHintsAreNoPostsAndGoWhenTheyAreOld) {
  auto id = link(1, "a");
  put_stray(id, "a", 1);
  put_stray(id, "a", hour_ms);
  put_stray(id, "never linked", hour_ms);
  put_stray("seg_gone_001", "b", hour_ms);
  table.put({.item = {{"video_id", text("#due#0")}, {"segment_id", text("00000000000000000001#nonsense")}}});
  EXPECT_EQ(hints(), 6);
  EXPECT_EQ(due(), Ids{"a"});
  EXPECT_EQ(hints(), 2) << "the right one, and the one whose writer may yet write the segment";
}

TEST_F(DynamoFollowedPosts, ManyStrayHintsHideNothing) {
  for (int i = 0; i < 60; ++i) put_stray("seg_gone_" + std::to_string(100 + i), "b", i % 2 ? 1 : hour_ms);
  link(1, "a");
  EXPECT_EQ(due(1), Ids{"a"});
}

TEST_F(DynamoFollowedPosts, HintsOfWhenThereWereFewerPartitionsAreFoundAndGo) {
  auto id = link(1, "a");
  auto posts = followed(id);
  auto& post = posts.begin()->second;
  drop_hints(table, id, posts, {});
  post.hint = make_id(now_ms() - hour_ms);
  Terms terms;
  auto update = "SET " + terms.name("followed") + " = " + terms.value(attribute_of_followed(posts));
  table.update({.key = *key_of_segment(id), .update = std::move(update), .terms = std::move(terms)});
  // In whichever partition its segment's hints do not go now.
  put_hints(table, id, {}, posts);
  Key now_at;
  for (const auto& item : table.scan({.is_strong = true}).items)
    if (text_of(item, "video_id").starts_with("#due#")) now_at = key_of(item);
  const Key before_at{now_at.video_id == "#due#3" ? "#due#4" : "#due#3", now_at.segment_id};
  table.batch_write({item_of(before_at)}, {now_at});

  auto due_posts = list_due_posts(table, now_ms(), 10);
  ASSERT_EQ(due_posts.size(), 1u);
  EXPECT_EQ(due_posts.front().post_id, "a");
  put_off_posts(table, due_posts, now_ms());
  EXPECT_EQ(due(), Ids{});
  EXPECT_EQ(hints(), 1) << "the new one; the old one was dropped by who looked for what is due";
}

TEST_F(DynamoFollowedPosts, WhoIsKilledBeforeTheSegmentIsWrittenHasPutNothingOff) {
  auto id = link(1, "a");
  auto posts = list_due_posts(table, now_ms(), 10);
  segments.fault(R"({"kind":"error","operation":"UpdateItem","status":400,"code":"AccessDeniedException"})");
  EXPECT_THROW(put_off_posts(table, posts, now_ms()), Error);
  EXPECT_EQ(due(), Ids{"a"});
  segments.heal();
  put_off_posts(table, posts, now_ms());
  EXPECT_EQ(due(), Ids{});
  EXPECT_EQ(followed(id).begin()->second.asked, 1);
}

TEST_F(DynamoFollowedPosts, PutOffByManyAtOnceItIsPutOffOnce) {
  std::vector<std::string> ids;
  for (int i = 1; i <= 5; ++i) ids.push_back(link(i, "p" + std::to_string(i)));
  auto posts = list_due_posts(table, now_ms(), 10);
  ASSERT_EQ(posts.size(), 5u);
  const Millis now = now_ms();
  contract::run_at_once(8, [&](int) { put_off_posts(table, posts, now); });
  for (const auto& id : ids) EXPECT_EQ(followed(id).begin()->second.asked, 1);
  EXPECT_EQ(due(), Ids{});
  EXPECT_EQ(list_due_posts(table, now + hour_ms, 10).size(), 5u);
}

}  // namespace
}  // namespace segments::dynamodb

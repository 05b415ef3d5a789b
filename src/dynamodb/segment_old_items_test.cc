// Segments that the earlier service wrote with boto3's put_item: lists of posts, Decimals, sets, times of
// other forms, no version, and attributes that nobody here knows.
#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "dynamodb/test_segments.h"
#include "store/contract.h"

namespace segments::dynamodb {
namespace {

Attribute decimal(const char* text) {
  return {Attribute::Number{text}};
}

Item make_old_item() {
  Item post{{"platform", text("tiktok")},
            {"post_id", text("77")},
            {"post_url", {Attribute::Null{}}},
            {"views", decimal("200")},
            {"likes", decimal("10")},
            {"shares", decimal("0")},
            {"comments", decimal("1E+1")},
            {"engagement_rate", decimal("10.0")},
            {"last_synced", text("2025-07-02T08:00:00.500000+00:00")}};
  return {{"video_id", text("old-video")},
          {"segment_id", text("seg_old-video_001")},
          {"user_id", text("ann")},
          {"segment_type", text("processed")},
          {"segment_number", decimal("1")},
          {"s3_key", text("processed/old-video/1.mp4")},
          {"duration", decimal("29.97")},
          {"file_size", decimal("1048576")},
          {"content_type", text("video/mp4")},
          {"created_at", text("2025-07-01T12:00:00.123456")},
          {"title", text("Old")},
          {"description", {Attribute::Null{}}},
          {"tags", {Attribute::Strings{{"a", "b"}}}},
          {"social_media_usage", {Attribute::List{{post}}}},
          {"download_count", decimal("3")},
          {"thumbnail_url", {Attribute::Null{}}},
          {"legacy_flag", {true}}};
}

class OldItems : public testing::Test {
 protected:
  OldItems() { stores_.table.table().put({.item = make_old_item()}); }
  Item raw() { return *stores_.table.table().get({"old-video", id_}, true); }

  TestSegments stores_;
  DynamoSegmentStore& store_ = stores_.store;
  const std::string id_ = "seg_old-video_001";
};

TEST_F(OldItems, AreShownAsSegments) {
  const Item before = raw();
  auto found = store_.find_segment(id_);
  ASSERT_TRUE(found);
  const auto& segment = found->segment;
  EXPECT_EQ(found->version, 1);
  EXPECT_EQ(segment.created_at, "2025-07-01T12:00:00.123Z");
  EXPECT_EQ(segment.updated_at, segment.created_at);
  EXPECT_EQ(segment.duration, 29.97);
  EXPECT_EQ(segment.file_size, 1'048'576);
  EXPECT_EQ(segment.tags, (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(segment.description);
  EXPECT_EQ(segment.download_count, 3);
  ASSERT_EQ(segment.social_media_usage.size(), 1u);
  EXPECT_EQ(segment.social_media_usage[0].comments, 10);
  EXPECT_EQ(segment.social_media_usage[0].last_synced, "2025-07-02T08:00:00.500Z");
  EXPECT_TRUE(raw() == before) << "reading changes nothing";
}

TEST_F(OldItems, AreListedAmongOursAndPagedByWhatTheyStore) {
  for (int i = 1; i <= 3; ++i) {
    Segment segment = contract::make_segment("v1", i);
    segment.created_at = "2025-07-01T12:00:00.12" + std::to_string(i + 1) + "Z";
    store_.create_segment(segment, {});
  }
  SegmentQuery query;
  query.limit = 1;
  std::vector<std::string> ids;
  for (;;) {
    auto page = store_.list_segments("ann", query);
    EXPECT_EQ(page.total_count, 4);
    for (const auto& segment : page.segments) ids.push_back(segment.segment_id);
    if (!page.next) break;
    query.after = page.next;
  }
  ASSERT_EQ(ids.size(), 4u);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 4u);
  query = {};
  query.created_after = "2025-07-01T12:00:00.123Z";
  EXPECT_EQ(store_.list_segments("ann", query).total_count, 3);
  query.created_before = "2025-07-01T12:00:00.124Z";
  EXPECT_EQ(store_.list_segments("ann", query).total_count, 2);
  EXPECT_EQ(store_.list_video_segments("old-video", "ann", {}).size(), 1u);
  EXPECT_EQ(store_.list_segments_with_posts("ann", {}, "", 10).size(), 1u);
}

TEST_F(OldItems, TakeOurFormWithTheFirstWriteOfAPart) {
  const MetricsReading reading{
      .views = 500, .likes = 20, .shares = 1, .comments = 11, .read_at = "2025-07-03T00:00:00.000Z"};
  EXPECT_TRUE(store_.add_reading(id_, SocialMediaPlatform::tiktok, "77", reading));
  auto usage = store_.find_segment(id_)->segment.social_media_usage;
  ASSERT_EQ(usage.size(), 1u);
  EXPECT_EQ(usage[0].views, 500);
  EXPECT_EQ(store_.list_due_posts(now_ms(), 10).size(), 1u) << "and is followed from now on";
  EXPECT_EQ(store_.link_post(id_, "ann", contract::make_post(SocialMediaPlatform::youtube, "y")),
            LinkOutcome::linked);
  EXPECT_EQ(store_.count_download(id_, "ann", now_text()), 4);
  auto updated = store_.update_segment(
      id_, "ann", 1, [](Segment& s) { s.title = "New"; }, now_text());
  ASSERT_TRUE(updated);
  EXPECT_EQ(updated->version, 2);
  Item item = raw();
  EXPECT_TRUE(std::holds_alternative<Item>(item.at("social_media_usage").value));
  EXPECT_EQ(item.at("legacy_flag"), Attribute{true}) << "what nobody here knows stays";
  EXPECT_EQ(item.at("created_at"), text("2025-07-01T12:00:00.123456")) << "the index sorts by it";
  EXPECT_TRUE(store_.remove_segment(id_, "ann", 2));
}

TEST_F(OldItems, TakeOurFormAlsoWhereOnlyAPartOfItIsMissing) {
  Item item = make_old_item();
  item["social_media_usage"] = {Item{}};
  stores_.table.table().put({.item = item});
  EXPECT_EQ(store_
                .update_segment(
                    id_, "ann", {}, [](Segment& s) { s.title = "A"; }, now_text())
                ->version,
            2);
  item.erase("social_media_usage");
  item["followed"] = {Item{}};
  stores_.table.table().put({.item = item});
  EXPECT_EQ(store_.link_post(id_, "ann", contract::make_post(SocialMediaPlatform::youtube, "y")),
            LinkOutcome::linked);
  item.erase("followed");
  item["social_media_usage"] = {Attribute::Null{}};
  item["version"] = number(std::int64_t{7});
  stores_.table.table().put({.item = item});
  EXPECT_EQ(store_.link_post(id_, "ann", contract::make_post(SocialMediaPlatform::youtube, "y")),
            LinkOutcome::linked);
  EXPECT_EQ(store_.find_segment(id_)->version, 7);
}

TEST_F(OldItems, LoseNothingWhenManyWriteThemFirst) {
  contract::run_at_once(6, [&](int i) {
    store_.link_post(id_, "ann", contract::make_post(SocialMediaPlatform::youtube, std::to_string(i)));
    store_.add_reading(id_, SocialMediaPlatform::youtube, std::to_string(i), make_reading(100 + i));
  });
  auto usages = store_.find_segment(id_)->segment.social_media_usage;
  ASSERT_EQ(usages.size(), 7u);
  std::int64_t views = 0;
  for (const auto& usage : usages) views += usage.views;
  EXPECT_EQ(views, 200 + 615);
}

TEST_F(OldItems, AnIdOfAnotherFormIsAbsent) {
  for (const char* id : {"old-video_1", "seg_", "seg__", "#VIDEO", "seg_old-video_", ""})
    EXPECT_FALSE(store_.find_segment(id)) << id;
  Segment elsewhere = contract::make_segment("v1", 1);
  elsewhere.video_id = "v2";
  EXPECT_THROW(store_.create_segment(elsewhere, {}), Error) << "nobody would find it by its id";
}

}  // namespace
}  // namespace segments::dynamodb

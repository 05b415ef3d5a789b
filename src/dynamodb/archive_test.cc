// What only a table holds, and how it is told as records: the earlier service's items, what killed processes
// leave behind; and what DynamoDB does not take.
#include "dynamodb/archive.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "dynamodb/claims.h"
#include "dynamodb/test_segments.h"
#include "dynamodb/totals.h"
#include "dynamodb/video_store.h"
#include "store/contract.h"

namespace segments::dynamodb {
namespace {

using contract::make_post;
using contract::make_segment;
using Kind = CreateOutcome::Kind;

std::vector<Record> list_all(Archive& archive) {
  std::vector<Record> all;
  std::string cursor;
  do {
    auto page = archive.list_records(cursor, 2, 0);
    std::ranges::move(page.records, std::back_inserter(all));
    cursor = page.next;
  } while (!cursor.empty());
  return all;
}

template <class T>
std::vector<T> all_of(Archive& archive) {
  std::vector<T> out;
  for (auto& record : list_all(archive))
    if (auto* one = std::get_if<T>(&record)) out.push_back(std::move(*one));
  return out;
}

class TableAsRecords : public testing::Test {
 protected:
  TestSegments stores_{{.most_attempts = 1}};
  Table& table_ = stores_.table.table();
  DynamoArchive archive_{table_};
};

TEST_F(TableAsRecords, TheEarlierServicesItemsAreToldWithWhatNobodyHereKnows) {
  Item post{{"platform", text("tiktok")}, {"post_id", text("77")}, {"views", number(std::int64_t{5})}};
  table_.put({.item = {{"video_id", text("old")},
                       {"segment_id", text("seg_old_001")},
                       {"user_id", text("ann")},
                       {"segment_type", text("processed")},
                       {"created_at", text("2025-07-01T12:00:00.123456")},
                       {"tags", {Attribute::Strings{{"b", "a"}}}},
                       {"social_media_usage", {Attribute::List{{post}}}},
                       {"overlays", {Attribute::Strings{{"z", "y"}}}}}});
  table_.put({.item = {{"video_id", text("old")},
                       {"segment_id", text("#VIDEO")},
                       {"user_id", text("ann")},
                       {"upload_date", text("2025-07-01T12:00:00")},
                       {"status", text("uploaded")},
                       {"user_email", text("ann@example.com")}}});
  const auto segments = all_of<SegmentRecord>(archive_);
  ASSERT_EQ(segments.size(), 1u);
  EXPECT_EQ(segments[0].version, 1);
  EXPECT_EQ(segments[0].segment.created_at, "2025-07-01T12:00:00.123Z");
  EXPECT_EQ(segments[0].foreign, R"({"overlays":{"SS":["y","z"]}})");
  ASSERT_EQ(segments[0].followed.size(), 1u);
  EXPECT_EQ(segments[0].followed[0].due_at, *parse_time("2025-07-01T12:00:00.123Z"));
  const auto videos = all_of<VideoRecord>(archive_);
  ASSERT_EQ(videos.size(), 1u);
  EXPECT_EQ(videos[0].video->status, VideoStatus::FAILED);
  EXPECT_EQ(videos[0].foreign, R"({"user_email":{"S":"ann@example.com"}})");

  // In our form it is the same, and followed.
  TestTable other;
  DynamoArchive there(other.table());
  auto all = list_all(archive_);
  EXPECT_EQ(there.put_records(all).changed, 2);
  EXPECT_EQ(sum_records(there, 0), sum_records(archive_, 0));
  DynamoSegmentStore store(other.table(), stores_.events.log(), nullptr);
  EXPECT_EQ(store.list_due_posts(now_ms(), 10).size(), 1u);
}

TEST_F(TableAsRecords, ARequestCountsOnceItsSegmentIsThere) {
  const IdempotencyKey key{"ann#", "a#key", "f"};
  stores_.fault(R"({"kind":"unavailable","operation":"PutItem","skip":1})");
  EXPECT_THROW(stores_.store.create_segment(make_segment("v1", 1, "ann#"), key), Error);
  stores_.heal();
  EXPECT_TRUE(all_of<RequestRecord>(archive_).empty()) << "nothing was made nor answered";
  // Made, and whoever made it was killed before that was noted.
  const IdempotencyKey other{"ann#", "another", "f"};
  stores_.fault(R"({"kind":"unavailable","operation":"PutItem","skip":2})");
  EXPECT_THROW(stores_.store.create_segment(make_segment("v1", 2, "ann#"), other), Error);
  stores_.heal();
  auto requests = all_of<RequestRecord>(archive_);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].user_id, "ann#");
  EXPECT_EQ(requests[0].key, "another");
  EXPECT_EQ(requests[0].segment, make_segment("v1", 2, "ann#"));
  // And removed since: a repetition is answered as ever.
  ASSERT_TRUE(stores_.store.remove_segment("seg_v1_002", "", {}));
  EXPECT_EQ(all_of<RequestRecord>(archive_).size(), 1u);
  EXPECT_TRUE(all_of<SegmentRecord>(archive_).empty());
}

TEST_F(TableAsRecords, LeavesOutTheHistoryOfWhatIsNoMore) {
  auto segment = make_segment("v1", 1);
  stores_.store.create_segment(segment, {});
  stores_.store.link_post(segment.segment_id, "", make_post(SocialMediaPlatform::tiktok, "p"));
  stores_.store.add_reading(segment.segment_id, SocialMediaPlatform::tiktok, "p", make_reading(1));
  EXPECT_EQ(all_of<ReadingRecord>(archive_).size(), 1u);
  // Whoever removed it was killed before its history was gone; another has its id.
  table_.remove({.key = {"v1", segment.segment_id}});
  EXPECT_TRUE(all_of<ReadingRecord>(archive_).empty());
  stores_.store.create_segment(segment, {});
  EXPECT_TRUE(all_of<ReadingRecord>(archive_).empty());
}

TEST_F(TableAsRecords, NamesWhatDynamoDoesNotTake) {
  SegmentRecord good, foreign, large;
  good.segment = make_segment("v1", 1);
  foreign.segment = make_segment("v2", 2);
  foreign.segment.segment_id = "clip-2";
  large.segment = make_segment("v3", 3);
  large.segment.description = std::string(420'000, 'x');
  const std::vector<Record> all{good, foreign, large};
  auto report = archive_.put_records(all);
  EXPECT_EQ(report.changed, 1);
  EXPECT_EQ(std::set(report.refused.begin(), report.refused.end()),
            (std::set<std::string>{"the segment clip-2 has an id that does not hold its video's.",
                                   "the segment seg_v3_003 is larger than DynamoDB's 400 KB."}));
  EXPECT_EQ(all_of<SegmentRecord>(archive_).size(), 1u);
}

TEST_F(TableAsRecords, ATotalInManyItemsIsOneRecordAndComesBackAsOneItem) {
  DynamoTotals totals(table_);
  for (int i = 0; i < 50; ++i) totals.add_total("n", 2);
  const auto told = all_of<TotalRecord>(archive_);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told.front().value, 100);
  const std::vector<Record> same{told.front()};
  EXPECT_EQ(archive_.find_records(same).front(), same.front());
  EXPECT_EQ(archive_.put_records(same).changed, 0);

  const std::vector<Record> other{TotalRecord{"n", 7}};
  EXPECT_EQ(archive_.put_records(other).changed, 1);
  EXPECT_EQ(totals.list_totals().at(0).second, 7);
  totals.add_total("n", 1);
  EXPECT_EQ(totals.list_totals().at(0).second, 8);
  archive_.remove_records(other);
  EXPECT_TRUE(archive_.is_empty());
}

TEST_F(TableAsRecords, ACountThatWasAskedForMeanwhileIsMadeAnew) {
  std::vector<Record> all;
  for (int i = 1; i <= 130; ++i) {
    SegmentRecord record;
    record.segment = make_segment("v" + std::to_string(i % 5), i);
    all.emplace_back(std::move(record));
  }
  archive_.put_records(std::span(all).first(3));
  EXPECT_EQ(stores_.store.list_segments("ann", {}).total_count, 3);
  EXPECT_EQ(archive_.put_records(all).changed, 127);
  EXPECT_EQ(stores_.store.list_segments("ann", {}).total_count, 130);
  archive_.remove_records(std::span(all).first(30));
  EXPECT_EQ(stores_.store.list_segments("ann", {}).total_count, 100);
}

}  // namespace
}  // namespace segments::dynamodb

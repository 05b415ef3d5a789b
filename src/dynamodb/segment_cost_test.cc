// What each verb consumes, as the engine reports it: docs/costs.md says these numbers. dynalite tells the
// table's units; those of an index come with its reads alone.
#include <gtest/gtest.h>

#include "base/error.h"
#include "dynamodb/segment_lists.h"
#include "dynamodb/test_segments.h"
#include "store/contract.h"

namespace segments::dynamodb {
namespace {

using Units = std::map<std::string, double>;
using contract::make_post;

// Of a usual size, between one and two kilobytes.
Segment make_usual(int number, const std::string& video_id = "v1") {
  Segment segment = contract::make_segment(video_id, number);
  segment.title = "A title of a usual length, no longer than people write";
  segment.description = std::string(900, 'd');
  segment.tags = {"summer", "short", "launch"};
  segment.filename = "segment_001.mp4";
  segment.created_at = format_time(1'790'000'000'000 + 1'000LL * number);
  return segment;
}

class SegmentCosts : public testing::Test {
 protected:
  // What `f` consumed.
  template <class F>
  Units cost(F&& f) {
    stores_.table.take_consumed();
    f();
    return stores_.table.take_consumed();
  }
  void fill(int from, int to) {
    std::vector<Item> items;
    for (int i = from; i < to; ++i) {
      StoredSegment stored{.segment = make_usual(i, "v" + std::to_string(i / 10)), .made_id = "m"};
      items.push_back(make_item(stored));
    }
    stores_.table.table().batch_write(items, {});
  }

  TestSegments stores_;
  DynamoSegmentStore& store_ = stores_.store;
  const std::string id_ = make_usual(1).segment_id;
};

TEST_F(SegmentCosts, OneSegment) {
  EXPECT_EQ(cost([&] { store_.create_segment(make_usual(0), {}); }).at("PutItem"), 2);
  // Its video is the user's: that is read, the segment written, the count raised. The indexes come besides.
  EXPECT_EQ(cost([&] { store_.create_segment(make_usual(1), {}); }),
            (Units{{"GetItem", 0.5}, {"PutItem", 2}, {"UpdateItem", 1}}));
  EXPECT_EQ(cost([&] { store_.find_segment(id_); }), (Units{{"GetItem", 0.5}}));
  EXPECT_EQ(cost([&] { store_.find_segment("seg_v1_none"); }), (Units{{"GetItem", 1.5}}))
      << "absence is asked for certain";
  EXPECT_EQ(cost([&] { store_.count_download(id_, "ann", now_text()); }), (Units{{"UpdateItem", 2}}));
  EXPECT_EQ(cost([&] {
              store_.update_segment(
                  id_, "ann", {}, [](Segment& s) { s.title = "B"; }, now_text());
            }),
            (Units{{"GetItem", 1}, {"UpdateItem", 2}}));
  auto removal = cost([&] { store_.remove_segment(id_, "ann", {}); });
  EXPECT_LE(removal.at("Query"), 0.5) << "its history, of which there is none";
  removal.erase("Query");
  EXPECT_EQ(removal, (Units{{"GetItem", 1}, {"DeleteItem", 2}, {"UpdateItem", 1}}));
}

TEST_F(SegmentCosts, AReadingOfAPost) {
  store_.create_segment(make_usual(1), {});
  store_.link_post(id_, "ann", make_post(SocialMediaPlatform::tiktok, "1"));
  auto units = cost([&] {
    store_.add_reading(id_, SocialMediaPlatform::tiktok, "1",
                       {.views = 1, .likes = 2, .shares = 3, .comments = 4, .read_at = now_text()});
  });
  // The segment, strongly; the history's item and the hint when to read it next, in one; its post.
  EXPECT_EQ(units.at("UpdateItem"), 2);
  EXPECT_LE(units.at("GetItem"), 1);
  EXPECT_LE(units.at("BatchWriteItem"), 2);
  EXPECT_EQ(units.size(), 3u);
  // Who has found the segment before, as the task does, reads it no second time; the hint that was true
  // before goes along.
  store_.find_segment(id_);
  auto further = cost([&] {
    store_.add_reading(id_, SocialMediaPlatform::tiktok, "1",
                       {.views = 2, .likes = 3, .shares = 4, .comments = 5, .read_at = now_text()});
  });
  EXPECT_EQ(further, (Units{{"BatchWriteItem", 3}, {"UpdateItem", 2}}));
}

TEST_F(SegmentCosts, TheNewestTwentyCostTheSameInEveryLibrary) {
  SegmentQuery query;
  query.limit = 20;
  auto list = [&] {
    auto page = store_.list_segments("ann", query);
    EXPECT_EQ(page.segments.size(), 20u);
    return page;
  };
  fill(0, 100);
  EXPECT_EQ(list().total_count, 100);  // counts, once
  auto at_a_hundred = cost(list);
  query.after = list().next;
  auto page_two_at_a_hundred = cost(list);
  query.after.reset();

  fill(100, 5'000);
  EXPECT_EQ(cost(list), at_a_hundred);
  query.after = list().next;
  EXPECT_EQ(cost(list), page_two_at_a_hundred);
  // 21 rows of the index, 20 segments at half a unit, and the count.
  EXPECT_EQ(at_a_hundred.at("BatchGetItem"), 10);
  EXPECT_LE(at_a_hundred.at("Query"), 3);
  EXPECT_EQ(at_a_hundred.at("GetItem"), 0.5);
  query.descending = false;
  query.after.reset();
  EXPECT_EQ(cost(list), at_a_hundred) << "the oldest";
}

TEST_F(SegmentCosts, AListThatNoIndexGivesReadsNoMoreThanItSays) {
  fill(0, 200);
  SegmentQuery query;
  query.sort_by = SegmentOrder::duration;
  query.limit = 20;
  auto by_duration = cost([&] { EXPECT_EQ(store_.list_segments("ann", query).total_count, 200); });
  EXPECT_EQ(by_duration.at("BatchGetItem"), 10) << "only the page is read whole";
  query.min_downloads = 1;
  auto by_downloads = cost([&] { EXPECT_EQ(store_.list_segments("ann", query).total_count, 0); });
  EXPECT_EQ(by_downloads.at("BatchGetItem"), 100) << "no index holds what is asked for";
  query.video_id = "v3";
  auto of_video = cost([&] { EXPECT_EQ(store_.list_segments("ann", query).total_count, 0); });
  EXPECT_EQ(of_video.size(), 1u);
  EXPECT_LE(of_video.at("Query"), 5);
}

TEST_F(SegmentCosts, AListThatWouldReadTooMuchIsRefused) {
  constexpr std::int64_t most = 150;
  fill(0, most + 1);
  auto& table = stores_.table.table();
  SegmentQuery query;
  query.sort_by = SegmentOrder::duration;
  try {
    list_segments(table, "ann", query, most);
    ADD_FAILURE() << "it was not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid);
    EXPECT_NE(std::string(error.what()).find("created_after"), std::string::npos);
  }
  EXPECT_EQ(list_segments(table, "ann", query, most + 1).total_count, most + 1);
  query.created_before = make_usual(most - 1).created_at;
  EXPECT_EQ(list_segments(table, "ann", query, most).total_count, most - 1) << "narrowed it is not too much";
  query = {};
  auto page = list_segments(table, "ann", query, most);
  EXPECT_EQ(page.total_count, most + 1) << "the newest first is never too much";
  EXPECT_EQ(page.segments.size(), 50u);
}

}  // namespace
}  // namespace segments::dynamodb

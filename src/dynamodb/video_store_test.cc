// What is DynamoDB's own about videos: steps that a kill parts, answers that do not come, and what the
// earlier service wrote.
#include "dynamodb/video_store.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/ids.h"
#include "describe/decode.h"
#include "dynamodb/claims.h"
#include "dynamodb/old_item.h"
#include "dynamodb/test_segments.h"
#include "dynamodb/totals.h"
#include "dynamodb/waiting_videos.h"
#include "store/contract.h"

namespace segments::dynamodb {
namespace {

using contract::make_progress;
using contract::make_video;

constexpr Millis one_hour_ms = 3'600'000;
const Millis uploaded = *parse_time("2026-11-22T10:00:00.000Z");

class DynamoVideos : public testing::Test {
 protected:
  DynamoVideos() { engines::dynamodb().as_new(); }
  ~DynamoVideos() override { engines::dynamodb().as_new(); }
  void fault(const std::string& json) { engines::dynamodb().fault(json); }

  std::vector<std::string> waiting() {
    std::vector<std::string> ids;
    for (const auto& video : store.list_waiting_videos(now_ms(), "", 100)) ids.push_back(video.video_id);
    return ids;
  }
  // As if it had been written so long ago.
  void put_old_waiting_hint(const std::string& video_id, Millis age) {
    table.put({.item = {{"video_id", text("#waiting")},
                        {"segment_id", text(video_id)},
                        {"hint", text(make_id(now_ms() - age))}}});
  }
  bool has_waiting_hint(const std::string& video_id) {
    return table.get({"#waiting", video_id}, true).has_value();
  }

  TestEvents events;
  TestTable test_table;
  Table& table = test_table.table();
  DynamoVideoStore store{table, events.log()};
};

// Every write that may have been carried out unseen is done once, and is said to be.
class UnseenAnswers : public DynamoVideos, public testing::WithParamInterface<const char*> {};

TEST_P(UnseenAnswers, AreOurOwnDoing) {
  const std::string kind = GetParam();
  auto fault_on = [&](const std::string& operation) {
    engines::dynamodb().as_new();
    fault(R"({"kind":")" + kind + R"(","operation":")" + operation + R"(","done":true,"times":1})");
  };
  fault_on("PutItem");
  EXPECT_TRUE(store.create_video(make_video("v1"), ""));
  EXPECT_FALSE(store.create_video(make_video("v1"), "")) << "but it is there now";
  fault_on("UpdateItem");
  EXPECT_TRUE(store.put_progress(make_progress("v1", "extracting", 10), false));
  fault_on("UpdateItem");
  EXPECT_TRUE(store.put_progress(make_progress("v1", "completed", 100), false));
  EXPECT_EQ(events.types(), (std::vector<std::string>{"job.progress", "job.completed"}));
  fault_on("UpdateItem");
  EXPECT_TRUE(store.update_video("v1", 12.0, {}, {}));
  EXPECT_EQ(store.find_video("v1")->duration, 12);
  fault_on("UpdateItem");
  EXPECT_TRUE(store.claim_video("v2", "ann", false));
  fault_on("PutItem");
  EXPECT_TRUE(store.remove_video("v1"));
  EXPECT_FALSE(store.remove_video("v1"));
}

INSTANTIATE_TEST_SUITE_P(Kinds, UnseenAnswers,
                         testing::Values("reset", "truncate", "bad_crc", "internal_error", "close"),
                         [](const auto& info) { return std::string(info.param); });

TEST_F(DynamoVideos, ATotalIsNeverAddedTwice) {
  DynamoTotals totals(table);
  totals.add_total("n", 1);
  fault(R"({"kind":"reset","operation":"UpdateItem","done":true,"times":1})");
  EXPECT_THROW(totals.add_total("n", 10), Error);
  engines::dynamodb().as_new();
  EXPECT_EQ(totals.list_totals(), (std::vector<std::pair<std::string, std::int64_t>>{{"n", 11}}));
  fault(R"({"kind":"throttle","operation":"UpdateItem","times":2})");
  totals.add_total("n", 100);
  EXPECT_EQ(totals.list_totals().at(0).second, 111);
}

TEST_F(DynamoVideos, ATotalIsSpreadOverPartitionsAndSummedUpWithWhatOlderProcessesAdd) {
  DynamoTotals totals(table), others(table);
  for (int i = 0; i < 100; ++i) totals.add_total("n", 1);
  contract::run_at_once(4, [&](int) {
    for (int i = 0; i < 25; ++i) others.add_total("n", 10);
  });
  // As processes do that know of one item alone.
  Terms terms;
  auto update = "ADD " + terms.name("n") + " " + terms.value(std::int64_t{5'000});
  table.update({.key = {"#totals", "n"}, .update = std::move(update), .terms = std::move(terms)});
  totals.add_total("other", 7);
  using Entry = std::pair<std::string, std::int64_t>;
  EXPECT_EQ(totals.list_totals(), (std::vector<Entry>{{"n", 6'100}, {"other", 7}}));

  int parts = 0;
  std::int64_t most = 0;
  for (const auto& item : table.scan({.is_strong = true}).items) {
    if (!text_of(item, "video_id").starts_with("#totals#")) continue;
    ++parts;
    most = std::max(most, integer_of(item, "n"));
  }
  EXPECT_GT(parts, 20) << "of 32, by 200 additions";
  EXPECT_LT(most, 300) << "none has the most of them";
}

TEST_F(DynamoVideos, ManyWhoMoveOneJobAllSucceedAndItNeverFallsBack) {
  store.create_video(make_video("v1"), "");
  contract::run_at_once(
      30, [&](int i) { EXPECT_TRUE(store.put_progress(make_progress("v1", "segmenting", i), false)); });
  EXPECT_EQ(store.find_video("v1")->progress, 29);
  EXPECT_EQ(events.types().size(), 30u);
  double last = 0;
  for (const auto& event : events.log().list_events({}, 0, 100)) {
    auto told = decode<JobProgress>(event.data).progress_percentage;
    last = std::max(last, told);
  }
  EXPECT_EQ(last, 29);
}

TEST_F(DynamoVideos, OneOfManyEndsAJobThoughAnswersAreLost) {
  store.create_video(make_video("v1"), "");
  fault(R"({"kind":"reset","operation":"UpdateItem","done":true,"times":4})");
  contract::run_at_once(
      12, [&](int i) { EXPECT_TRUE(store.put_progress(make_progress("v1", "uploading", i), false)); });
  EXPECT_EQ(events.types().size(), 12u);
  engines::dynamodb().as_new();
  fault(R"({"kind":"reset","operation":"UpdateItem","done":true,"times":2})");
  std::atomic<int> ended = 0;
  contract::run_at_once(12, [&](int i) {
    ended += store.put_progress(make_progress("v1", i % 2 ? "cancelled" : "completed", 100), false);
  });
  EXPECT_EQ(ended, 1);
  EXPECT_EQ(events.types().size(), 13u);
}

TEST_F(DynamoVideos, AHintWithoutItsVideoIsDroppedWhenItsWriterMustBeGone) {
  put_waiting_hint(table, "young");
  put_old_waiting_hint("old", one_hour_ms);
  EXPECT_TRUE(waiting().empty());
  EXPECT_TRUE(has_waiting_hint("young")) << "its writer may yet write the video";
  EXPECT_FALSE(has_waiting_hint("old"));
  EXPECT_TRUE(store.create_video(make_video("young"), "{}"));
  EXPECT_EQ(waiting(), std::vector<std::string>{"young"});
}

TEST_F(DynamoVideos, AVideoThatWaitsAgainIsFoundAgain) {
  store.create_video(make_video("v1"), "{}");
  EXPECT_TRUE(store.put_progress(make_progress("v1", "failed", 1), false));
  put_old_waiting_hint("v1", one_hour_ms);
  EXPECT_TRUE(waiting().empty());
  EXPECT_FALSE(has_waiting_hint("v1"));
  EXPECT_TRUE(store.put_progress(make_progress("v1", "queued", 0), true));
  EXPECT_EQ(waiting(), std::vector<std::string>{"v1"});
}

TEST_F(DynamoVideos, APageOfStaleHintsHidesNothing) {
  for (int i = 0; i < 30; ++i) put_old_waiting_hint("a" + std::to_string(100 + i), one_hour_ms);
  for (const char* id : {"b1", "b2", "b3"}) {
    auto video = make_video(id);
    video.upload_date = format_time(uploaded);
    store.create_video(video, "{}");
  }
  auto found = store.list_waiting_videos(now_ms(), "", 2);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[1].video_id, "b2");
  found = store.list_waiting_videos(now_ms(), "b2", 2);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].video_id, "b3");
}

TEST_F(DynamoVideos, WhatTheEarlierServiceWroteIsReadAndGoesOn) {
  Item item = {{"video_id", text("v1")},
               {"segment_id", text("#VIDEO")},
               {"owner", text("ann")},
               {"claimed", {true}},
               {"user_id", text("ann")},
               {"title", text("Old")},
               {"filename", text("old.mp4")},
               {"upload_date", text("2025-07-05T09:32:00.123456")},
               {"status", text("PROCESSING")},
               {"duration", Attribute{Attribute::Number{"91.70"}}},
               {"output_s3_urls",
                Attribute{Attribute::List{
                    text("https://clips.s3.amazonaws.com/processed/v1/segment%20001.mp4?X-Amz-Signature=1"),
                    text("processed/v1/segment_002.mp4")}}},
               {"user_email", text("ann@example.com")}};
  table.put({.item = item});
  auto video = store.find_video("v1");
  ASSERT_TRUE(video);
  EXPECT_EQ(video->upload_date, "2025-07-05T09:32:00.123Z");
  EXPECT_EQ(video->duration, 91.7);
  EXPECT_EQ(video->output_s3_urls,
            (std::vector<std::string>{"processed/v1/segment 001.mp4", "processed/v1/segment_002.mp4"}));
  EXPECT_EQ(store.list_videos("ann", 10, 0).videos, std::vector<Video>{*video});
  EXPECT_TRUE(store.put_progress(make_progress("v1", "completed", 100), false));
  EXPECT_TRUE(store.update_video("v1", 92.0, {}, {}));
  EXPECT_EQ(text_of(*table.get(video_key("v1"), true), "user_email"), "ann@example.com");
  // Without a status, or with one of its own: done if there is anything to show.
  item["status"] = text("UNKNOWN");
  table.put({.item = item});
  EXPECT_EQ(store.find_video("v1")->status, VideoStatus::COMPLETED);
  EXPECT_EQ(store.find_video("v1")->progress, 100);
  item.erase("status");
  item.erase("output_s3_urls");
  table.put({.item = item});
  EXPECT_EQ(store.find_video("v1")->status, VideoStatus::FAILED);
}

TEST_F(DynamoVideos, WhoseAnItemWithoutOwnerIsItsUserSays) {
  auto put = [&] {
    table.put({.item = {{"video_id", text("v1")},
                        {"segment_id", text("#VIDEO")},
                        {"user_id", text("ann")},
                        {"upload_date", text("2025-07-05T09:32:00.123456")}}});
  };
  put();
  EXPECT_EQ(store.find_owner("v1"), "ann");
  EXPECT_FALSE(store.claim_video("v1", "bob", false));
  EXPECT_FALSE(store.claim_video("v1", "bob", true)) << "a video is there";
  EXPECT_FALSE(claim(table, "v1", "bob"));
  EXPECT_TRUE(find_claim(table, "v1", true).is_of("ann"));
  EXPECT_EQ(store.find_owner("v1"), "ann");
  EXPECT_TRUE(claim(table, "v1", "ann"));
  EXPECT_EQ(store.find_owner("v1"), "ann");
  put();
  EXPECT_TRUE(store.remove_video("v1"));
  EXPECT_FALSE(store.find_owner("v1"));
  EXPECT_FALSE(store.create_video(make_video("v1", "bob"), "")) << "its id stays whose it was";
  EXPECT_TRUE(store.create_video(make_video("v1", "ann"), ""));
}

TEST(ObjectKey, IsFoundInEveryAddress) {
  for (const char* address :
       {"a/b c.mp4", "s3://bucket/a/b c.mp4", "https://bucket.s3.eu-west-1.amazonaws.com/a/b%20c.mp4",
        "https://bucket.s3.amazonaws.com/a/b%20c.mp4?X-Amz-Expires=1&x=/y",
        "https://s3.eu-west-1.amazonaws.com/bucket/a/b%20c.mp4",
        "https://s3-us-west-2.amazonaws.com/bucket/a/b%20c.mp4", "https://d1.cloudfront.net/a/b%20c.mp4"})
    EXPECT_EQ(object_key_of(address), "a/b c.mp4") << address;
  EXPECT_EQ(object_key_of(""), "");
  EXPECT_EQ(object_key_of("https://"), "");
  EXPECT_EQ(object_key_of("https://s3.amazonaws.com"), "");
  EXPECT_EQ(object_key_of("https://b.s3.amazonaws.com/100%"), "100%");
}

TEST(OldItem, WithoutAVideoIsNone) {
  EXPECT_FALSE(convert_old_item({}));
  EXPECT_FALSE(convert_old_item({{"segment_id", text("of nobody")}}));
  EXPECT_FALSE(convert_old_item({{"video_id", text("#VIDEO")}}));
  EXPECT_TRUE(convert_old_item({{"segment_id", text("seg_v1_001")}}));
}

TEST(OldItem, NumbersLostSegmentsByNameOrPlace) {
  auto ids = [](std::vector<std::string> urls) {
    Attribute::List list;
    for (const auto& url : urls) list.push_back(text(url));
    auto converted = convert_old_item({{"video_id", text("v")}, {"output_s3_urls", {list}}});
    std::vector<std::string> ids;
    for (const auto& segment : converted->segments)
      ids.push_back(text_of(segment, "segment_id") + " " + text_of(segment, "s3_key"));
    return ids;
  };
  using Ids = std::vector<std::string>;
  EXPECT_EQ(ids({"p/segment_002.mp4", "p/segment_001.mp4"}),
            (Ids{"seg_v_002 p/segment_002.mp4", "seg_v_001 p/segment_001.mp4"}));
  EXPECT_EQ(ids({"p/intro.mp4", "p/end7.mp4"}), (Ids{"seg_v_001 p/intro.mp4", "seg_v_002 p/end7.mp4"}));
  EXPECT_EQ(ids({"a/part1.mp4", "b/part1.mp4"}), (Ids{"seg_v_001 a/part1.mp4", "seg_v_002 b/part1.mp4"}));
  EXPECT_EQ(ids({"a.mp4", "a.mp4"}), (Ids{"seg_v_001 a.mp4"})) << "one object is one segment";
}

TEST(OldItem, DigestsTellContentsNotTheirOrder) {
  Item one = {{"n", Attribute{Attribute::Number{"12.50"}}}, {"s", Attribute{Attribute::Strings{{"a", "b"}}}}};
  Item same = {{"n", Attribute{Attribute::Number{"12.5"}}}, {"s", Attribute{Attribute::Strings{{"b", "a"}}}}};
  Item other = {{"n", Attribute{Attribute::Number{"12.5"}}},
                {"s", Attribute{Attribute::Strings{{"b", "c"}}}}};
  EXPECT_EQ(digest_of(one), digest_of(same));
  EXPECT_NE(digest_of(one), digest_of(other));
  EXPECT_NE(digest_of({{"a", text("1")}}), digest_of({{"a", number(std::int64_t{1})}}));
}

}  // namespace
}  // namespace segments::dynamodb

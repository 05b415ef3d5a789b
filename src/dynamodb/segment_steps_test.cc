// Each verb is a few writes, one after the other: what is left when they end in the middle, and when an
// answer is lost though the write was done.
#include <gtest/gtest.h>

#include "base/error.h"
#include "dynamodb/claims.h"
#include "dynamodb/test_segments.h"
#include "dynamodb/video_store.h"
#include "store/contract.h"

namespace segments::dynamodb {
namespace {

using Kind = CreateOutcome::Kind;
using contract::make_post;
using contract::make_segment;

const IdempotencyKey the_key{"ann", "key", "digest"};

// Nothing is tried again that did not go well at once: as if the process had ended there.
constexpr aws::RetryPolicy one_try{.most_attempts = 1};
constexpr aws::RetryPolicy quick{
    .most_attempts = 4, .base_ms = 1, .throttled_base_ms = 1, .most_delay_ms = 2};

template <class F>
bool is_unavailable(F&& f) {
  try {
    f();
    return false;
  } catch (const Error& error) {
    return error.kind() == ErrorKind::unavailable;
  }
}

// The request is answered by nobody though it is carried out.
std::string lost(const std::string& operation, const std::string& contains = "") {
  return R"({"kind":"reset","done":true,"operation":")" + operation + R"(","contains":")" + contains +
         R"("})";
}

class SegmentSteps : public testing::Test {
 protected:
  std::int64_t total(TestSegments& stores) { return stores.store.list_segments("ann", {}).total_count; }
};

TEST_F(SegmentSteps, ARequestThatEndedBeforeItsSegmentIsFinishedByItsRepetition) {
  TestSegments stores(one_try);
  stores.fault(R"({"kind":"unavailable","operation":"PutItem","skip":1})");
  EXPECT_TRUE(is_unavailable([&] { stores.store.create_segment(make_segment("v1", 1), the_key); }));
  EXPECT_EQ(total(stores), 0);
  stores.heal();
  auto outcome = stores.store.create_segment(make_segment("v1", 2), the_key);
  EXPECT_EQ(outcome.kind, Kind::replayed);
  EXPECT_EQ(outcome.segment.segment, make_segment("v1", 1));
  EXPECT_TRUE(stores.store.find_segment("seg_v1_001"));
  EXPECT_FALSE(stores.store.find_segment("seg_v1_002"));
  EXPECT_EQ(stores.events.types(), std::vector<std::string>{"segment.created"});
}

TEST_F(SegmentSteps, ARequestThatEndedAfterItsSegmentMakesNoSecondOne) {
  TestSegments stores(one_try);
  stores.fault(R"({"kind":"unavailable","operation":"PutItem","skip":2})");
  EXPECT_TRUE(is_unavailable([&] { stores.store.create_segment(make_segment("v1", 1), the_key); }));
  stores.heal();
  EXPECT_EQ(total(stores), 1);
  for (int i = 2; i < 4; ++i) {
    auto outcome = stores.store.create_segment(make_segment("v1", i), the_key);
    EXPECT_EQ(outcome.kind, Kind::replayed);
    EXPECT_EQ(outcome.segment.segment.segment_id, "seg_v1_001");
  }
  EXPECT_EQ(total(stores), 1);
}

TEST_F(SegmentSteps, WhatWasRemovedIsNotBroughtBackByTheRequestThatMadeIt) {
  TestSegments stores(one_try);
  stores.fault(R"({"kind":"unavailable","operation":"PutItem","skip":2})");
  EXPECT_TRUE(is_unavailable([&] { stores.store.create_segment(make_segment("v1", 1), the_key); }));
  stores.heal();
  EXPECT_TRUE(stores.store.remove_segment("seg_v1_001", "ann", {}));
  EXPECT_FALSE(stores.store.remove_segment("seg_v1_001", "ann", {}));
  EXPECT_EQ(stores.store.create_segment(make_segment("v1", 2), the_key).kind, Kind::replayed);
  EXPECT_FALSE(stores.store.find_segment("seg_v1_001"));
  EXPECT_FALSE(stores.store.count_download("seg_v1_001", "", now_text()));
  EXPECT_TRUE(stores.store.list_video_segments("v1", "", {}).empty());
  EXPECT_EQ(total(stores), 0);
  // Another request may take the id.
  EXPECT_EQ(stores.store.create_segment(make_segment("v1", 1), IdempotencyKey{"ann", "other", "d"}).kind,
            Kind::created);
  EXPECT_EQ(total(stores), 1);
}

TEST_F(SegmentSteps, ARequestThatCouldMakeNothingKeepsNoKeyWhoeverFindsThat) {
  TestSegments stores(one_try);
  stores.store.create_segment(make_segment("v1", 1), {});
  stores.fault(R"({"kind":"unavailable","operation":"PutItem","skip":1})");
  EXPECT_TRUE(is_unavailable([&] { stores.store.create_segment(make_segment("v1", 1), the_key); }));
  stores.heal();
  auto outcome = stores.store.create_segment(make_segment("v1", 2), the_key);
  EXPECT_EQ(outcome.kind, Kind::created);
  EXPECT_EQ(outcome.segment.segment.segment_id, "seg_v1_002");
}

TEST_F(SegmentSteps, ALostAnswerIsLookedUp) {
  TestSegments stores(quick);
  auto& store = stores.store;
  stores.fault(lost("PutItem"));
  EXPECT_EQ(store.create_segment(make_segment("v1", 1), {}).kind, Kind::created);
  stores.fault(lost("UpdateItem"));
  auto updated = store.update_segment(
      "seg_v1_001", "ann", 1, [](Segment& s) { s.title = "new"; }, now_text());
  ASSERT_TRUE(updated);
  EXPECT_EQ(updated->version, 2);
  EXPECT_EQ(store.find_segment("seg_v1_001")->version, 2);
  stores.fault(lost("UpdateItem", "updated_at"));
  EXPECT_EQ(store.link_post("seg_v1_001", "ann", make_post(SocialMediaPlatform::tiktok, "1")),
            LinkOutcome::linked);
  EXPECT_EQ(store.find_segment("seg_v1_001")->segment.social_media_usage.size(), 1u);
  stores.fault(lost("BatchWriteItem"));
  stores.fault(lost("UpdateItem"));
  EXPECT_TRUE(store.add_reading("seg_v1_001", SocialMediaPlatform::tiktok, "1", make_reading(5)));
  EXPECT_EQ(store.list_history("seg_v1_001", 10).size(), 1u);
  stores.fault(lost("UpdateItem", "updated_at"));
  EXPECT_EQ(store.unlink_posts("seg_v1_001", "ann", SocialMediaPlatform::tiktok, {}), 1);
  stores.fault(lost("DeleteItem"));
  EXPECT_TRUE(store.remove_segment("seg_v1_001", "ann", {}));
  EXPECT_FALSE(store.find_segment("seg_v1_001"));
  EXPECT_EQ(stores.events.types(),
            (std::vector<std::string>{"segment.created", "segment.updated", "segment.updated",
                                      "social.synced", "segment.updated", "segment.deleted"}));
}

TEST_F(SegmentSteps, ADownloadWhoseAnswerIsLostIsNeverCountedTwice) {
  TestSegments stores(quick);
  stores.store.create_segment(make_segment("v1", 1), {});
  stores.fault(lost("UpdateItem"));
  EXPECT_TRUE(is_unavailable([&] { stores.store.count_download("seg_v1_001", "ann", now_text()); }));
  EXPECT_EQ(stores.store.find_segment("seg_v1_001")->segment.download_count, 1);
  stores.fault(R"({"kind":"throttle","operation":"UpdateItem","times":2})");
  EXPECT_EQ(stores.store.count_download("seg_v1_001", "ann", now_text()), 2)
      << "what was refused is sent again";
}

TEST_F(SegmentSteps, ACountThatWentWrongIsHealed) {
  TestSegments stores(one_try);
  for (int i = 1; i <= 3; ++i) stores.store.create_segment(make_segment("v1", i), {});
  SegmentQuery one;
  one.limit = 1;
  EXPECT_EQ(stores.store.list_segments("ann", one).total_count, 3);
  // The segment is there all the same, and so is the event.
  stores.fault(R"({"kind":"unavailable","operation":"UpdateItem","contains":"#user#"})");
  EXPECT_EQ(stores.store.create_segment(make_segment("v1", 4), {}).kind, Kind::created);
  stores.heal();
  EXPECT_EQ(stores.events.types().size(), 4u);
  EXPECT_EQ(stores.store.list_segments("ann", one).total_count, 3) << "not known yet";
  EXPECT_EQ(stores.store.list_segments("ann", {}).total_count, 4) << "but to who reads them all";
  // Eleven minutes later.
  const Millis past = now_ms() - 11 * 60'000;
  Terms terms;
  Changes changes;
  changes.set(terms.name("changed_at"), terms.value(past));
  changes.set(terms.name("recount_at"), terms.value(past + 60'000));
  stores.table.table().update({.key = {"#user#ann", "#COUNT"}, .update = changes.text(), .terms = terms});
  EXPECT_EQ(stores.store.list_segments("ann", one).total_count, 4);
}

// The removal of a video begins after its task has asked, and before the segment is there.
TEST_F(SegmentSteps, ASegmentOfAVideoWhoseRemovalBeganMeanwhileIsTakenBack) {
  TestSegments stores;
  DynamoVideoStore videos(stores.table.table(), stores.events.log());
  videos.create_video(contract::make_video("v1"), "");
  bool has_begun = false;
  Table table(stores.table.client(), stores.table.name(), [&](const Consumption& one) {
    if (one.operation != "PutItem" || std::exchange(has_begun, true)) return;
    videos.begin_removal("v1");
  });
  DynamoSegmentStore store(table, stores.events.log());
  const auto before = stores.events.types().size();
  EXPECT_EQ(store.put_segment_from_media(make_segment("v1", 1)), MediaOutcome::removed);
  EXPECT_TRUE(has_begun);
  EXPECT_FALSE(store.find_segment("seg_v1_001"));
  EXPECT_EQ(stores.events.types().size(), before);
}

TEST_F(SegmentSteps, AnotherSegmentOfTheIdHasAHistoryOfItsOwn) {
  TestSegments stores(one_try);
  auto& store = stores.store;
  store.create_segment(make_segment("v1", 1), {});
  store.link_post("seg_v1_001", "ann", make_post(SocialMediaPlatform::tiktok, "1"));
  store.add_reading("seg_v1_001", SocialMediaPlatform::tiktok, "1", make_reading(5));
  stores.fault(R"({"kind":"unavailable","operation":"BatchWriteItem"})");
  EXPECT_TRUE(store.remove_segment("seg_v1_001", "ann", {})) << "its history is left behind";
  stores.heal();
  store.create_segment(make_segment("v1", 1), {});
  EXPECT_TRUE(store.list_history("seg_v1_001", 10).empty());
}

// Who has found the segment a moment ago reads it no second time, but where it has changed since.
TEST_F(SegmentSteps, AReadingOfASegmentThatHasChangedSinceItWasFoundIsKeptAllTheSame) {
  TestSegments stores;
  auto& store = stores.store;
  DynamoSegmentStore other(stores.table.table(), stores.events.log());
  const auto tiktok = SocialMediaPlatform::tiktok;
  auto views = [&] { return store.find_segment("seg_v1_001")->segment.social_media_usage.at(0).views; };
  store.create_segment(make_segment("v1", 1), {});
  store.link_post("seg_v1_001", "ann", make_post(tiktok, "1"));

  store.find_segment("seg_v1_001");
  EXPECT_TRUE(other.add_reading("seg_v1_001", tiktok, "1", make_reading(5, "2026-01-01T00:00:05.000Z")));
  EXPECT_TRUE(store.add_reading("seg_v1_001", tiktok, "1", make_reading(4, "2026-01-01T00:00:04.000Z")));
  EXPECT_EQ(views(), 5) << "an older one goes into the history alone";
  EXPECT_TRUE(store.add_reading("seg_v1_001", tiktok, "1", make_reading(6, "2026-01-01T00:00:06.000Z")));
  EXPECT_EQ(views(), 6);
  EXPECT_EQ(store.list_history("seg_v1_001", 10).size(), 3u);

  store.find_segment("seg_v1_001");
  other.unlink_posts("seg_v1_001", "ann", tiktok, {});
  EXPECT_FALSE(store.add_reading("seg_v1_001", tiktok, "1", make_reading(7, "2026-01-01T00:00:07.000Z")));

  store.link_post("seg_v1_001", "ann", make_post(tiktok, "1"));
  store.find_segment("seg_v1_001");
  other.remove_segment("seg_v1_001", "ann", {});
  other.create_segment(make_segment("v1", 1), {});
  other.link_post("seg_v1_001", "ann", make_post(tiktok, "1"));
  EXPECT_TRUE(store.add_reading("seg_v1_001", tiktok, "1", make_reading(8, "2026-01-01T00:00:08.000Z")));
  EXPECT_EQ(views(), 8);
  EXPECT_EQ(store.list_history("seg_v1_001", 10).size(), 1u) << "another segment's is not its own";
}

TEST_F(SegmentSteps, ARecordThatIsTooLargeIsRefusedAsThat) {
  TestSegments stores;
  Segment large = make_segment("v1", 1);
  for (int i = 0; i < 1'500; ++i) {
    large.social_media_usage.push_back(
        make_post(SocialMediaPlatform::tiktok, std::to_string(i) + std::string(190, 'x')));
    large.social_media_usage.back().source = MetricsSource::reported;  // not followed
  }
  try {
    stores.store.create_segment(large, {});
    ADD_FAILURE() << "400 KB is the bound";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::too_large);
  }
  EXPECT_FALSE(stores.store.find_segment("seg_v1_001"));
}

}  // namespace
}  // namespace segments::dynamodb

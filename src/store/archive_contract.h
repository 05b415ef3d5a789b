// What every Archive does.
#pragma once

#include <map>
#include <set>

#include "describe/encode.h"
#include "model/segment_query.h"
#include "store/archive.h"
#include "store/contract.h"

namespace segments::contract {

class ArchiveContract : public StoreContract {
 protected:
  static constexpr Millis hour_ms = 3'600'000;

  std::vector<Record> list(Stores& stores, std::size_t limit = 1'000, Millis as_of = 0) {
    std::vector<Record> all;
    std::string cursor;
    do {
      auto page = stores.archive().list_records(cursor, limit, as_of);
      std::ranges::move(page.records, std::back_inserter(all));
      cursor = page.next;
    } while (!cursor.empty());
    return all;
  }
  static std::multiset<std::string> texts(const std::vector<Record>& records) {
    std::multiset<std::string> out;
    for (const auto& record : records)
      out.insert(std::string(kind_names[record.index()]) + " " +
                 std::visit([](const auto& one) { return encode(one); }, record));
    return out;
  }
  // In pages, as whoever moves them does.
  static PutReport put(Stores& stores, const std::vector<Record>& records, std::size_t page = 7) {
    PutReport all;
    for (std::size_t from = 0; from < records.size(); from += page) {
      auto some = std::span(records).subspan(from, std::min(page, records.size() - from));
      auto report = stores.archive().put_records(some);
      all.changed += report.changed;
      std::ranges::move(report.refused, std::back_inserter(all.refused));
    }
    return all;
  }
  template <class T>
  static std::vector<T> of_kind(const std::vector<Record>& records) {
    std::vector<T> out;
    for (const auto& record : records)
      if (const auto* one = std::get_if<T>(&record)) out.push_back(*one);
    return out;
  }

  static MetricsReading make_reading(std::int64_t views, Millis at) {
    return {.views = views,
            .likes = 3,
            .shares = {},
            .comments = 1,
            .source = MetricsSource::simulated,
            .read_at = format_time(at)};
  }
  SegmentRecord make_record(const std::string& video_id, int number, const std::string& user_id = "ann") {
    SegmentRecord record;
    record.segment = make_segment(video_id, number, user_id);
    return record;
  }

  // Something of everything that can be kept.
  void fill() {
    for (int i = 1; i <= 12; ++i) {
      Segment segment = make_segment("v" + std::to_string(i % 4), i, i % 4 == 1 ? "bob" : "ann");
      segment.title =
          i % 3 ? std::optional<std::string>("Ärger 🎬 \"" + std::to_string(i) + "\"") : std::nullopt;
      segment.description = i % 2 ? std::optional<std::string>("") : std::nullopt;
      segment.tags = i % 2 ? std::vector<std::string>{"a", "日本"} : std::vector<std::string>{};
      segment.segment_type = i % 5 ? SegmentType::processed : SegmentType::audio;
      segment.duration = i % 4 ? 12.333333333333334 * i : -0.0;
      ASSERT_EQ(segments_.create_segment(segment).kind, CreateOutcome::Kind::created);
      ids_.push_back(segment.segment_id);
    }
    for (int i = 0; i < 3; ++i)
      segments_.update_segment(
          ids_[1], "", {}, [](Segment& s) { s.tags.push_back("more"); }, "2027-01-01T00:00:00.000Z");
    for (int i = 0; i < 5; ++i) segments_.count_download(ids_[2], "", "2027-01-02T00:00:00.000Z");
    const Millis now = now_ms();
    for (const char* post : {"p1", "p2"}) {
      auto usage = make_post(SocialMediaPlatform::tiktok, post);
      usage.posted_at = format_time(now - 50 * hour_ms);
      segments_.link_post(ids_[3], "", usage);
    }
    segments_.link_post(ids_[4], "", make_post(SocialMediaPlatform::youtube, "p3"));
    for (int i = 0; i < 4; ++i)
      segments_.add_reading(ids_[3], SocialMediaPlatform::tiktok, "p1",
                            make_reading(10 * i, now - i * hour_ms));
    segments_.put_off_posts(segments_.list_due_posts(now + hour_ms, 1), now);
    key_ = {.user_id = "ann", .key = "once # more", .fingerprint = "f1"};
    keyed_ = make_segment("v0", 77);
    ASSERT_EQ(segments_.create_segment(keyed_, key_).kind, CreateOutcome::Kind::created);
    videos_.create_video(make_video("w1"), R"({"a":1})");
    videos_.create_video(make_video("w2", "bob"));
    videos_.put_progress(make_progress("w2", "extracting", 12.5));
    videos_.create_video(make_video("gone"));
    videos_.remove_video("gone");
    videos_.create_video(make_video("going"));
    videos_.begin_removal("going");
    videos_.claim_video("claimed", "eve");
    stores_->totals().add_total("syncs{platform=\"tiktok\"}", 41);
  }

  std::vector<std::string> ids_;
  IdempotencyKey key_;
  Segment keyed_;
};

inline void expect_same_lists(SegmentStore& one, SegmentStore& other, const std::string& user) {
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<SegmentOrder>>([&](auto order) {
    for (bool is_descending : {false, true}) {
      SegmentQuery query;
      query.sort_by = order.value;
      query.descending = is_descending;
      query.limit = 200;
      auto first = one.list_segments(user, query), second = other.list_segments(user, query);
      EXPECT_EQ(first.segments, second.segments) << user << " by " << order.name;
      EXPECT_EQ(first.total_count, second.total_count) << user;
    }
  });
}

TEST_P(ArchiveContract, ListsEverythingOnceInPagesOfAnySize) {
  EXPECT_TRUE(stores_->archive().is_empty());
  EXPECT_TRUE(list(*stores_).empty());
  fill();
  EXPECT_FALSE(stores_->archive().is_empty());
  const auto all = list(*stores_);
  EXPECT_EQ(of_kind<SegmentRecord>(all).size(), 13u);
  EXPECT_EQ(of_kind<VideoRecord>(all).size(), 9u) << "v0 to v3, w1, w2, gone, going, claimed";
  EXPECT_EQ(of_kind<RequestRecord>(all).size(), 1u);
  EXPECT_EQ(of_kind<TotalRecord>(all), (std::vector<TotalRecord>{{"syncs{platform=\"tiktok\"}", 41}}));
  EXPECT_EQ(of_kind<ReadingRecord>(all).size(), 4u);
  EXPECT_TRUE(std::ranges::is_sorted(
      all, {}, [](const Record& r) { return std::holds_alternative<ReadingRecord>(r); }));
  for (std::size_t limit : {1u, 3u, 13u}) EXPECT_EQ(texts(list(*stores_, limit)), texts(all)) << limit;
  for (const auto& record : of_kind<SegmentRecord>(all)) {
    auto found = segments_.find_segment(record.segment.segment_id);
    ASSERT_TRUE(found);
    EXPECT_EQ(record.version, found->version);
    EXPECT_EQ(record.segment, found->segment);
  }
  const auto found = stores_->archive().find_records(all);
  ASSERT_EQ(found.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(found[i], all[i]) << title_of(all[i]);
  }
}

TEST_P(ArchiveContract, WhatWasPutAnswersAsWhereItWasListed) {
  fill();
  const auto all = list(*stores_);
  auto other = GetParam().make();
  auto& segments = other->segments();
  auto& videos = other->videos();
  EXPECT_EQ(put(*other, all).changed, std::ssize(all));
  EXPECT_EQ(texts(list(*other)), texts(all));
  EXPECT_EQ(sum_records(other->archive(), 0), sum_records(stores_->archive(), 0));
  EXPECT_EQ(put(*other, all).changed, 0) << "doing it again changes nothing";
  EXPECT_TRUE(other->events().list_events({}, 0, 10).empty());

  for (const auto& id : ids_) {
    EXPECT_EQ(segments.find_segment(id)->version, segments_.find_segment(id)->version);
    auto one = segments_.list_history(id, 100), two = segments.list_history(id, 100);
    ASSERT_EQ(one.size(), two.size());
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i].reading, two[i].reading);
  }
  for (const char* user : {"ann", "bob", "nobody"}) expect_same_lists(segments_, segments, user);
  const Millis now = now_ms() + 90 * 24 * hour_ms;
  auto one = segments_.list_due_posts(now, 100), two = segments.list_due_posts(now, 100);
  ASSERT_EQ(one.size(), 3u);
  ASSERT_EQ(two.size(), 3u);
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].post_id, two[i].post_id);
    EXPECT_EQ(one[i].due_at, two[i].due_at);
    EXPECT_EQ(one[i].asked, two[i].asked);
  }
  auto waiting = videos.list_waiting_videos(now, "", 10);
  ASSERT_EQ(waiting.size(), 1u);
  EXPECT_EQ(waiting[0].task_arguments, R"({"a":1})");
  EXPECT_EQ(videos.list_videos(std::nullopt, 10, 0).videos, videos_.list_videos(std::nullopt, 10, 0).videos);
  EXPECT_EQ(videos.list_videos("ann", 10, 0).total_count, 2);
  EXPECT_EQ(videos.find_owner("claimed"), "eve");
  EXPECT_EQ(other->totals().list_totals(), stores_->totals().list_totals());
}

TEST_P(ArchiveContract, WhatWasPutGoesOn) {
  fill();
  auto other = GetParam().make();
  put(*other, list(*stores_));
  auto& segments = other->segments();
  auto replayed = segments.create_segment(keyed_, key_);
  EXPECT_EQ(replayed.kind, CreateOutcome::Kind::replayed);
  EXPECT_EQ(replayed.segment.segment, keyed_);
  auto other_request = key_;
  other_request.fingerprint = "f2";
  EXPECT_EQ(segments.create_segment(keyed_, other_request).kind, CreateOutcome::Kind::other_request);
  EXPECT_FALSE(other->videos().claim_video("gone", "bob"));
  EXPECT_TRUE(other->videos().claim_video("gone", "ann"));
  EXPECT_EQ(segments.put_segment_from_media(make_segment("going", 1)), MediaOutcome::removed);
  EXPECT_EQ(segments.create_segment(make_segment("claimed", 1, "bob")).kind,
            CreateOutcome::Kind::foreign_video);
  EXPECT_EQ(segments.create_segment(make_segment("v0", 500)).kind, CreateOutcome::Kind::created);
  EXPECT_EQ(segments.list_segments("ann", {}).total_count,
            segments_.list_segments("ann", {}).total_count + 1);
  EXPECT_EQ(segments.count_download(ids_[2], "", now_text()), 6);
  auto updated = segments.update_segment(
      ids_[1], "", 4, [](Segment& s) { s.title = "New"; }, now_text());
  ASSERT_TRUE(updated);
  EXPECT_EQ(updated->version, 5);
  EXPECT_TRUE(
      segments.add_reading(ids_[3], SocialMediaPlatform::tiktok, "p1", make_reading(99, now_ms() + hour_ms)));
  EXPECT_EQ(segments.list_history(ids_[3], 100).size(), 5u);
  EXPECT_EQ(segments.unlink_posts(ids_[3], "", SocialMediaPlatform::tiktok, "p2"), 1);
  EXPECT_EQ(segments.list_due_posts(now_ms() + 90 * 24 * hour_ms, 100).size(), 2u);
  EXPECT_TRUE(segments.remove_segment(ids_[3], "", {}));
  EXPECT_TRUE(segments.list_history(ids_[3], 100).empty());
  EXPECT_TRUE(other->videos().put_progress(make_progress("w2", "completed", 100)));
  EXPECT_EQ(segments.list_segments("bob", {}).total_count, 3);
  EXPECT_TRUE(of_kind<ReadingRecord>(list(*other)).empty());
}

TEST_P(ArchiveContract, ReplacesWhatIsThere) {
  fill();
  auto other = GetParam().make();
  put(*other, list(*stores_));
  other->segments().list_segments("ann", {});
  // What the source has become since.
  segments_.count_download(ids_[2], "", now_text());
  segments_.put_segment_from_media([&] {
    auto segment = segments_.find_segment(ids_[0])->segment;
    segment.segment_type = SegmentType::audio;
    return segment;
  }());
  segments_.add_reading(ids_[3], SocialMediaPlatform::tiktok, "p2", make_reading(7, now_ms()));
  segments_.unlink_posts(ids_[4], "", SocialMediaPlatform::youtube, {});
  segments_.create_segment(make_segment("v0", 900));
  videos_.put_progress(make_progress("w1", "extracting", 50));
  videos_.claim_video("claimed", "zoe", true);
  const auto now_there = list(*stores_);
  const auto report = put(*other, now_there);
  EXPECT_EQ(report.changed, 8) << "five segments, a reading, two videos";
  EXPECT_EQ(texts(list(*other)), texts(now_there));
  for (const char* user : {"ann", "bob"}) expect_same_lists(segments_, other->segments(), user);
  const Millis now = now_ms() + 90 * 24 * hour_ms;
  EXPECT_EQ(other->segments().list_due_posts(now, 100).size(), segments_.list_due_posts(now, 100).size());
  EXPECT_TRUE(other->videos().list_waiting_videos(now, "", 10).empty());
  EXPECT_EQ(other->videos().find_owner("claimed"), "zoe");
  EXPECT_EQ(other->videos().list_videos(std::nullopt, 10, 0).total_count, 3);
}

TEST_P(ArchiveContract, AnotherSegmentOfTheSameIdHasNotItsHistory) {
  fill();
  auto other = GetParam().make();
  put(*other, list(*stores_));
  segments_.remove_segment(ids_[3], "", {});
  Segment again = make_segment("v0", 4);
  again.segment_id = ids_[3];
  again.video_id = *video_id_of(ids_[3]);
  again.created_at = again.updated_at = "2028-01-01T00:00:00.000Z";
  ASSERT_EQ(segments_.create_segment(again).kind, CreateOutcome::Kind::created);
  put(*other, list(*stores_));
  EXPECT_TRUE(other->segments().list_history(ids_[3], 10).empty());
  EXPECT_EQ(texts(list(*other)), texts(list(*stores_)));
}

TEST_P(ArchiveContract, RemovesWhatIsNamed) {
  fill();
  const auto all = list(*stores_);
  // A segment takes its history along.
  std::vector<Record> gone;
  for (const auto& record : all)
    if (std::holds_alternative<SegmentRecord>(record)) gone.push_back(record);
  stores_->archive().remove_records(gone);
  EXPECT_TRUE(of_kind<ReadingRecord>(list(*stores_)).empty());
  EXPECT_EQ(segments_.list_segments("ann", {}).total_count, 0);
  EXPECT_TRUE(segments_.list_due_posts(now_ms() + 90 * 24 * hour_ms, 10).empty());
  stores_->archive().remove_records(all);
  stores_->archive().remove_records(all);
  EXPECT_TRUE(list(*stores_).empty());
  EXPECT_EQ(videos_.list_videos(std::nullopt, 10, 0).total_count, 0);
  EXPECT_TRUE(videos_.claim_video("gone", "bob"));
}

TEST_P(ArchiveContract, KeepsReadingsThatAreAlike) {
  auto record = make_record("v1", 1);
  std::vector<Record> all{record};
  for (int repeat = 0; repeat < 3; ++repeat)
    all.emplace_back(ReadingRecord{record.segment.segment_id, SocialMediaPlatform::tiktok, "p",
                                   make_reading(1, 5'000), repeat});
  all.emplace_back(
      ReadingRecord{record.segment.segment_id, SocialMediaPlatform::tiktok, "p", make_reading(2, 5'000), 0});
  const std::vector<Record> lost{
      ReadingRecord{"seg_v9_001", SocialMediaPlatform::tiktok, "p", make_reading(1, 5'000), 0}};
  EXPECT_EQ(put(*stores_, all, 2).changed, 5);
  EXPECT_EQ(put(*stores_, all, 100).changed, 0);
  EXPECT_EQ(put(*stores_, lost).changed, 0) << "its segment is not there";
  EXPECT_EQ(texts(list(*stores_)), texts(all));
  EXPECT_EQ(segments_.list_history(record.segment.segment_id, 10).size(), 4u);
  stores_->archive().remove_records(std::span(all).subspan(3, 1));
  all.erase(all.begin() + 3);
  EXPECT_EQ(texts(list(*stores_)), texts(all));
}

TEST_P(ArchiveContract, KeepsWhatAnotherServiceLeft) {
  auto record = make_record("v1", 1);
  record.foreign = R"({"migrated":{"S":"d1"},"overlays":{"L":[{"M":{"text":{"S":"Hi"},"x":{"N":"1"}}}]}})";
  VideoRecord video{.video_id = "v1",
                    .owner = "ann",
                    .is_claimed = true,
                    .is_removed = false,
                    .video = make_video("v1"),
                    .task_arguments = "",
                    .foreign = R"({"user_email":{"S":"ann@example.com"}})"};
  const std::vector<Record> all{video, record};
  EXPECT_EQ(put(*stores_, all).changed, 2);
  EXPECT_EQ(texts(list(*stores_)), texts(all));
  segments_.remove_segment(record.segment.segment_id, "", {});
  segments_.create_segment(record.segment);
  videos_.remove_video("v1");
  videos_.create_video(*video.video);
  for (const auto& one : of_kind<SegmentRecord>(list(*stores_))) EXPECT_EQ(one.foreign, "");
  for (const auto& one : of_kind<VideoRecord>(list(*stores_))) EXPECT_EQ(one.foreign, "");
}

TEST_P(ArchiveContract, AnIdWhoseLastOwnerNobodyKnowsIsNobodys) {
  VideoRecord video;
  video.video_id = "v1";
  video.is_removed = true;
  const std::vector<Record> all{video};
  EXPECT_EQ(put(*stores_, all).changed, 1);
  EXPECT_EQ(texts(list(*stores_)), texts(all));
  for (const char* user : {"ann", "bob"}) {
    EXPECT_FALSE(videos_.claim_video("v1", user));
    EXPECT_EQ(segments_.create_segment(make_segment("v1", 1, user)).kind, CreateOutcome::Kind::foreign_video);
  }
  EXPECT_EQ(put(*stores_, all).changed, 0);
}

TEST_P(ArchiveContract, LeavesExpiredKeysOut) {
  fill();
  const auto kept = of_kind<RequestRecord>(list(*stores_)).at(0);
  EXPECT_EQ(kept.key, key_.key);
  EXPECT_EQ(kept.fingerprint, "f1");
  EXPECT_NEAR(static_cast<double>(kept.expires_at_s), static_cast<double>(now_ms() / 1'000 + 24 * 3'600), 60);
  EXPECT_EQ(of_kind<RequestRecord>(list(*stores_, 5, kept.expires_at_s * 1'000 - 1)).size(), 1u);
  EXPECT_TRUE(of_kind<RequestRecord>(list(*stores_, 5, kept.expires_at_s * 1'000)).empty());
}

TEST_P(ArchiveContract, KeepsNotesBesideTheRecords) {
  auto& archive = stores_->archive();
  EXPECT_FALSE(archive.find_note("a"));
  archive.put_note("a", "one");
  archive.put_note("a", R"({"two":"ünïcode"})");
  archive.put_note("b", "");
  EXPECT_EQ(archive.find_note("a"), R"({"two":"ünïcode"})");
  EXPECT_EQ(archive.find_note("b"), "");
  EXPECT_TRUE(archive.is_empty());
  EXPECT_TRUE(list(*stores_).empty());
}

TEST_P(ArchiveContract, SumsTellEveryDifferenceAndNoOrder) {
  fill();
  auto all = list(*stores_);
  RecordSums forwards, backwards;
  for (const auto& record : all) forwards.add(record);
  std::ranges::reverse(all);
  for (const auto& record : all) backwards.add(record);
  EXPECT_EQ(forwards, backwards);
  EXPECT_EQ(forwards, sum_records(stores_->archive(), 0));
  segments_.count_download(ids_[5], "", now_text());
  const auto after = sum_records(stores_->archive(), 0);
  EXPECT_NE(after.kinds[1], forwards.kinds[1]);
  EXPECT_EQ(after.kinds[1].count, forwards.kinds[1].count);
  EXPECT_EQ(after.kinds[0], forwards.kinds[0]);
}

}  // namespace segments::contract

// What every SegmentStore does, verb by verb. Lists are in segment_list_contract.h.
#pragma once

#include <atomic>
#include <set>

#include "base/error.h"
#include "describe/decode.h"
#include "store/contract.h"

namespace segments::contract {

class SegmentStoreContract : public StoreContract {};

inline const auto no_change = [](Segment&) {};

TEST_P(SegmentStoreContract, KeepsEveryMember) {
  Segment segment = make_segment("v1", 1);
  segment.segment_type = SegmentType::audio;
  segment.s3_url = "s3://bucket/key";
  segment.duration = 0.1 + 0.2;
  segment.file_size = 9'007'199'254'740'991;
  segment.content_type = "audio/mp4";
  segment.thumbnail_url = "thumbnails/v1/segment_001.jpg";
  segment.title = "It's \"quoted\" \\ 日本語 🎬";
  segment.description = "Line one\nline two\ttabbed";
  segment.tags = {"a,b", "\"", "\\", "日本", "🎬", "[]"};
  segment.social_media_usage = {make_post(SocialMediaPlatform::tiktok, "123")};
  segment.social_media_usage[0].views = 1'948;
  segment.social_media_usage[0].engagement_rate = 18'200 / 1'948.0;  // needs each of its seventeen digits
  segment.filename = "";
  segment.download_count = 7;
  segment.last_downloaded_at = "2026-11-22T10:00:00.000Z";
  auto outcome = segments_.create_segment(segment);
  EXPECT_EQ(outcome.kind, CreateOutcome::Kind::created);
  EXPECT_EQ(outcome.segment.segment, segment);
  auto found = segments_.find_segment(segment.segment_id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->segment, segment);
  EXPECT_EQ(found->version, 1);

  Segment bare = make_segment("v1", 2);
  segments_.create_segment(bare);
  EXPECT_EQ(segments_.find_segment(bare.segment_id)->segment, bare);
}

TEST_P(SegmentStoreContract, TellsAbsence) {
  EXPECT_FALSE(segments_.find_segment("seg_none_001"));
  EXPECT_FALSE(segments_.find_segment(""));
  EXPECT_FALSE(segments_.update_segment("seg_none_001", "", {}, no_change, now_text()));
  EXPECT_FALSE(segments_.remove_segment("seg_none_001", "", {}));
  EXPECT_FALSE(segments_.count_download("seg_none_001", "", now_text()));
  EXPECT_EQ(segments_.link_post("seg_none_001", "", make_post(SocialMediaPlatform::tiktok, "1")),
            LinkOutcome::absent);
  EXPECT_EQ(segments_.unlink_posts("seg_none_001", "", SocialMediaPlatform::tiktok, {}), 0);
  EXPECT_FALSE(segments_.add_reading("seg_none_001", SocialMediaPlatform::tiktok, "1", {}));
  EXPECT_TRUE(segments_.list_history("seg_none_001", 10).empty());
  EXPECT_TRUE(segments_.list_video_segments("none", "", {}).empty());
  EXPECT_EQ(segments_.list_segments("nobody", {}).total_count, 0);
  EXPECT_FALSE(segments_.find_analytics("seg_none_001"));
  EXPECT_EQ(events_.newest_event_id(), 0);
}

TEST_P(SegmentStoreContract, RefusesATakenIdAndAForeignVideoWithoutChange) {
  Segment first = make_segment("v1", 1);
  segments_.create_segment(first);
  auto before = events_.newest_event_id();
  Segment second = first;
  second.title = "other";
  EXPECT_EQ(segments_.create_segment(second).kind, CreateOutcome::Kind::taken);
  EXPECT_EQ(segments_.create_segment(make_segment("v1", 2, "bob")).kind, CreateOutcome::Kind::foreign_video);
  EXPECT_EQ(segments_.put_segment_from_media(make_segment("v1", 1, "bob")), MediaOutcome::foreign_video);
  EXPECT_EQ(segments_.put_segment_from_media(make_segment("v1", 3, "bob")), MediaOutcome::foreign_video);
  EXPECT_EQ(segments_.find_segment(first.segment_id)->segment, first);
  EXPECT_FALSE(segments_.find_segment(make_numbered_segment_id("v1", 2)));
  EXPECT_EQ(events_.newest_event_id(), before);
  EXPECT_EQ(segments_.list_segments("ann", {}).total_count, 1);
  EXPECT_EQ(videos_.find_owner("v1"), "ann");
}

TEST_P(SegmentStoreContract, HidesOtherUsersSegments) {
  Segment segment = make_segment("v1", 1);
  segments_.create_segment(segment);
  const auto& id = segment.segment_id;
  EXPECT_FALSE(segments_.update_segment(id, "bob", {}, no_change, now_text()));
  EXPECT_FALSE(segments_.remove_segment(id, "bob", {}));
  EXPECT_FALSE(segments_.count_download(id, "bob", now_text()));
  EXPECT_EQ(segments_.link_post(id, "bob", make_post(SocialMediaPlatform::tiktok, "1")), LinkOutcome::absent);
  EXPECT_TRUE(segments_.list_video_segments("v1", "bob", {}).empty());
  EXPECT_EQ(segments_.find_segment(id)->segment, segment);
  EXPECT_EQ(segments_.list_video_segments("v1", "", {}).size(), 1u);
  EXPECT_EQ(segments_.count_download(id, "", now_text()), 1);
  EXPECT_TRUE(segments_.remove_segment(id, "", {}));
}

TEST_P(SegmentStoreContract, ReplaysARequestWithItsKey) {
  IdempotencyKey key{"ann", "key-1", "digest-1"};
  Segment segment = make_segment("v1", 1);
  EXPECT_EQ(segments_.create_segment(segment, key).kind, CreateOutcome::Kind::created);
  segments_.update_segment(
      segment.segment_id, "ann", {}, [](Segment& s) { s.title = "edited"; }, now_text());

  auto before = events_.newest_event_id();
  auto replayed = segments_.create_segment(make_segment("v1", 2), key);
  EXPECT_EQ(replayed.kind, CreateOutcome::Kind::replayed);
  EXPECT_EQ(replayed.segment.segment, segment);  // as it was made then
  EXPECT_EQ(replayed.segment.version, 1);
  key.fingerprint = "digest-2";
  EXPECT_EQ(segments_.create_segment(make_segment("v1", 2), key).kind, CreateOutcome::Kind::other_request);
  EXPECT_FALSE(segments_.find_segment(make_numbered_segment_id("v1", 2)));
  EXPECT_EQ(events_.newest_event_id(), before);
  // Keys belong to their users; a request that made nothing keeps none.
  EXPECT_EQ(segments_.create_segment(make_segment("v2", 1, "bob"), IdempotencyKey{"bob", "key-1", "x"}).kind,
            CreateOutcome::Kind::created);
  EXPECT_EQ(segments_.create_segment(segment, IdempotencyKey{"ann", "key-2", "x"}).kind,
            CreateOutcome::Kind::taken);
  EXPECT_EQ(segments_.create_segment(make_segment("v1", 5), IdempotencyKey{"ann", "key-2", "y"}).kind,
            CreateOutcome::Kind::created);
  // What the key made may be gone meanwhile; the answer stays the same.
  segments_.remove_segment(segment.segment_id, "ann", {});
  EXPECT_EQ(segments_.create_segment(segment, IdempotencyKey{"ann", "key-1", "digest-1"}).kind,
            CreateOutcome::Kind::replayed);
}

TEST_P(SegmentStoreContract, CreatesOnceWhenOneKeyComesManyTimesAtOnce) {
  std::atomic<int> created{0}, replayed{0};
  std::vector<std::string> ids(32);
  run_at_once(32, [&](int i) {
    Segment segment = make_segment("v1", i);
    auto outcome = segments_.create_segment(segment, IdempotencyKey{"ann", "key", "digest"});
    created += outcome.kind == CreateOutcome::Kind::created;
    replayed += outcome.kind == CreateOutcome::Kind::replayed;
    ids[static_cast<std::size_t>(i)] = outcome.segment.segment.segment_id;
  });
  EXPECT_EQ(created, 1);
  EXPECT_EQ(replayed, 31);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 1u);
  EXPECT_EQ(segments_.list_segments("ann", {}).total_count, 1);
}

TEST_P(SegmentStoreContract, PutsFromMediaAndKeepsWhatTheOwnerEdited) {
  Segment made = make_segment("v1", 1);
  made.title = "from the video";
  made.filename = "segment_001.mp4";
  EXPECT_EQ(segments_.put_segment_from_media(made), MediaOutcome::changed);
  EXPECT_EQ(segments_.find_segment(made.segment_id)->segment, made);
  EXPECT_EQ(segments_.put_segment_from_media(made), MediaOutcome::unchanged);
  EXPECT_EQ(types_after(0), std::vector<std::string>{"segment.created"});

  auto edit = [](Segment& s) {
    s.title = "edited";
    s.description = "mine";
    s.tags = {"mine"};
  };
  segments_.update_segment(made.segment_id, "ann", {}, edit, "2026-12-01T00:00:00.000Z");
  segments_.link_post(made.segment_id, "ann", make_post(SocialMediaPlatform::tiktok, "1"));
  segments_.count_download(made.segment_id, "ann", "2026-12-01T00:00:01.000Z");
  Segment edited = segments_.find_segment(made.segment_id)->segment;

  Segment again = made;
  again.duration = 99;
  again.file_size = 77;
  again.segment_type = SegmentType::original;
  again.thumbnail_url = "thumbnails/new.jpg";
  again.created_at = again.updated_at = "2026-12-02T00:00:00.000Z";
  EXPECT_EQ(segments_.put_segment_from_media(again), MediaOutcome::changed);
  auto stored = segments_.find_segment(made.segment_id);
  EXPECT_EQ(stored->version, 3);
  Segment expected = edited;
  expected.duration = 99;
  expected.file_size = 77;
  expected.segment_type = SegmentType::original;
  expected.thumbnail_url = "thumbnails/new.jpg";
  expected.updated_at = again.updated_at;
  EXPECT_EQ(stored->segment, expected);
  SegmentQuery originals;
  originals.segment_type = SegmentType::original;
  EXPECT_EQ(segments_.list_segments("ann", originals).total_count, 1);
  SegmentQuery processed;
  processed.segment_type = SegmentType::processed;
  EXPECT_EQ(segments_.list_segments("ann", processed).total_count, 0);
}

TEST_P(SegmentStoreContract, UpdatesOnlyWhatAnEditMayChange) {
  Segment segment = make_segment("v1", 1);
  segments_.create_segment(segment);
  auto edit = [](Segment& s) {
    s.title = "new";
    s.tags = {"x"};
    s.duration = 4'000;
    s.user_id = "bob";
    s.segment_id = "other";
    s.download_count = 99;
  };
  auto updated = segments_.update_segment(segment.segment_id, "ann", 1, edit, "2026-12-01T00:00:00.000Z");
  ASSERT_TRUE(updated);
  segment.title = "new";
  segment.tags = {"x"};
  segment.updated_at = "2026-12-01T00:00:00.000Z";
  EXPECT_EQ(updated->segment, segment);
  EXPECT_EQ(updated->version, 2);
  EXPECT_EQ(segments_.find_segment(segment.segment_id)->segment, segment);
  EXPECT_EQ(segments_.find_segment(segment.segment_id)->version, 2);
}

TEST_P(SegmentStoreContract, RefusesAnOldVersionAndAFailingChange) {
  Segment segment = make_segment("v1", 1);
  segments_.create_segment(segment);
  auto before = events_.newest_event_id();
  auto kind_of = [](auto&& f) {
    try {
      f();
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::internal;
  };
  EXPECT_EQ(kind_of([&] { segments_.update_segment(segment.segment_id, "ann", 2, no_change, now_text()); }),
            ErrorKind::precondition_failed);
  EXPECT_EQ(kind_of([&] { segments_.remove_segment(segment.segment_id, "ann", 0); }),
            ErrorKind::precondition_failed);
  auto failing = [](Segment& s) {
    s.title = "half";
    throw Error(ErrorKind::invalid, "No.");
  };
  EXPECT_EQ(kind_of([&] { segments_.update_segment(segment.segment_id, "ann", {}, failing, now_text()); }),
            ErrorKind::invalid);
  EXPECT_EQ(segments_.find_segment(segment.segment_id)->segment, segment);
  EXPECT_EQ(events_.newest_event_id(), before);
}

TEST_P(SegmentStoreContract, LosesNoUpdateOfManyWriters) {
  Segment segment = make_segment("v1", 1);
  segment.title = "0";
  segments_.create_segment(segment);
  const int writers = scaled(200);
  std::atomic<int> conflicts{0}, done{0};
  run_at_once(writers, [&](int) {
    for (;;) {
      auto seen = segments_.find_segment(segment.segment_id);
      auto raise = [&](Segment& s) { s.title = std::to_string(std::stoi(*seen->segment.title) + 1); };
      try {
        segments_.update_segment(segment.segment_id, "ann", seen->version, raise, now_text());
        ++done;
        return;
      } catch (const Error& error) {
        ASSERT_EQ(error.kind(), ErrorKind::precondition_failed);
        ++conflicts;
      }
    }
  });
  auto stored = segments_.find_segment(segment.segment_id);
  EXPECT_EQ(done, writers);
  EXPECT_EQ(stored->segment.title, std::to_string(writers));
  EXPECT_EQ(stored->version, writers + 1);
  EXPECT_EQ(std::ssize(types_after(0)), writers + 1);
  RecordProperty("conflicts", conflicts);
}

TEST_P(SegmentStoreContract, CountsDownloadsExactly) {
  Segment segment = make_segment("v1", 1);
  segments_.create_segment(segment);
  const int each = scaled(25);
  std::vector<std::int64_t> answers(static_cast<std::size_t>(16 * each));
  run_at_once(16, [&](int i) {
    for (int j = 0; j < each; ++j)
      answers[static_cast<std::size_t>(i * each + j)] =
          segments_.count_download(segment.segment_id, "ann", "2026-12-01T00:00:00.000Z").value_or(0);
  });
  EXPECT_EQ(std::set<std::int64_t>(answers.begin(), answers.end()).size(),
            answers.size());  // each number once
  auto stored = segments_.find_segment(segment.segment_id);
  EXPECT_EQ(stored->segment.download_count, 16 * each);
  EXPECT_EQ(stored->segment.last_downloaded_at, "2026-12-01T00:00:00.000Z");
  EXPECT_EQ(stored->segment.updated_at, segment.updated_at);
  EXPECT_EQ(stored->version, 1);
}

TEST_P(SegmentStoreContract, RemovesOnceWithItsHistory) {
  Segment segment = make_segment("v1", 1);
  segments_.create_segment(segment);
  segments_.link_post(segment.segment_id, "ann", make_post(SocialMediaPlatform::tiktok, "1"));
  segments_.add_reading(segment.segment_id, SocialMediaPlatform::tiktok, "1",
                        {.views = 1, .likes = {}, .shares = {}, .comments = {}, .read_at = now_text()});
  std::atomic<int> removed{0};
  run_at_once(8,
              [&](int) { removed += segments_.remove_segment(segment.segment_id, "ann", {}).has_value(); });
  EXPECT_EQ(removed, 1);
  EXPECT_FALSE(segments_.find_segment(segment.segment_id));
  EXPECT_EQ(segments_.list_segments("ann", {}).total_count, 0);
  EXPECT_EQ(types_after(0).back(), "segment.deleted");
  segments_.create_segment(segment);
  EXPECT_TRUE(segments_.list_history(segment.segment_id, 10).empty());
  EXPECT_EQ(segments_.list_segments("ann", {}).total_count, 1);
}

TEST_P(SegmentStoreContract, ListsAVideosSegmentsByNumber) {
  for (int number : {10, 2, 1, 9}) segments_.create_segment(make_segment("v1", number));
  Segment audio = make_segment("v1", 2);
  audio.segment_id = "seg_v1_zzz";
  audio.segment_type = SegmentType::audio;
  segments_.create_segment(audio);
  segments_.create_segment(make_segment("v2", 1));
  std::vector<std::string> ids;
  for (const auto& segment : segments_.list_video_segments("v1", "ann", {}))
    ids.push_back(segment.segment_id);
  EXPECT_EQ(ids,
            (std::vector<std::string>{"seg_v1_001", "seg_v1_002", "seg_v1_zzz", "seg_v1_009", "seg_v1_010"}));
  auto audios = segments_.list_video_segments("v1", "", SegmentType::audio);
  ASSERT_EQ(audios.size(), 1u);
  EXPECT_EQ(audios[0], audio);
}

TEST_P(SegmentStoreContract, LinksAPostOnce) {
  Segment segment = make_segment("v1", 1);
  segments_.create_segment(segment);
  const auto& id = segment.segment_id;
  std::atomic<int> linked{0};
  run_at_once(16, [&](int) {
    linked +=
        segments_.link_post(id, "ann", make_post(SocialMediaPlatform::tiktok, "1")) == LinkOutcome::linked;
  });
  EXPECT_EQ(linked, 1);
  EXPECT_EQ(segments_.link_post(id, "ann", make_post(SocialMediaPlatform::tiktok, "2")), LinkOutcome::linked);
  EXPECT_EQ(segments_.link_post(id, "ann", make_post(SocialMediaPlatform::youtube, "1")),
            LinkOutcome::linked);
  auto stored = segments_.find_segment(id);
  EXPECT_EQ(stored->segment.social_media_usage.size(), 3u);
  EXPECT_EQ(stored->version, 1);
  EXPECT_NE(stored->segment.updated_at, segment.updated_at);
  EXPECT_EQ(segments_.unlink_posts(id, "ann", SocialMediaPlatform::tiktok, "3"), 0);
  EXPECT_EQ(segments_.unlink_posts(id, "bob", SocialMediaPlatform::tiktok, {}), 0);
  EXPECT_EQ(segments_.unlink_posts(id, "ann", SocialMediaPlatform::tiktok, "2"), 1);
  EXPECT_EQ(segments_.unlink_posts(id, "ann", SocialMediaPlatform::tiktok, {}), 1);
  stored = segments_.find_segment(id);
  ASSERT_EQ(stored->segment.social_media_usage.size(), 1u);
  EXPECT_EQ(stored->segment.social_media_usage[0].platform, SocialMediaPlatform::youtube);
}

TEST_P(SegmentStoreContract, LinkingAgainFillsInWhatWasMissingAndNothingElse) {
  Segment segment = make_segment("v1", 1);
  segments_.create_segment(segment);
  const auto& id = segment.segment_id;
  SocialMediaUsage bare;
  bare.platform = SocialMediaPlatform::tiktok;
  bare.post_id = "1";
  EXPECT_EQ(segments_.link_post(id, "ann", bare), LinkOutcome::linked);
  segments_.add_reading(id, bare.platform, "1",
                        {.views = 7, .likes = 1, .shares = 1, .comments = 1, .read_at = now_text()});
  SocialMediaUsage expected = segments_.find_segment(id)->segment.social_media_usage[0];
  auto link = [&](std::optional<std::string> url, std::optional<std::string> time) {
    SocialMediaUsage given = bare;
    given.post_url = url;
    given.posted_at = time;
    given.views = 99;
    given.unreported = {"views"};
    auto before = events_.newest_event_id();
    EXPECT_EQ(segments_.link_post(id, "ann", given), LinkOutcome::already_linked);
    EXPECT_EQ(segments_.find_segment(id)->segment.social_media_usage,
              std::vector<SocialMediaUsage>{expected});
    return types_after(before);
  };
  using Types = std::vector<std::string>;
  EXPECT_EQ(link({}, {}), Types{});
  expected.posted_at = "2026-11-20T10:00:00.000Z";
  EXPECT_EQ(link({}, "2026-11-20T10:00:00.000Z"), Types{"segment.updated"});
  expected.post_url = "https://example.com/1";
  EXPECT_EQ(link("https://example.com/1", {}), Types{"segment.updated"});
  EXPECT_EQ(link("https://example.com/2", "2026-11-21T10:00:00.000Z"), Types{}) << "what is known stays";
  EXPECT_EQ(segments_.find_segment(id)->version, 1);
}

TEST_P(SegmentStoreContract, LinksLaterWhatACheckOfTheSegmentLetsPass) {
  Segment segment = make_segment("v1", 1);
  segments_.create_segment(segment);
  const auto& id = segment.segment_id;
  auto link = [&](const std::string& user, const SocialMediaUsage& post, SegmentCheck check) {
    return segments_.link_post_later(id, user, post, std::move(check)).wait();
  };
  std::vector<std::size_t> posts_before;
  auto note = [&](const Segment& before) { posts_before.push_back(before.social_media_usage.size()); };
  auto refuse = [](const Segment&) { throw Error(ErrorKind::conflict, "Not this one."); };
  const auto post = make_post(SocialMediaPlatform::tiktok, "1");

  auto events = events_.newest_event_id();
  EXPECT_THROW(link("ann", post, refuse), Error);
  EXPECT_EQ(link("bob", post, note).outcome, LinkOutcome::absent);
  EXPECT_EQ(segments_.link_post_later("seg_none_001", "", post, note).wait().outcome, LinkOutcome::absent);
  EXPECT_TRUE(posts_before.empty());
  EXPECT_EQ(segments_.find_segment(id)->segment, segment);
  EXPECT_TRUE(types_after(events).empty());

  auto linked = link("ann", post, note);
  EXPECT_EQ(linked.outcome, LinkOutcome::linked);
  EXPECT_EQ(linked.segment.segment, segments_.find_segment(id)->segment);
  EXPECT_EQ(linked.segment.version, segments_.find_segment(id)->version);
  ASSERT_EQ(linked.segment.segment.social_media_usage.size(), 1u);
  EXPECT_NE(linked.segment.segment.updated_at, segment.updated_at);
  auto more = post;
  more.posted_at = "2026-11-20T10:00:00.000Z";
  auto filled = link("", more, note);
  EXPECT_EQ(filled.outcome, LinkOutcome::already_linked);
  EXPECT_EQ(filled.segment.segment, segments_.find_segment(id)->segment);
  EXPECT_EQ(filled.segment.segment.social_media_usage.at(0).posted_at, more.posted_at);
  EXPECT_EQ(link("ann", more, note).segment.segment, filled.segment.segment) << "nothing new";
  EXPECT_EQ(posts_before, (std::vector<std::size_t>{0, 1, 1}));
  EXPECT_EQ(types_after(events), (std::vector<std::string>{"segment.updated", "segment.updated"}));
}

TEST_P(SegmentStoreContract, CountsDownloadsLaterThatACheckOfTheSegmentLetsPass) {
  Segment segment = make_segment("v1", 1);
  segments_.create_segment(segment);
  const auto& id = segment.segment_id;
  const std::string at = "2026-11-22T10:00:00.000Z";
  auto count = [&](const std::string& user, SegmentCheck check) {
    return segments_.count_download_later(id, user, at, std::move(check)).wait();
  };
  std::vector<Segment> seen;
  auto note = [&](const Segment& before) { seen.push_back(before); };
  EXPECT_THROW(count("ann", [](const Segment&) { throw Error(ErrorKind::not_found, "Not here."); }), Error);
  EXPECT_FALSE(count("bob", note));
  EXPECT_FALSE(segments_.count_download_later("seg_none_001", "", at, note).wait());
  EXPECT_TRUE(seen.empty());
  for (int times = 1; times <= 3; ++times) {
    auto counted = count(times == 2 ? "" : "ann", note);
    ASSERT_TRUE(counted);
    EXPECT_EQ(counted->download_count, times);
    EXPECT_EQ(*counted, segments_.find_segment(id)->segment);
  }
  EXPECT_EQ(seen.front(), segment);
  EXPECT_EQ(segments_.find_segment(id)->version, 1);
}

TEST_P(SegmentStoreContract, PutsReadingsIntoThePostAndTheHistory) {
  Segment segment = make_segment("v1", 1);
  segments_.create_segment(segment);
  const auto& id = segment.segment_id;
  auto youtube = SocialMediaPlatform::youtube;
  MetricsReading at_noon{.views = 200,
                         .likes = 10,
                         .shares = {},
                         .comments = 4,
                         .source = MetricsSource::simulated,
                         .read_at = "2026-11-22T12:00:00.000Z"};
  EXPECT_FALSE(segments_.add_reading(id, youtube, "a", at_noon));
  segments_.link_post(id, "ann", make_post(youtube, "a"));
  auto linked = segments_.find_segment(id);
  EXPECT_FALSE(segments_.add_reading(id, youtube, "b", at_noon));
  EXPECT_FALSE(segments_.add_reading(id, SocialMediaPlatform::tiktok, "a", at_noon));
  EXPECT_TRUE(segments_.list_history(id, 10).empty());

  auto before = events_.newest_event_id();
  EXPECT_TRUE(segments_.add_reading(id, youtube, "a", at_noon));
  SocialMediaUsage expected = make_post(youtube, "a");
  apply_reading(expected, at_noon);
  auto stored = segments_.find_segment(id);
  ASSERT_EQ(stored->segment.social_media_usage.size(), 1u);
  EXPECT_EQ(stored->segment.social_media_usage[0], expected);
  EXPECT_EQ(stored->version, linked->version);
  EXPECT_EQ(stored->segment.updated_at, linked->segment.updated_at);
  auto events = events_after(before);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].type, "social.synced");
  EXPECT_EQ(events[0].user_id, "ann");
  EXPECT_EQ(events[0].data,
            "{\"segment_id\":\"seg_v1_001\",\"platform\":\"youtube\",\"post_id\":\"a\",\"views\":200,"
            "\"likes\":10,\"shares\":null,\"comments\":4,\"source\":\"simulated\","
            "\"at\":\"2026-11-22T12:00:00.000Z\"}");

  MetricsReading in_the_morning = at_noon;
  in_the_morning.views = 100;
  in_the_morning.read_at = "2026-11-22T08:00:00.000Z";
  EXPECT_TRUE(segments_.add_reading(id, youtube, "a", in_the_morning));
  EXPECT_EQ(segments_.find_segment(id)->segment.social_media_usage[0], expected);
  auto history = segments_.list_history(id, 10);
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].reading, in_the_morning);
  EXPECT_EQ(history[1].reading, at_noon);
  EXPECT_EQ(history[1].post_id, "a");
  EXPECT_EQ(history[1].platform, youtube);
  // A bounded history holds the newest readings.
  history = segments_.list_history(id, 1);
  ASSERT_EQ(history.size(), 1u);
  EXPECT_EQ(history[0].reading, at_noon);

  EXPECT_EQ(segments_.find_analytics(id)->total_views, 200);
  segments_.unlink_posts(id, "ann", youtube, {});
  EXPECT_EQ(segments_.list_history(id, 10).size(), 2u);
  EXPECT_EQ(segments_.find_analytics(id)->total_views, 0);
}

TEST_P(SegmentStoreContract, ListsSegmentsWithPostsForASync) {
  for (int i = 0; i < 9; ++i) {
    segments_.create_segment(make_segment("v1", i));
    if (i % 3 == 1)
      segments_.link_post(make_numbered_segment_id("v1", i), "ann",
                          make_post(SocialMediaPlatform::tiktok, "t"));
    if (i % 3 == 2)
      segments_.link_post(make_numbered_segment_id("v1", i), "ann",
                          make_post(SocialMediaPlatform::youtube, "y"));
  }
  segments_.create_segment(make_segment("v2", 1, "bob"));
  segments_.link_post(make_numbered_segment_id("v2", 1), "bob", make_post(SocialMediaPlatform::tiktok, "t"));
  auto numbers = [&](const std::vector<SocialMediaPlatform>& platforms, const std::string& after,
                     std::size_t limit) {
    std::vector<std::int64_t> found;
    for (const auto& segment : segments_.list_segments_with_posts("ann", platforms, after, limit))
      found.push_back(segment.segment_number);
    return found;
  };
  using Numbers = std::vector<std::int64_t>;
  EXPECT_EQ(numbers({}, "", 100), (Numbers{1, 2, 4, 5, 7, 8}));
  EXPECT_EQ(numbers({SocialMediaPlatform::tiktok}, "", 2), (Numbers{1, 4}));
  EXPECT_EQ(numbers({SocialMediaPlatform::tiktok}, make_numbered_segment_id("v1", 4), 2), (Numbers{7}));
  EXPECT_EQ(numbers({SocialMediaPlatform::tiktok, SocialMediaPlatform::youtube}, "", 100),
            (Numbers{1, 2, 4, 5, 7, 8}));
  EXPECT_EQ(numbers({SocialMediaPlatform::facebook}, "", 100), Numbers{});
}

TEST_P(SegmentStoreContract, TakesNoMediaOfARemovedVideo) {
  Segment first = make_segment("v1", 1), second = make_segment("v1", 2);
  videos_.create_video(make_video("v1"));
  EXPECT_EQ(segments_.put_segment_from_media(first), MediaOutcome::changed);
  videos_.begin_removal("v1");
  EXPECT_EQ(segments_.put_segment_from_media(first), MediaOutcome::removed) << "not even of a known segment";
  EXPECT_EQ(segments_.put_segment_from_media(second), MediaOutcome::removed);
  EXPECT_TRUE(videos_.find_video("v1"));
  segments_.remove_segment(first.segment_id, "ann", {});
  EXPECT_TRUE(videos_.remove_video("v1"));
  EXPECT_EQ(segments_.put_segment_from_media(second), MediaOutcome::removed);
  EXPECT_FALSE(segments_.find_segment(second.segment_id));
  EXPECT_EQ(videos_.find_owner("v1"), std::nullopt) << "what was refused claims nothing";
  EXPECT_EQ(segments_.put_segment_from_media(make_segment("v2", 1)), MediaOutcome::changed);

  // A new video under the id, or an upload that is to become one.
  EXPECT_TRUE(videos_.create_video(make_video("v1")));
  EXPECT_EQ(segments_.put_segment_from_media(second), MediaOutcome::changed);
  EXPECT_TRUE(videos_.remove_video("v1"));
  EXPECT_EQ(segments_.put_segment_from_media(first), MediaOutcome::removed);
  EXPECT_TRUE(videos_.claim_video("v1", "ann"));
  EXPECT_EQ(segments_.put_segment_from_media(first), MediaOutcome::changed);
}

TEST_P(SegmentStoreContract, LeavesTheEventOfEachChange) {
  Segment segment = make_segment("v1", 1);
  segments_.create_segment(segment);
  segments_.update_segment(segment.segment_id, "ann", {}, no_change, now_text());
  segments_.link_post(segment.segment_id, "ann", make_post(SocialMediaPlatform::tiktok, "1"));
  segments_.link_post(segment.segment_id, "ann", make_post(SocialMediaPlatform::tiktok, "1"));
  segments_.unlink_posts(segment.segment_id, "ann", SocialMediaPlatform::tiktok, {});
  segments_.remove_segment(segment.segment_id, "ann", {});
  EXPECT_EQ(types_after(0), (std::vector<std::string>{"segment.created", "segment.updated", "segment.updated",
                                                      "segment.updated", "segment.deleted"}));
  for (const auto& event : events_after(0)) {
    auto data = parse_json(event.data).as_object();
    EXPECT_EQ(data.size(), 4u);
    EXPECT_EQ(data["segment_id"].as_string(), segment.segment_id);
    EXPECT_EQ(data["video_id"].as_string(), "v1");
    EXPECT_EQ(data["user_id"].as_string(), "ann");
    EXPECT_TRUE(parse_time(std::string(data["at"].as_string())));
    EXPECT_EQ(event.user_id, "ann");
    EXPECT_FALSE(event.job_id);
  }
}

}  // namespace segments::contract

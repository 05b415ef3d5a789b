// Lists of segments against a model of them: all rows in memory, filtered and sorted by brute force.
#pragma once

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "describe/members.h"
#include "store/archive.h"
#include "store/contract.h"

namespace segments::contract {

class SegmentListContract : public StoreContract {
 protected:
  using Rows = std::vector<Segment>;

  template <class T>
  T pick(const std::vector<T>& from) {
    return from[random_() % from.size()];
  }

  // Few values for each member, so that equal keys are the rule.
  Segment make_random(int i) {
    static const std::vector<std::optional<std::string>> texts{
        std::nullopt, "",     "a",       "A",      "b",    "Ärger", "ärger", "Zebra",
        "zoë 🎬",      "日本", "clip 10", "clip 9", "it's", "50%_x", "\"q\""};
    static const std::vector<double> durations{0, 0.5, 1, 9, 9.75, 10, 100, 1'000.125, 12.333333333333334};
    static const std::vector<std::int64_t> sizes{0, 9, 10, 99, 100, 9'007'199'254'740'991};
    static const std::vector<std::string> tags{"a", "b", "A", ",", "\"", "日本", "a\",\"b", "\\"};
    Segment segment = make_segment("v" + std::to_string(random_() % 12), i);
    segment.segment_type = pick<SegmentType>(
        {SegmentType::processed, SegmentType::processed, SegmentType::original, SegmentType::audio});
    segment.segment_number = static_cast<std::int64_t>(random_() % 12);
    segment.duration = pick(durations);
    segment.file_size = pick(sizes);
    segment.created_at = format_time(1'790'000'000'000 + static_cast<Millis>(random_() % 20) * 1'000);
    segment.title = pick(texts);
    segment.description = pick(texts);
    segment.filename = pick(texts);
    segment.download_count = static_cast<std::int64_t>(random_() % 12);
    for (const auto& tag : tags)
      if (random_() % 4 == 0) segment.tags.push_back(tag);
    if (random_() % 3 == 0) segment.social_media_usage.push_back(make_post(SocialMediaPlatform::tiktok, "t"));
    if (random_() % 5 == 0)
      segment.social_media_usage.push_back(make_post(SocialMediaPlatform::twitter, "x"));
    return segment;
  }

  Rows create_random(int count) {
    Rows rows;
    for (int i = 0; i < count; ++i) rows.push_back(make_random(i));
    run_at_once(8, [&](int t) {
      for (auto i = static_cast<std::size_t>(t); i < rows.size(); i += 8) segments_.create_segment(rows[i]);
    });
    // Somebody else's rows are in no list.
    for (int i = 0; i < 20; ++i) segments_.create_segment(make_segment("foreign", i, "bob"));
    return rows;
  }

  static bool is_less(const Segment& a, const Segment& b, SegmentOrder order) {
    auto by = [&](const auto& left, const auto& right) {
      return left != right ? left < right : a.segment_id < b.segment_id;
    };
    switch (order) {
      case SegmentOrder::duration:
        return by(a.duration, b.duration);
      case SegmentOrder::file_size:
        return by(a.file_size, b.file_size);
      case SegmentOrder::download_count:
        return by(a.download_count, b.download_count);
      case SegmentOrder::segment_number:
        return by(a.segment_number, b.segment_number);
      default:
        return by(sort_key_of(a, order), sort_key_of(b, order));
    }
  }

  static bool is_match(const Segment& s, const SegmentQuery& q) {
    auto has_tag = [&](const std::string& tag) { return std::ranges::find(s.tags, tag) != s.tags.end(); };
    auto is_posted_on = [&](const SocialMediaUsage& usage) { return usage.platform == *q.platform; };
    auto contains = [&](const std::optional<std::string>& text) {
      return text && fold_case(*text).find(*q.search) != std::string::npos;
    };
    return (!q.video_id || s.video_id == *q.video_id) &&
           (!q.segment_type || s.segment_type == *q.segment_type) &&
           (!q.min_duration || s.duration >= *q.min_duration) &&
           (!q.max_duration || s.duration <= *q.max_duration) &&
           (!q.min_downloads || s.download_count >= *q.min_downloads) &&
           std::ranges::all_of(q.tags, has_tag) &&
           (!q.has_social_media || *q.has_social_media == !s.social_media_usage.empty()) &&
           (!q.platform || std::ranges::any_of(s.social_media_usage, is_posted_on)) &&
           (!q.search || contains(s.title) || contains(s.description) || contains(s.filename)) &&
           (!q.created_after || s.created_at >= *q.created_after) &&
           (!q.created_before || s.created_at < *q.created_before);
  }

  static std::vector<std::string> expected_ids(Rows rows, const SegmentQuery& query) {
    std::erase_if(rows, [&](const Segment& row) { return !is_match(row, query); });
    std::ranges::sort(rows, [&](const Segment& a, const Segment& b) {
      return query.descending ? is_less(b, a, query.sort_by) : is_less(a, b, query.sort_by);
    });
    std::vector<std::string> ids;
    for (const auto& row : rows) ids.push_back(row.segment_id);
    return ids;
  }

  // Every page from the first to the last, by cursor.
  std::vector<std::string> walk(SegmentQuery query, std::int64_t expected_total) {
    std::vector<std::string> ids;
    for (;;) {
      auto page = segments_.list_segments("ann", query);
      EXPECT_EQ(page.total_count, expected_total);
      EXPECT_LE(std::ssize(page.segments), query.limit);
      for (const auto& segment : page.segments) ids.push_back(segment.segment_id);
      if (!page.next) return ids;
      EXPECT_EQ(std::ssize(page.segments), query.limit);
      query.after = page.next;
    }
  }

  SegmentQuery make_random_query() {
    SegmentQuery q;
    auto maybe = [&] { return random_() % 4 == 0; };
    if (random_() % 8 == 0) q.video_id = "v" + std::to_string(random_() % 13);
    if (maybe())
      q.segment_type =
          pick<SegmentType>({SegmentType::processed, SegmentType::original, SegmentType::thumbnail});
    if (maybe()) q.min_duration = pick<double>({0, 0.5, 9.75, 12.333333333333334, 5'000});
    if (maybe()) q.max_duration = pick<double>({0, 0.5, 10, 100, 5'000});
    if (maybe()) q.min_downloads = static_cast<std::int64_t>(random_() % 14);
    if (maybe())
      q.tags = pick<std::vector<std::string>>(
          {{"a"}, {"a", "b"}, {","}, {"\""}, {"日本"}, {"a\",\"b"}, {"none"}, {"\\", "A"}});
    if (maybe()) q.has_social_media = random_() % 2 == 0;
    if (maybe())
      q.platform = pick<SocialMediaPlatform>(
          {SocialMediaPlatform::tiktok, SocialMediaPlatform::twitter, SocialMediaPlatform::youtube});
    if (maybe())
      q.search = pick<std::string>({"a", "är", "clip", "🎬", "50%", "_", "'", "\"", "zebraclip", "本"});
    if (maybe())
      q.created_after = format_time(1'790'000'000'000 + static_cast<Millis>(random_() % 20) * 1'000);
    if (maybe())
      q.created_before = format_time(1'790'000'000'000 + static_cast<Millis>(random_() % 21) * 1'000);
    q.sort_by = static_cast<SegmentOrder>(random_() % 8);
    q.descending = random_() % 2 == 0;
    q.limit = static_cast<std::int64_t>(1 + random_() % 60);
    return q;
  }

  std::mt19937 random_{20261122};
};

TEST_P(SegmentListContract, WalksEveryOrderBothWays) {
  Rows rows = create_random(scaled(240));
  for (int order = 0; order < 8; ++order) {
    for (bool descending : {false, true}) {
      for (std::int64_t limit : {1, 7, 200, 240}) {
        if (limit == 1 && order != 3) continue;
        SegmentQuery query;
        query.sort_by = static_cast<SegmentOrder>(order);
        query.descending = descending;
        query.limit = limit;
        EXPECT_EQ(walk(query, std::ssize(rows)), expected_ids(rows, query))
            << name_of(query.sort_by) << " " << descending;
      }
    }
  }
}

TEST_P(SegmentListContract, PagesByOffset) {
  Rows rows = create_random(60);
  SegmentQuery query;
  query.sort_by = SegmentOrder::name;
  query.limit = 25;
  auto expected = expected_ids(rows, query);
  for (std::int64_t offset : {0, 1, 25, 35, 50, 59, 60, 61, 1'000'000'000}) {
    query.offset = offset;
    auto page = segments_.list_segments("ann", query);
    EXPECT_EQ(page.total_count, 60);
    auto begin = std::min<std::int64_t>(offset, 60);
    auto end = std::min<std::int64_t>(begin + 25, 60);
    ASSERT_EQ(std::ssize(page.segments), end - begin) << offset;
    for (auto i = begin; i < end; ++i)
      EXPECT_EQ(page.segments[static_cast<std::size_t>(i - begin)].segment_id,
                expected[static_cast<std::size_t>(i)]);
    EXPECT_EQ(page.next.has_value(), end < 60) << offset;
  }
}

TEST_P(SegmentListContract, FiltersAsBruteForceDoes) {
  Rows rows = create_random(scaled(240));
  int with_rows = 0;
  for (int i = 0; i < scaled(400); ++i) {
    SegmentQuery query = make_random_query();
    auto expected = expected_ids(rows, query);
    with_rows += !expected.empty();
    EXPECT_EQ(walk(query, std::ssize(expected)), expected) << "query " << i;
    if (HasFailure()) return;
  }
  EXPECT_GT(with_rows, scaled(100));
}

TEST_P(SegmentListContract, GivesWholeRecords) {
  Rows rows = create_random(40);
  std::map<std::string, Segment> by_id;
  for (const auto& row : rows) by_id[row.segment_id] = row;
  SegmentQuery query;
  query.limit = 200;
  for (const auto& segment : segments_.list_segments("ann", query).segments)
    EXPECT_EQ(segment, by_id[segment.segment_id]);
}

TEST_P(SegmentListContract, PrintsWhatItLists) {
  create_random(60);
  Segment rich = make_segment("rich", 1);
  rich.thumbnail_url = "thumbnails/rich/\"1\".jpg";
  rich.s3_url = "s3://bucket/é";
  rich.title = "\x01 \t\n\"\\/ \xff é 🎬";
  rich.tags = {"plain", "b\"c", "é", ""};
  rich.duration = 1e-9;
  rich.social_media_usage.push_back(make_post(SocialMediaPlatform::youtube, "p\"1"));
  segments_.create_segment(rich);
  const PrintThumbnail print_thumbnail = [](TextSink& out, std::string_view key) {
    encode_string(out, "https://" + std::string(key));
  };
  auto check = [&](const SegmentQuery& query) {
    auto listed = segments_.list_segments("ann", query);
    std::string expected, printed = "before ";
    TextSink to_expected(expected), to_printed(printed);
    auto of_list = print_page(to_expected, listed, print_thumbnail);
    auto of_print = segments_.print_segments("ann", query, to_printed, print_thumbnail);
    to_expected.end();
    to_printed.end();
    EXPECT_EQ(printed, "before " + expected);
    EXPECT_EQ(of_print.rows, of_list.rows);
    EXPECT_EQ(of_print.total_count, of_list.total_count);
    EXPECT_EQ(of_print.next, of_list.next);
  };
  SegmentQuery all;
  all.limit = 200;
  check(all);
  std::string text;
  TextSink out(text);
  segments_.print_segments("ann", all, out, print_thumbnail);
  out.end();
  EXPECT_NE(text.find(R"("thumbnail_url":"https://thumbnails/rich/\"1\".jpg")"), text.npos);
  EXPECT_NE(text.find(R"("tags":["plain","b\"c","é",""])"), text.npos);
  for (int i = 0; i < scaled(40); ++i) check(make_random_query());
  for (std::int64_t limit : {1, 60, 61, 62}) {
    all.limit = limit;
    check(all);
  }
}

// An answer that was printed at a revision may be given again for as long as that is the user's: so whatever
// changes what is printed makes another one, whichever verb it was.
TEST_P(SegmentListContract, GivesAnotherRevisionWithEveryChangeThatListsShow) {
  SegmentQuery query;
  query.limit = 200;
  auto print = [&] {
    std::string text;
    TextSink out(text);
    auto before = segments_.find_list_revision("ann");
    auto page =
        segments_.print_segments("ann", query, out, [](TextSink& o, std::string_view key) { o += key; });
    out.end();
    EXPECT_EQ(page.revision, before);
    EXPECT_EQ(segments_.find_list_revision("ann"), before) << "reading changes nothing";
    return std::pair(text + std::to_string(page.total_count), page.revision);
  };
  auto last = print();
  std::set<std::int64_t> given;
  auto check = [&](const char* verb, bool is_shown, auto&& change) {
    change();
    auto now = print();
    EXPECT_EQ(now.first != last.first, is_shown) << verb;
    if (now.second) {
      if (is_shown) {
        EXPECT_TRUE(given.insert(*now.second).second) << verb;
      }
      EXPECT_GE(*now.second, *last.second) << verb;
    }
    last = std::move(now);
  };
  Segment one = make_segment("v1", 1), two = make_segment("v1", 2);
  const std::string id = one.segment_id, at = format_time(1'790'000'001'000);
  check("create", true, [&] { segments_.create_segment(one); });
  check("create again", false, [&] { segments_.create_segment(one); });
  check("create later", true, [&] { segments_.create_segment_later(make_segment("v2", 1), {}).wait(); });
  check("media, new", true, [&] { segments_.put_segment_from_media(two); });
  check("media, the same", false, [&] { segments_.put_segment_from_media(two); });
  two.duration = 99;
  check("media, replaced", true, [&] { segments_.put_segment_from_media(two); });
  two.segment_type = SegmentType::audio;
  check("media, another type", true, [&] { segments_.put_segment_from_media(two); });
  auto entitle = [](const char* title) { return [title](Segment& s) { s.title = title; }; };
  check("update", true, [&] { segments_.update_segment(id, "ann", {}, entitle("a"), at); });
  check("update later", true,
        [&] { segments_.update_segment_later(id, "ann", {}, entitle("b"), at).wait(); });
  check("update, refused", false,
        [&] { EXPECT_THROW(segments_.update_segment(id, "ann", 77, entitle("c"), at), Error); });
  check("update, broken off", false, [&] {
    EXPECT_THROW(segments_.update_segment(
                     id, "ann", {}, [](Segment&) { throw Error(ErrorKind::invalid, "No."); }, at),
                 Error);
  });
  check("download", true, [&] { segments_.count_download(id, "ann", at); });
  auto post = make_post(SocialMediaPlatform::tiktok, "1");
  post.post_url.reset();
  check("link", true, [&] { segments_.link_post(id, "ann", post); });
  check("link again", false, [&] { segments_.link_post(id, "ann", post); });
  check("link later", true, [&] {
    segments_.link_post_later(id, "ann", make_post(SocialMediaPlatform::tiktok, "2"), nullptr).wait();
  });
  check("download later", true, [&] { segments_.count_download_later(id, "ann", at, nullptr).wait(); });
  post.post_url = "https://example.com/1";
  check("link, with its address", true, [&] { segments_.link_post(id, "ann", post); });
  MetricsReading reading;
  reading.views = 5;
  reading.read_at = format_time(1'790'000'002'000);
  auto read = [&] { segments_.add_reading(id, SocialMediaPlatform::tiktok, "1", reading); };
  check("reading", true, read);
  reading.views = 4;
  reading.read_at = format_time(1'790'000'001'500);
  check("reading, an older one", false, read);
  check("put off", false, [&] {
    auto due = segments_.list_due_posts(2'000'000'000'000, 10);
    segments_.put_off_posts(due, 2'000'000'000'000);
  });
  check("unlink", true, [&] { segments_.unlink_posts(id, "ann", SocialMediaPlatform::tiktok, {}); });
  check("another user's", false, [&] { segments_.create_segment(make_segment("b1", 1, "bob")); });
  SegmentRecord record;
  record.segment = one;
  record.segment.title = "Moved";
  check("archive, put", true, [&] { stores_->archive().put_records(std::vector<Record>{record}); });
  check("archive, removed", true, [&] { stores_->archive().remove_records(std::vector<Record>{record}); });
  check("archive, put anew", true, [&] { stores_->archive().put_records(std::vector<Record>{record}); });
  check("remove", true, [&] { segments_.remove_segment(id, "ann", {}); });
  check("remove again", false, [&] { segments_.remove_segment(id, "ann", {}); });
  check("a video", false, [&] { videos_.create_video(make_video("v3")); });
  check("a video removed", false, [&] { videos_.remove_video("v3"); });
}

TEST_P(SegmentListContract, CountsExactlyAfterEveryKindOfChange) {
  create_random(30);
  SegmentQuery downloaded;
  downloaded.min_downloads = 50;
  SegmentQuery tagged;
  tagged.tags = {"fresh"};
  SegmentQuery posted;
  posted.platform = SocialMediaPlatform::facebook;
  SegmentQuery named;
  named.search = "fresh";
  auto expect_counts = [&](std::int64_t d, std::int64_t t, std::int64_t p, std::int64_t n) {
    EXPECT_EQ(segments_.list_segments("ann", downloaded).total_count, d);
    EXPECT_EQ(segments_.list_segments("ann", tagged).total_count, t);
    EXPECT_EQ(segments_.list_segments("ann", posted).total_count, p);
    EXPECT_EQ(segments_.list_segments("ann", named).total_count, n);
  };
  expect_counts(0, 0, 0, 0);
  Segment segment = make_segment("fresh", 1);
  segment.download_count = 49;
  segment.tags = {"fresh"};
  segments_.create_segment(segment);
  expect_counts(0, 1, 0, 0);
  segments_.count_download(segment.segment_id, "ann", now_text());
  expect_counts(1, 1, 0, 0);
  auto edit = [](Segment& s) {
    s.tags = {};
    s.title = "So Fresh";
  };
  segments_.update_segment(segment.segment_id, "ann", {}, edit, now_text());
  expect_counts(1, 0, 0, 1);
  segments_.link_post(segment.segment_id, "ann", make_post(SocialMediaPlatform::facebook, "f"));
  expect_counts(1, 0, 1, 1);
  segments_.unlink_posts(segment.segment_id, "ann", SocialMediaPlatform::facebook, {});
  expect_counts(1, 0, 0, 1);
  segment.filename = "fresh.mp4";
  segment.duration = 1;
  segments_.put_segment_from_media(segment);
  expect_counts(1, 0, 0, 1);
  segments_.remove_segment(segment.segment_id, "ann", {});
  expect_counts(0, 0, 0, 0);
}

TEST_P(SegmentListContract, NeitherSkipsNorRepeatsWhileRowsAreInserted) {
  Rows rows = create_random(scaled(200));
  std::set<std::string> before;
  for (const auto& row : rows) before.insert(row.segment_id);
  std::vector<Segment> more;
  for (int i = 0; i < scaled(3'000); ++i) more.push_back(make_random(1'000 + i));
  std::atomic<bool> walked{false};
  std::atomic<int> inserted{0};
  std::thread inserter([&] {
    for (const auto& row : more) {
      if (walked) return;
      segments_.create_segment(row);
      ++inserted;
      inserted.notify_all();
    }
  });
  for (int order = 0; order < 8; ++order) {
    SegmentQuery query;
    query.sort_by = static_cast<SegmentOrder>(order);
    query.descending = order % 2 == 0;
    query.limit = 13;
    std::set<std::string> seen;
    for (;;) {
      auto page = segments_.list_segments("ann", query);
      for (const auto& segment : page.segments)
        EXPECT_TRUE(seen.insert(segment.segment_id).second) << "repeated " << segment.segment_id;
      if (!page.next) break;
      // Each walk meets rows that came after its first page.
      if (!query.after)
        if (int seen_by = inserted; seen_by < std::ssize(more)) inserted.wait(seen_by);
      query.after = page.next;
    }
    EXPECT_TRUE(std::ranges::includes(seen, before)) << name_of(query.sort_by);
  }
  walked = true;
  inserter.join();
  EXPECT_GT(inserted, 0);
}

TEST_P(SegmentListContract, RefusesAPositionOfAnotherOrder) {
  create_random(10);
  SegmentQuery query;
  query.sort_by = SegmentOrder::duration;
  query.after = SegmentPosition{"not a number", "seg_v1_001"};
  EXPECT_THROW(segments_.list_segments("ann", query), Error);
}

}  // namespace segments::contract

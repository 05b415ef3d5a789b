// What is held in memory for lists, against a store that holds nothing and reads all from the file.
#include "sqlite/library.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>

#include "sqlite/change_log.h"
#include "sqlite/library_shelf.h"
#include "sqlite/stores.h"
#include "sqlite/test_folder.h"
#include "store/contract.h"

namespace segments::sqlite {

namespace {

Segment make_varied(int number, std::mt19937& random) {
  Segment segment = contract::make_segment("v" + std::to_string(number % 7), number);
  segment.duration = static_cast<double>(random() % 20);
  segment.file_size = static_cast<std::int64_t>(random() % 20);
  segment.title = "Title " + std::to_string(random() % 20);
  segment.tags = {random() % 2 ? "even" : "odd"};
  segment.filename = std::to_string(random() % 20) + ".mp4";
  segment.created_at = format_time(1'790'000'000'000 + static_cast<Millis>(random() % 50));
  return segment;
}

// Queries that are answered from memory, of every order.
std::vector<SegmentQuery> make_queries() {
  std::vector<SegmentQuery> queries;
  for (int order = 0; order < 8; ++order) {
    SegmentQuery query;
    query.sort_by = static_cast<SegmentOrder>(order);
    query.descending = order % 2 == 0;
    query.limit = 200;
    query.min_downloads = order % 3 == 0 ? std::optional<std::int64_t>(1) : std::nullopt;
    if (order % 3 == 1) query.search = "e 1";
    if (order % 3 == 2) query.tags = {"odd"};
    queries.push_back(query);
    query.min_downloads = {};
    query.search = {};
    query.tags = {};
    query.offset = 5;
    queries.push_back(query);
  }
  return queries;
}

void expect_same_lists(SegmentStore& held, SegmentStore& read, const std::string& when) {
  for (const auto& query : make_queries()) {
    auto a = held.list_segments("ann", query), b = read.list_segments("ann", query);
    EXPECT_EQ(a.total_count, b.total_count) << when;
    EXPECT_EQ(a.segments, b.segments) << when << " " << name_of(query.sort_by);
    EXPECT_EQ(a.next, b.next) << when;
  }
}

}  // namespace

TEST(Library, SaysWhatTheFileSaysAfterEveryKindOfChange) {
  TestFolder folder;
  auto file = folder.path() / "segments.db";
  SqliteStores held({.file = file}), read({.file = file, .library_mb = 0});
  std::mt19937 random{5};
  std::vector<std::string> ids;
  for (int i = 0; i < 60; ++i) {
    Segment segment = make_varied(i, random);
    ids.push_back(segment.segment_id);
    held.segments().create_segment(segment);
  }
  expect_same_lists(held.segments(), read.segments(), "at first");
  for (int i = 0; i < 120; ++i) {
    // Either process changes; only one of them holds what is asked.
    auto& changing = random() % 2 ? held.segments() : read.segments();
    const std::string id = ids[random() % ids.size()];
    const int kind = static_cast<int>(random() % 7);
    if (kind == 0) {
      Segment segment = make_varied(100 + i, random);
      ids.push_back(segment.segment_id);
      changing.create_segment(segment);
    } else if (kind == 1) {
      changing.update_segment(
          id, "ann", {},
          [&](Segment& s) {
            s.title = random() % 3 ? std::optional("Title " + std::to_string(random() % 20)) : std::nullopt;
            s.tags = {"odd", std::to_string(random() % 5)};
          },
          now_text());
    } else if (kind == 2) {
      changing.count_download(id, "", now_text());
    } else if (kind == 3) {
      changing.link_post(id, "", contract::make_post(SocialMediaPlatform::tiktok, std::to_string(i)));
    } else if (kind == 4) {
      changing.unlink_posts(id, "", SocialMediaPlatform::tiktok, {});
    } else if (kind == 5) {
      if (auto found = changing.find_segment(id)) {
        found->segment.duration += 1;
        found->segment.segment_type = SegmentType::original;
        changing.put_segment_from_media(found->segment);
      }
    } else {
      changing.remove_segment(id, "", {});
    }
    if (i % 3 == 0) expect_same_lists(held.segments(), read.segments(), "after change " + std::to_string(i));
    if (testing::Test::HasFailure()) return;
  }
}

// Pages are exact at every moment, whoever writes: total, order, and no row twice.
TEST(Library, IsExactWhileManyWriteAndRead) {
  TestFolder folder;
  auto file = folder.path() / "segments.db";
  SqliteStores here({.file = file}), there({.file = file});
  std::atomic<int> writing{2};
  contract::run_at_once(4, [&](int t) {
    if (t < 2) {
      std::mt19937 random(static_cast<unsigned>(t));
      auto& stores = t ? here : there;
      for (int i = 0; i < 60; ++i) {
        Segment segment = make_varied(t * 1'000 + i, random);
        stores.segments().create_segment(segment);
        stores.segments().count_download(segment.segment_id, "", now_text());
        if (i % 3 == 0) stores.segments().remove_segment(segment.segment_id, "", {});
      }
      --writing;
      return;
    }
    auto& stores = t % 2 ? here : there;
    SegmentQuery query;
    query.sort_by = static_cast<SegmentOrder>(t);
    query.limit = 1'000;
    do {
      auto page = stores.segments().list_segments("ann", query);
      ASSERT_EQ(page.total_count, std::ssize(page.segments));
      for (std::size_t i = 1; i < page.segments.size(); ++i)
        ASSERT_NE(page.segments[i - 1].segment_id, page.segments[i].segment_id);
    } while (writing > 0);
    EXPECT_EQ(stores.segments().list_segments("ann", query).total_count, 80);
  });
}

TEST(Library, ReadsAnewWhatTheLogOfChangesHasForgotten) {
  TestFolder folder;
  auto file = folder.path() / "segments.db";
  SqliteStores stores({.file = file});
  for (int i = 0; i < 10; ++i) stores.segments().create_segment(contract::make_segment("v1", i));
  SegmentQuery query;
  query.sort_by = SegmentOrder::download_count;
  EXPECT_EQ(stores.segments().list_segments("ann", query).segments[0].segment_number, 9);
  stores.segments().count_download(make_numbered_segment_id("v1", 3), "", now_text());
  stores.segments().count_download(make_numbered_segment_id("v1", 4), "", now_text());
  stores.segments().count_download(make_numbered_segment_id("v1", 4), "", now_text());
  Connection connection({.file = file});
  EXPECT_EQ(connection.run("DELETE FROM \"changes\" WHERE \"position\" < (SELECT max(\"position\") FROM "
                           "\"changes\")"),
            12);
  auto page = stores.segments().list_segments("ann", query);
  EXPECT_EQ(page.segments[0].segment_number, 4);
  EXPECT_EQ(page.segments[1].segment_number, 3);
}

TEST(Library, KeepsOnlyAsManyAsItsBoundHolds) {
  TestFolder folder;
  auto file = folder.path() / "segments.db";
  SqliteStores stores({.file = file});
  for (int user = 0; user < 20; ++user)
    for (int i = 0; i < 20; ++i) {
      const std::string name = "user" + std::to_string(user);
      stores.segments().create_segment(contract::make_segment(name, i, name));
    }
  Connection connection({.file = file});
  SegmentQuery query;
  query.sort_by = SegmentOrder::duration;
  auto lists = [&](LibraryShelf& shelf, std::int64_t user_ref) {
    auto lent = shelf.lend("user" + std::to_string(user_ref - 1));
    Snapshot snapshot(connection);
    auto* library = lent.bring_up_to(connection, user_ref);
    return library ? library->find(query).count : -1;
  };
  LibraryShelf shelf(64 * 1'024), too_small(1'024);
  for (int round = 0; round < 3; ++round) {
    for (std::int64_t user_ref = 1; user_ref <= 20; ++user_ref) {
      EXPECT_EQ(lists(shelf, user_ref), 20);
      EXPECT_LE(shelf.bytes(), 64u * 1'024);
    }
  }
  EXPECT_GT(shelf.bytes(), 10u * 1'024);
  EXPECT_EQ(lists(too_small, 1), -1);
}

// One that doubled would push another off the shelf.
TEST(Library, TakesLittleMoreForOneSegmentMore) {
  TestFolder folder;
  auto file = folder.path() / "segments.db";
  SqliteStores stores({.file = file});
  for (int i = 0; i < 300; ++i) stores.segments().create_segment(contract::make_segment("v", i));
  Connection connection({.file = file});
  Library library;
  ASSERT_TRUE(library.load(connection, 1, 1 << 20));
  const auto before = library.bytes();
  for (int i = 300; i < 310; ++i) {
    stores.segments().create_segment(contract::make_segment("v", i));
    library.refresh(connection, 1, {i + 1});
    EXPECT_EQ(library.find({}).count, i + 1);
  }
  EXPECT_LT(library.bytes(), before + before / 3);
}

TEST(ChangeLog, NamesASegmentOnceForEachOfItsChangesAndForgetsTheOldest) {
  TestFolder folder;
  auto file = folder.path() / "segments.db";
  SqliteStores stores({.file = file});
  for (const char* user : {"ann", "bob"})
    for (int i = 0; i < 3; ++i) stores.segments().create_segment(contract::make_segment(user, i, user));
  Connection connection({.file = file});
  const auto before = newest_change(connection);
  EXPECT_EQ(list_changes(connection, 1, 0)->size(), 3u);
  EXPECT_EQ(list_changes(connection, 2, 0)->size(), 3u);
  // Large numbers take more bytes; a connection without a writer logs each change by itself.
  note_change(connection, std::int64_t{1} << 40, 300);
  note_change(connection, 1, std::int64_t{1} << 62);
  EXPECT_EQ(list_changes(connection, std::int64_t{1} << 40, before), std::vector<std::int64_t>{300});
  EXPECT_EQ(list_changes(connection, 1, before), std::vector<std::int64_t>{std::int64_t{1} << 62});
  EXPECT_EQ(list_changes(connection, 3, before), std::vector<std::int64_t>{});
  EXPECT_EQ(list_changes(connection, 1, newest_change(connection)), std::vector<std::int64_t>{});
  // The log goes on at a multiple of what it forgets at once.
  connection.run("INSERT INTO \"changes\" VALUES (?, x'')", 100 * 1'024 - 1);
  note_change(connection, 1, 7);
  EXPECT_EQ(newest_change(connection), 100 * 1'024);
  EXPECT_EQ(connection.find_integer("SELECT min(\"position\") FROM \"changes\""), 100 * 1'024 - 1);
  EXPECT_FALSE(list_changes(connection, 1, before)) << "it does not reach back so far";
}

}  // namespace segments::sqlite

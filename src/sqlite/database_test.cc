// The file itself: migrations, damage, a full disk, and changes that share a transaction.
#include "sqlite/database.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <fstream>
#include <future>
#include <thread>

#include "base/error.h"
#include "sqlite/followed_posts.h"
#include "sqlite/schema.h"
#include "sqlite/segment_queries.h"
#include "sqlite/segment_rows.h"
#include "sqlite/stores.h"
#include "sqlite/test_folder.h"
#include "store/contract.h"

namespace segments::sqlite {

namespace {

const Schema numbers_schema{
    .application_id = 77,
    .steps = {[](Connection& connection) {
      connection.run_script("CREATE TABLE \"numbers\" (\"n\" INTEGER PRIMARY KEY, \"filler\" TEXT)");
    }}};

std::int64_t count_numbers(Database& database) {
  return database.read([](Connection& c) { return *c.find_integer("SELECT count(*) FROM \"numbers\""); });
}

// What opening the file is refused with.
std::string refusal_of(const std::filesystem::path& file) {
  try {
    SqliteStores stores({.file = file, .busy_timeout_ms = 200});
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::internal);
    return error.what();
  }
  return "";
}

}  // namespace

TEST(Migrations, BringAnyVersionToTheNewest) {
  TestFolder folder;
  auto file = folder.path() / "numbers.db";
  Schema schema = numbers_schema;
  {
    Database database({.file = file}, schema, nullptr);
    database.write([](Connection& c) { c.run("INSERT INTO \"numbers\" VALUES (1, 'old')"); });
  }
  int runs = 0;
  schema.steps.push_back([&](Connection& connection) {
    ++runs;
    connection.run_script("ALTER TABLE \"numbers\" ADD COLUMN \"more\" TEXT DEFAULT 'new'");
  });
  for (int i = 0; i < 2; ++i) {
    Database database({.file = file}, schema, nullptr);
    database.read([](Connection& c) {
      auto select = c.prepare("SELECT \"filler\" || \"more\" FROM \"numbers\"");
      ASSERT_TRUE(select.step());
      EXPECT_EQ(select.text(0), "oldnew");
    });
  }
  EXPECT_EQ(runs, 1);
}

TEST(Migrations, LeaveNothingOfAStepThatFails) {
  TestFolder folder;
  auto file = folder.path() / "numbers.db";
  Schema schema = numbers_schema;
  schema.steps.push_back([](Connection& connection) {
    connection.run_script("CREATE TABLE \"half\" (\"a\"); INSERT INTO \"nowhere\" VALUES (1)");
  });
  EXPECT_THROW(Database({.file = file}, schema, nullptr), Error);
  Database database({.file = file}, numbers_schema, nullptr);
  EXPECT_EQ(database.read([](Connection& c) { return c.find_integer("PRAGMA user_version"); }), 1);
  EXPECT_EQ(database.read([](Connection& c) {
    return c.find_integer("SELECT count(*) FROM sqlite_master WHERE name = 'half'");
  }),
            0);
}

TEST(Migrations, KeepOldRemovalsForTheOwnersThatCanBeFound) {
  TestFolder folder;
  auto file = folder.path() / "segments.db";
  {
    Schema first = store_schema();
    first.steps.resize(1);
    Database old({.file = file}, first, nullptr);
    old.write([](Connection& c) {
      c.run("INSERT INTO \"users\" (\"user_ref\", \"user_id\") VALUES (1, 'ann'), (2, 'bob')");
      c.run("INSERT INTO \"claims\" VALUES ('half removed', 1), ('alive', 2)");
      c.run(
          "INSERT INTO \"events\" (\"user_ref\", \"at\", \"type\", \"job_id\", \"data\") VALUES (1, 5, "
          "'job.cancelled', 'cut once', '{}')");
      c.run("INSERT INTO \"removed_videos\" VALUES ('half removed', 1), ('cut once', 2), ('forgotten', 3)");
    });
  }
  SqliteStores stores({.file = file});
  for (const char* video_id : {"half removed", "cut once"}) {
    EXPECT_FALSE(stores.videos().claim_video(video_id, "bob")) << video_id;
    EXPECT_EQ(stores.segments().put_segment_from_media(contract::make_segment(video_id, 1)),
              MediaOutcome::removed)
        << video_id;
    EXPECT_TRUE(stores.videos().claim_video(video_id, "ann")) << video_id;
  }
  for (const char* user : {"ann", "bob", "carl"})
    EXPECT_FALSE(stores.videos().claim_video("forgotten", user)) << user;
  EXPECT_EQ(stores.segments().create_segment(contract::make_segment("forgotten", 1)).kind,
            CreateOutcome::Kind::foreign_video);
  EXPECT_TRUE(stores.videos().claim_video("forgotten", "carl", true)) << "where no ownership is checked";
  EXPECT_TRUE(stores.videos().claim_video("alive", "bob"));
}

TEST(Migrations, FollowThePostsThatWereLinkedBefore) {
  TestFolder folder;
  auto file = folder.path() / "segments.db";
  constexpr Millis day_ms = 24 * 3'600'000;
  const Millis posted = now_ms() - 100 * day_ms;
  {
    SqliteStores stores({.file = file});
    Segment segment = contract::make_segment("v1", 1);
    auto& posts = segment.social_media_usage;
    for (const char* post_id : {"unread", "read", "reported", "of unknown age"})
      posts.push_back(contract::make_post(SocialMediaPlatform::tiktok, post_id));
    posts[1].posted_at = format_time(posted);
    posts[1].last_synced = format_time(now_ms());
    posts[2].source = MetricsSource::reported;
    posts[3].post_id = "old";
    posts[3].last_synced = format_time(now_ms());
    segment.created_at = format_time(now_ms() - 25 * day_ms);
    stores.segments().create_segment(segment);
    stores.segments().create_segment(contract::make_segment("v1", 2));
  }
  // As the file was before.
  Connection({.file = file})
      .run_script(
          "DROP TABLE \"notes\"; DROP TABLE \"foreign_attributes\"; DROP TABLE \"followed_posts\"; DROP "
          "TABLE "
          "\"changes\"; DROP TABLE \"segments_with_other_ids\"; PRAGMA user_version=2");
  SqliteStores stores({.file = file});
  auto due = [&](Millis now) {
    std::vector<std::string> ids;
    for (const auto& post : stores.segments().list_due_posts(now, 10)) ids.push_back(post.post_id);
    return ids;
  };
  EXPECT_EQ(due(now_ms()), std::vector<std::string>{"unread"});
  EXPECT_EQ(due(now_ms() + 6 * day_ms), (std::vector<std::string>{"unread", "old"}));
  EXPECT_EQ(due(now_ms() + 89 * day_ms), (std::vector<std::string>{"unread", "old"}));
  EXPECT_EQ(due(now_ms() + 90 * day_ms), (std::vector<std::string>{"unread", "old", "read"}));
}

// A file as it was while each order had an index of its own, with rows of both forms of ids.
TEST(Migrations, ListWhatWasStoredUnderMoreIndexes) {
  TestFolder folder;
  auto file = folder.path() / "segments.db";
  {
    Schema old_schema = store_schema();
    old_schema.steps.resize(3);
    Database old({.file = file}, old_schema, nullptr);
    old.write([](Connection& c) {
      c.run("INSERT INTO \"users\" (\"user_id\", \"segments_processed\") VALUES ('ann', 30)");
      for (int i = 0; i < 30; ++i) {
        auto segment = contract::make_segment("v1", i);
        segment.title = std::to_string(i * 7 % 30);
        const auto segment_ref = insert_row(c, 1, 1, segment);
        if (i % 10 == 0)
          c.run("UPDATE \"segments\" SET \"segment_id\" = 'other-' || ? WHERE \"segment_ref\" = ?", i,
                segment_ref);
      }
    });
  }
  SqliteStores stores({.file = file});
  auto of_video = stores.segments().list_video_segments("v1", "ann", {});
  ASSERT_EQ(of_video.size(), 30u);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(of_video[static_cast<std::size_t>(i)].segment_number, i);
  SegmentQuery query;
  query.sort_by = SegmentOrder::title;
  query.limit = 3;
  auto page = stores.segments().list_segments("ann", query);
  EXPECT_EQ(page.total_count, 30);
  ASSERT_EQ(page.segments.size(), 3u);
  EXPECT_EQ(page.segments[0].title, "9");
  EXPECT_TRUE(stores.segments().remove_segment("other-10", "ann", {}));
  query.video_id = "v1";
  EXPECT_EQ(stores.segments().list_segments("ann", query).total_count, 29);
  EXPECT_EQ(
      Connection({.file = file})
          .find_integer("SELECT count(*) FROM sqlite_master WHERE type = 'index' AND tbl_name = 'segments'"),
      3);
}

// A video whose id begins as another's does is another one.
TEST(Lists, KeepApartVideosWhoseIdsBeginAlike) {
  TestFolder folder;
  SqliteStores stores({.file = folder.path() / "segments.db"});
  for (const char* video : {"a", "a_b", "a_b_c", "a`", "a_", "b"})
    for (int i = 0; i < 3; ++i) stores.segments().create_segment(contract::make_segment(video, i));
  for (const char* video : {"a", "a_b", "a_b_c", "a`", "a_", "b"}) {
    auto found = stores.segments().list_video_segments(video, "", {});
    EXPECT_EQ(found.size(), 3u) << video;
    for (const auto& segment : found) EXPECT_EQ(segment.video_id, video);
    SegmentQuery query;
    query.video_id = video;
    EXPECT_EQ(stores.segments().list_segments("ann", query).total_count, 3) << video;
  }
}

TEST(Store, FindsDuePostsByTheirIndexAlone) {
  TestFolder folder;
  auto file = folder.path() / "segments.db";
  { SqliteStores stores({.file = file}); }
  Connection connection({.file = file});
  auto plan = connection.prepare(std::string("EXPLAIN QUERY PLAN ") + due_posts_sql).plan();
  EXPECT_EQ(plan.find("SCAN"), plan.npos) << plan;
  EXPECT_EQ(plan.find("TEMP B-TREE"), plan.npos) << plan;
}

TEST(Migrations, RefuseWhatIsNewerForeignOrDamagedWithOneSentence) {
  TestFolder folder;
  auto newer = folder.path() / "newer.db";
  { SqliteStores stores({.file = newer}); }
  Connection({.file = newer}).run_script("PRAGMA user_version=999");
  EXPECT_NE(refusal_of(newer).find("newer version"), std::string::npos);

  auto foreign = folder.path() / "foreign.db";
  Connection({.file = foreign}).run_script("CREATE TABLE \"mine\" (\"a\")");
  EXPECT_NE(refusal_of(foreign).find("another program"), std::string::npos);

  auto text = folder.path() / "text.db";
  std::ofstream(text) << std::string(10'000, 'x');
  EXPECT_NE(refusal_of(text).find("damaged"), std::string::npos);

  auto damaged = folder.path() / "damaged.db";
  {
    SqliteStores stores({.file = damaged});
    for (int i = 0; i < 50; ++i) stores.segments().create_segment(contract::make_segment("v1", i));
  }
  {
    std::fstream bytes(damaged, std::ios::in | std::ios::out | std::ios::binary);
    auto size = std::filesystem::file_size(damaged);
    std::string noise(4'096, '\x5a');
    for (std::uintmax_t at = 4'096; at + 4'096 <= size; at += 4'096) {
      bytes.seekp(static_cast<std::streamoff>(at));
      bytes.write(noise.data(), std::ssize(noise));
    }
  }
  try {
    SqliteStores stores({.file = damaged});
    stores.segments().find_segment("seg_v1_001");
    ADD_FAILURE() << "read from a damaged file";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::internal);
    EXPECT_NE(std::string(error.what()).find("damaged"), std::string::npos);
  }
}

TEST(Database, TellsWhenItsFolderCannotBeMade) {
  TestFolder folder;
  std::ofstream(folder.path() / "file") << "x";
  try {
    Database database({.file = folder.path() / "file" / "numbers.db"}, numbers_schema, nullptr);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
  }
}

TEST(Writer, OneFailedChangeHarmsNoOther) {
  TestFolder folder;
  Database database({.file = folder.path() / "numbers.db"}, numbers_schema, nullptr);
  std::atomic<int> failed{0};
  contract::run_at_once(64, [&](int i) {
    try {
      database.write([&](Connection& c) {
        c.run("INSERT INTO \"numbers\" (\"n\") VALUES (?)", i);
        if (i % 4 == 0) throw Error(ErrorKind::conflict, "No.");
        if (i % 4 == 1) c.run("INSERT INTO \"numbers\" (\"n\") VALUES (?)", i);  // breaks the primary key
      });
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), i % 4 == 0 ? ErrorKind::conflict : ErrorKind::internal);
      ++failed;
    }
  });
  EXPECT_EQ(failed, 32);
  EXPECT_EQ(count_numbers(database), 32);
  EXPECT_EQ(database.read([](Connection& c) {
    return c.find_integer("SELECT count(*) FROM \"numbers\" WHERE \"n\" % 4 < 2");
  }),
            0);
}

TEST(Writer, CommitsManyChangesInOneTransaction) {
  TestFolder folder;
  Metrics metrics;
  Database database({.file = folder.path() / "numbers.db"}, numbers_schema, &metrics);
  Labels labels{{"store", "store"}};
  std::promise<void> begun, go;
  std::thread first([&] {
    database.write([&](Connection&) {
      begun.set_value();
      go.get_future().wait();
    });
  });
  begun.get_future().wait();
  // These queue up while the first holds the writer; they can only be done after it.
  std::vector<std::thread> others;
  std::atomic<int> asked{0};
  for (int i = 0; i < 20; ++i)
    others.emplace_back([&, i] {
      ++asked;
      database.write([&](Connection& c) { c.run("INSERT INTO \"numbers\" (\"n\") VALUES (?)", i); });
    });
  while (asked < 20) std::this_thread::yield();
  go.set_value();
  first.join();
  for (auto& other : others) other.join();
  EXPECT_EQ(count_numbers(database), 20);
  EXPECT_EQ(metrics.counter("segments_store_changes_total", "", labels).value(), 21u);
  EXPECT_LT(metrics.counter("segments_store_transactions_total", "", labels).value(), 21u);
}

TEST(Writer, TakesChangesOfThoseWhoDoNotWait) {
  TestFolder folder;
  std::atomic<int> ready{0};
  std::vector<std::shared_ptr<LaterSource<std::int64_t>>> begun;
  {
    Database database({.file = folder.path() / "numbers.db"}, numbers_schema, nullptr);
    for (int i = 0; i < 1'000; ++i) {
      auto change = database.write_later([i](Connection& c) {
        c.run("INSERT INTO \"numbers\" (\"n\") VALUES (?)", i);
        if (i % 10 == 0) throw Error(ErrorKind::conflict, "No.");
        return c.last_row_id();
      });
      begun.push_back(std::move(change).source());
      begun.back()->begin([&] { ++ready; });
    }
    // Nobody has begun this one.
    auto forgotten = database.write_later(
        [](Connection& c) { return c.run("INSERT INTO \"numbers\" (\"n\") VALUES (1000000)"); });
    EXPECT_EQ(database.write_later([](Connection&) { return 5; }).wait(), 5);
    while (ready < 1'000) std::this_thread::yield();
    for (int i = 0; i < 1'000; ++i) {
      if (i % 10 == 0)
        EXPECT_THROW(begun[static_cast<std::size_t>(i)]->take(), Error);
      else
        EXPECT_EQ(begun[static_cast<std::size_t>(i)]->take(), i);
    }
    EXPECT_EQ(count_numbers(database), 900);
    // A writer that ends finishes what it was handed, and tells.
    for (int i = 2'000; i < 2'500; ++i) {
      auto change = database.write_later(
          [i](Connection& c) { return c.run("INSERT INTO \"numbers\" (\"n\") VALUES (?)", i); });
      begun.push_back(std::move(change).source());
      begun.back()->begin([&] { ++ready; });
    }
  }
  EXPECT_EQ(ready, 1'500);
}

TEST(Writer, AnswersUnavailableWhenAnotherHoldsTheFileTooLong) {
  TestFolder folder;
  Database database({.file = folder.path() / "numbers.db", .busy_timeout_ms = 50}, numbers_schema, nullptr);
  Connection other({.file = folder.path() / "numbers.db"});
  other.run("BEGIN IMMEDIATE");
  contract::run_at_once(4, [&](int i) {
    try {
      database.write([&](Connection& c) { c.run("INSERT INTO \"numbers\" (\"n\") VALUES (?)", i); });
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable);
      EXPECT_GT(error.retry_after_s(), 0);
    }
  });
  EXPECT_THROW(database.check(), Error);
  other.run("ROLLBACK");
  database.write([&](Connection& c) { c.run("INSERT INTO \"numbers\" (\"n\") VALUES (1)"); });
  EXPECT_EQ(count_numbers(database), 1);
}

// Rows of half a page until the file's bound is met, on several threads at once.
TEST(FullDisk, RefusesPlainlyAndLeavesNothingHalf) {
  TestFolder folder;
  auto file = folder.path() / "segments.db";
  std::set<std::string> acknowledged;
  std::mutex mutex;
  {
    SqliteStores stores({.file = file, .max_pages = 120});
    std::atomic<int> refused{0};
    contract::run_at_once(4, [&](int t) {
      for (int i = 0; i < 200; ++i) {
        Segment segment = contract::make_segment("v" + std::to_string(t), i);
        segment.description = std::string(2'000, 'x');
        try {
          stores.segments().create_segment(segment);
          std::lock_guard lock(mutex);
          acknowledged.insert(segment.segment_id);
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::unavailable);
          EXPECT_STREQ(error.what(), "The disk is full; nothing was stored.");
          EXPECT_GT(error.retry_after_s(), 0);
          ++refused;
        }
      }
    });
    EXPECT_GT(refused, 0);
    EXPECT_GT(acknowledged.size(), 10u);
    SegmentQuery all;
    all.limit = 10'000;
    auto page = stores.segments().list_segments("ann", all);
    EXPECT_EQ(page.total_count, std::ssize(acknowledged));
    std::set<std::string> stored;
    for (const auto& segment : page.segments) stored.insert(segment.segment_id);
    EXPECT_EQ(stored, acknowledged);
    EXPECT_EQ(stores.events().list_events({}, 0, 10'000).size(), acknowledged.size());
    // Room again.
    for (const auto& id : acknowledged) {
      try {
        stores.segments().remove_segment(id, "", {});
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::unavailable);
      }
    }
    EXPECT_EQ(stores.segments().create_segment(contract::make_segment("new", 1)).kind,
              CreateOutcome::Kind::created);
  }
  SqliteStores stores({.file = file});
  stores.events().check_writable();
  EXPECT_TRUE(stores.segments().find_segment(make_numbered_segment_id("new", 1)));
}

// The operating system refuses to let any file grow, as a full disk does.
TEST(FullDisk, WorksAgainWhenTheDiskDoes) {
  TestFolder folder;
  auto file = folder.path() / "segments.db";
  SqliteStores stores({.file = file});
  stores.segments().create_segment(contract::make_segment("v1", 1));
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  auto log_size = std::filesystem::file_size(file.string() + "-wal");
  rlimit full{.rlim_cur = log_size + 6'000, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  Segment refused = contract::make_segment("v1", 2);
  refused.description = std::string(9'000, 'x');
  std::optional<Error> error;
  std::optional<Error> check_error;
  try {
    stores.segments().create_segment(refused);
  } catch (const Error& e) {
    error = e;
  }
  for (int i = 0; i < 3; ++i) {
    try {
      stores.events().check_writable();
    } catch (const Error& e) {
      check_error = e;
    }
  }
  auto found = stores.segments().find_segment(make_numbered_segment_id("v1", 1));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind(), ErrorKind::unavailable);
  EXPECT_GT(error->retry_after_s(), 0);
  ASSERT_TRUE(check_error);
  EXPECT_EQ(check_error->kind(), ErrorKind::unavailable);
  EXPECT_TRUE(found);
  EXPECT_FALSE(stores.segments().find_segment(refused.segment_id));
  EXPECT_EQ(stores.segments().create_segment(refused).kind, CreateOutcome::Kind::created);
  stores.events().check_writable();
  EXPECT_EQ(stores.segments().list_segments("ann", {}).total_count, 2);
}

TEST(Checkpointer, KeepsTheLogBoundedWhileManyWrite) {
  TestFolder folder;
  auto file = folder.path() / "numbers.db";
  Database database({.file = file}, numbers_schema, nullptr);
  const std::string filler(16 * 4'096, 'x');
  // 220 MB through a log that is started anew at 128.
  contract::run_at_once(2, [&](int t) {
    for (int i = 0; i < 200; ++i)
      database.write([&](Connection& c) {
        for (int j = 0; j < 8; ++j)
          c.run("INSERT OR REPLACE INTO \"numbers\" VALUES (?, ?)", t * 100 + (i + j) % 100, filler);
      });
  });
  EXPECT_LT(std::filesystem::file_size(file.string() + "-wal"), 180u * 1024 * 1024);
}

TEST(Lists, ReadFirstPagesAndVideosFromAnIndex) {
  TestFolder folder;
  auto file = folder.path() / "segments.db";
  SqliteStores stores({.file = file});
  Connection connection({.file = file});
  auto plan_of = [&](const SegmentQuery& query) {
    auto page = make_page(query, 1, {.count = 1'000, .few = {}});
    page.text.insert(0, "EXPLAIN QUERY PLAN ");
    return page.prepare(connection).plan();
  };
  for (bool descending : {false, true}) {
    for (bool with_cursor : {false, true}) {
      SegmentQuery query;
      query.descending = descending;
      if (with_cursor) query.after = SegmentPosition{"1", "seg"};
      auto plan = plan_of(query);
      EXPECT_EQ(plan.find("TEMP B-TREE"), std::string::npos) << plan;
      EXPECT_NE(plan.find("SEARCH segments USING INDEX segments_by_created_at"), std::string::npos) << plan;
      // The cursor is looked up, not walked to.
      if (with_cursor) {
        EXPECT_NE(plan.find(descending ? "<" : ">"), std::string::npos) << plan;
      }
      query.video_id = "v1";
      plan = plan_of(query);
      EXPECT_EQ(plan.find("SCAN"), std::string::npos) << plan;
      EXPECT_NE(plan.find("segments_by_id (segment_id>? AND segment_id<?)"), std::string::npos) << plan;
    }
  }
}

}  // namespace segments::sqlite

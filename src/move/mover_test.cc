#include "move/mover.h"

#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "objects/directory.h"
#include "sqlite/stores.h"
#include "sqlite/test_folder.h"
#include "store/contract.h"

namespace segments::move {
namespace {

// One machine's folder.
struct Folder {
  sqlite::TestFolder folder;
  SqliteStores stores{{.file = folder.path() / "segments.db"}};
  DirectoryObjectStore objects{folder.path() / "objects", "secret"};

  Side side() { return {"folder " + folder.path().string(), stores.archive(), objects}; }
  void put(const std::string& key, const std::string& bytes, const std::string& type = "video/mp4") {
    auto writer = objects.write_object(key, type);
    writer->write(bytes);
    writer->commit();
  }
  std::map<std::string, std::string> all_objects() {
    std::map<std::string, std::string> all;
    for (const auto& info : objects.list_objects("", "", 1'000)) {
      auto found = objects.find_object(info.key);
      all[info.key] = found->content_type + " " + objects.read_object(info.key, 0, 1 << 20);
    }
    return all;
  }
  RecordSums sums() { return sum_records(stores.archive(), 0); }
};

void fill(Folder& from, int segments = 25, int objects = 9) {
  for (int i = 1; i <= segments; ++i) {
    auto segment = contract::make_segment("v" + std::to_string(i % 3), i);
    from.stores.segments().create_segment(segment);
    if (i % 4) continue;
    from.stores.segments().link_post(segment.segment_id, "",
                                     contract::make_post(SocialMediaPlatform::tiktok, "p1"));
    from.stores.segments().add_reading(
        segment.segment_id, SocialMediaPlatform::tiktok, "p1",
        {.views = i, .likes = {}, .shares = {}, .comments = {}, .source = {}, .read_at = now_text()});
  }
  for (int i = 0; i < objects; ++i)
    from.put("processed/v/" + std::to_string(i), std::string(1'000u + static_cast<unsigned>(i), 'x'));
}

Options small() {
  Options options;
  options.records_at_once = 4;
  options.objects_at_once = 2;
  return options;
}

TEST(Mover, MakesTheTargetLikeTheSource) {
  Folder from, to;
  fill(from);
  from.put("empty", "", "text/plain; charset=utf-8");
  auto report = Mover(from.side(), to.side(), small()).run();
  EXPECT_TRUE(report.is_alike);
  EXPECT_EQ(report.passes, 1);
  EXPECT_EQ(report.copied_objects, 10);
  EXPECT_EQ(to.sums(), from.sums());
  EXPECT_EQ(to.all_objects(), from.all_objects());
  EXPECT_TRUE(Mover(from.side(), to.side(), small()).compare().is_alike);
  // Once more there is nothing to do.
  report = Mover(from.side(), to.side(), small()).run();
  EXPECT_TRUE(report.is_alike);
  EXPECT_EQ(report.changed_records + report.copied_objects, 0);
}

TEST(Mover, StoppedAnywhereItGoesOn) {
  Folder from;
  fill(from);
  const auto wanted = from.sums();
  const auto objects = from.all_objects();
  bool is_done = false;
  int stops = 0;
  for (int at = 1; !is_done; ++at) {
    Folder to;
    int asked = 0;
    auto options = small();
    options.is_stopped = [&] { return ++asked == at; };
    try {
      is_done = Mover(from.side(), to.side(), std::move(options)).run().is_alike;
      continue;
    } catch (const Error& error) {
      ASSERT_EQ(error.kind(), ErrorKind::conflict);
      ++stops;
    }
    auto report = Mover(from.side(), to.side(), small()).run();
    EXPECT_TRUE(report.is_alike) << at;
    EXPECT_EQ(to.sums(), wanted) << at;
    EXPECT_EQ(to.all_objects(), objects) << at;
    if (at > 6) {
      EXPECT_EQ(report.copied_objects, 0) << "not from the beginning";
    }
  }
  EXPECT_GT(stops, 10);
}

TEST(Mover, StoppedAgainAndAgainItComesToTheEnd) {
  Folder from, to;
  fill(from);
  int runs = 0;
  for (bool is_done = false; !is_done; ++runs) {
    ASSERT_LT(runs, 200);
    int asked = 0;
    auto options = small();
    // What is compared at the end is gone through as a whole.
    options.is_stopped = [&] { return runs < 12 && ++asked == 2; };
    try {
      is_done = Mover(from.side(), to.side(), std::move(options)).run().is_alike;
    } catch (const Error&) {
    }
  }
  EXPECT_EQ(runs, 13);
  EXPECT_EQ(to.sums(), from.sums());
  EXPECT_EQ(to.all_objects(), from.all_objects());
}

TEST(Mover, FollowsWhatChangesMeanwhile) {
  Folder from, to;
  fill(from);
  int turns = 0;
  auto options = small();
  options.tell = [&](const std::string& said) {
    if (said != "Comparing." || ++turns > 3) return;
    const auto n = std::to_string(turns);
    from.stores.segments().create_segment(contract::make_segment("new", turns));
    from.stores.segments().count_download("seg_v1_001", "", now_text());
    from.stores.segments().remove_segment("seg_v1_0" + std::string(turns == 1   ? "04"
                                                                   : turns == 2 ? "07"
                                                                                : "10"),
                                          "", {});
    from.put("processed/new/" + n, n);
    from.put("processed/v/1", "replaced " + n);
    from.objects.remove_object("processed/v/" + std::to_string(turns + 3));
  };
  auto report = Mover(from.side(), to.side(), std::move(options)).run();
  EXPECT_TRUE(report.is_alike);
  EXPECT_EQ(turns, 5);
  EXPECT_EQ(report.removed_records, 3) << "segments, one of them with its history";
  EXPECT_EQ(report.removed_objects, 3);
  EXPECT_EQ(to.sums(), from.sums());
  EXPECT_EQ(to.all_objects(), from.all_objects());
}

TEST(Mover, TellsWhenTheSourceNeverRests) {
  Folder from, to;
  fill(from);
  auto options = small();
  options.tell = [&](const std::string& said) {
    if (said == "Comparing.") from.stores.segments().count_download("seg_v1_001", "", now_text());
  };
  auto report = Mover(from.side(), to.side(), std::move(options)).run();
  EXPECT_FALSE(report.is_alike);
  EXPECT_TRUE(report.has_changed);
  EXPECT_EQ(report.passes, 5);
  EXPECT_EQ(report.named, std::vector<std::string>{"differs: the segment seg_v1_001"});
  EXPECT_TRUE(Mover(from.side(), to.side(), small()).run().is_alike);
}

TEST(Mover, LeavesATargetAloneThatHoldsSomethingElse) {
  Folder from, to, other;
  fill(from, 3, 1);
  to.stores.totals().add_total("a");
  auto refused = [](Mover mover) {
    try {
      mover.run();
    } catch (const Error& error) {
      return error.kind() == ErrorKind::conflict;
    }
    return false;
  };
  EXPECT_TRUE(refused({from.side(), to.side(), small()}));
  auto options = small();
  options.overwrites = true;
  EXPECT_TRUE(Mover(from.side(), to.side(), options).run().is_alike);
  EXPECT_EQ(to.sums(), from.sums());
  EXPECT_TRUE(refused({other.side(), to.side(), options})) << "another source";
  // It is in service now.
  to.stores.segments().count_download("seg_v1_001", "", now_text());
  EXPECT_TRUE(refused({from.side(), to.side(), small()}));
  EXPECT_TRUE(Mover(from.side(), to.side(), options).run().is_alike);
  Folder third;
  third.put("somebody's", "bytes");
  EXPECT_TRUE(refused({from.side(), third.side(), small()}));
  EXPECT_TRUE(Mover(from.side(), third.side(), options).run().is_alike);
  EXPECT_EQ(third.all_objects().size(), 2u) << "objects of others stay";
}

// Answers every second time only.
struct TiredArchive : Archive {
  explicit TiredArchive(Archive& archive) : archive(archive) {}
  void grow_tired() {
    if (++asked % 2) throw Error(ErrorKind::unavailable, "Not now.");
  }
  RecordPage list_records(std::string_view cursor, std::size_t limit, Millis as_of) override {
    grow_tired();
    return archive.list_records(cursor, limit, as_of);
  }
  std::vector<std::optional<Record>> find_records(std::span<const Record> like) override {
    grow_tired();
    return archive.find_records(like);
  }
  PutReport put_records(std::span<const Record> records) override {
    // Done, but nobody hears of it.
    auto report = archive.put_records(records);
    grow_tired();
    return report;
  }
  void remove_records(std::span<const Record> records) override {
    grow_tired();
    archive.remove_records(records);
  }
  bool is_empty() override {
    grow_tired();
    return archive.is_empty();
  }
  std::optional<std::string> find_note(std::string_view name) override {
    grow_tired();
    return archive.find_note(name);
  }
  void put_note(std::string_view name, std::string_view text) override {
    grow_tired();
    archive.put_note(name, text);
  }
  Archive& archive;
  int asked = 0;
};

TEST(Mover, AsksAgainWhoDoesNotAnswerNow) {
  Folder from, to;
  fill(from);
  TiredArchive source(from.stores.archive()), target(to.stores.archive());
  Millis slept = 0;
  int waits = 0;
  auto options = small();
  options.sleep = [&](Millis ms) {
    slept += ms;
    ++waits;
  };
  auto report = Mover({"folder", source, from.objects}, {"other", target, to.objects}, options).run();
  EXPECT_TRUE(report.is_alike);
  EXPECT_EQ(to.sums(), from.sums());
  EXPECT_GT(waits, 20);
  EXPECT_EQ(slept, waits * 1'000) << "each time anew";
}

TEST(Mover, GivesUpOnWhoNeverAnswers) {
  struct Dead : TiredArchive {
    using TiredArchive::TiredArchive;
    bool is_empty() override { throw Error(ErrorKind::unavailable, "Never."); }
  };
  Folder from, to;
  Dead target(to.stores.archive());
  Millis slept = 0;
  auto options = small();
  options.sleep = [&](Millis ms) { slept += ms; };
  try {
    Mover(from.side(), {"dead", target, to.objects}, options).run();
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "Never.");
  }
  EXPECT_EQ(slept, 31'000) << "1 s for the note, then half a minute";
}

TEST(Mover, NamesEveryDifference) {
  Folder from, to;
  fill(from);
  ASSERT_TRUE(Mover(from.side(), to.side(), small()).run().is_alike);
  from.stores.segments().count_download("seg_v1_001", "", now_text());
  from.stores.segments().create_segment(contract::make_segment("v1", 700));
  to.stores.totals().add_total("b");
  from.put("a", "one");
  to.put("b", "two");
  from.put("processed/v/1", std::string(1'001, 'y'));
  from.put("processed/v/2", "short");
  from.put("processed/v/3", std::string(1'003, 'x'), "image/jpeg");
  auto report = Mover(from.side(), to.side(), small()).compare();
  EXPECT_FALSE(report.is_alike);
  EXPECT_EQ(report.differences, 8);
  EXPECT_EQ(report.named, (std::vector<std::string>{
                              "differs: the segment seg_v1_001", "missing: the segment seg_v1_700",
                              "only in the target: the total b", "missing: the object a",
                              "differs: the object processed/v/1 has other bytes in the target",
                              "differs: the object processed/v/2 has 5 bytes, in the target 1002",
                              "differs: the object processed/v/3 is image/jpeg, in the target video/mp4",
                              "only in the target: the object b"}));
  for (int i = 0; i < 150; ++i) to.stores.totals().add_total("t" + std::to_string(i));
  report = Mover(from.side(), to.side(), small()).compare();
  EXPECT_EQ(report.differences, 158);
  EXPECT_EQ(report.named.size(), 100u);
}

}  // namespace
}  // namespace segments::move

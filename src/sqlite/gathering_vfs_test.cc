#include "sqlite/gathering_vfs.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "sqlite/connection.h"
#include "sqlite/test_folder.h"

namespace segments::sqlite {
namespace {

std::int64_t calls_to_write() {
  std::ifstream file("/proc/self/io");
  for (std::string name; file >> name;) {
    std::int64_t value = 0;
    file >> value;
    if (name == "syscw:") return value;
  }
  return -1;
}

struct Files {
  TestFolder folder;
  Connection writer{{.file = folder.path() / "rows.db", .cache_mb = 1, .gathers_log = true}};
  Files() {
    use_write_ahead_log(writer);
    writer.run("CREATE TABLE \"rows\" (\"n\" INTEGER PRIMARY KEY, \"filler\" BLOB)");
  }
  void insert(int begin, int end) {
    for (int n = begin; n < end; ++n) writer.run("INSERT INTO \"rows\" VALUES (?, randomblob(3000))", n);
  }
  // As another process would see it.
  std::int64_t count_elsewhere() {
    Connection reader({.file = folder.path() / "rows.db", .read_only = true});
    EXPECT_EQ(reader.prepare("PRAGMA integrity_check").step(), true);
    auto check = reader.prepare("PRAGMA integrity_check");
    EXPECT_TRUE(check.step());
    EXPECT_EQ(check.text(0), "ok");
    return reader.find_integer("SELECT count(*) FROM \"rows\" WHERE length(\"filler\") = 3000").value_or(-1);
  }
};

TEST(GatheringVfs, WritesACommitInFewCalls) {
  Files files;
  files.writer.run("BEGIN");
  files.insert(0, 150);  // fits into the cache
  const auto before = calls_to_write();
  files.writer.run("COMMIT");
  const auto calls = calls_to_write() - before;
  EXPECT_LE(calls, 20) << "for 150 pages, which SQLite would write in 300";
  EXPECT_EQ(files.count_elsewhere(), 150);
}

// Such a transaction writes pages before its end, reads them again, and changes them.
TEST(GatheringVfs, KeepsTransactionsThatOutgrowTheCache) {
  Files files;
  constexpr int many = 6'000;  // 24 MB, of a cache of one
  files.writer.run("BEGIN");
  files.insert(0, many);
  EXPECT_EQ(files.count_elsewhere(), 0) << "before the commit";
  EXPECT_EQ(files.writer.find_integer("SELECT sum(\"n\") FROM \"rows\" WHERE length(\"filler\") = 3000"),
            std::int64_t{many} * (many - 1) / 2);
  files.writer.run("UPDATE \"rows\" SET \"filler\" = randomblob(3000) WHERE \"n\" % 7 = 0");
  files.writer.run("COMMIT");
  EXPECT_EQ(files.count_elsewhere(), many);
  files.writer.run("BEGIN");
  files.insert(many, 2 * many);
  files.writer.run("DELETE FROM \"rows\" WHERE \"n\" < 1000");
  files.writer.run("ROLLBACK");
  EXPECT_EQ(files.count_elsewhere(), many);
  files.writer.run("INSERT INTO \"rows\" VALUES (?, randomblob(3000))", many);
  EXPECT_EQ(files.count_elsewhere(), many + 1);
}

// What such a transaction had gathered belongs nowhere once it is rolled back: its place in the log is free
// for other processes.
TEST(GatheringVfs, WhatIsRolledBackIsNeverWrittenOverAnothersCommit) {
  Files files;
  Connection other({.file = files.folder.path() / "rows.db"});
  constexpr int many = 300;
  for (int round = 0; round < 3; ++round) {
    other.run_script("PRAGMA wal_checkpoint(TRUNCATE)");  // then a rollback reads nothing of the log
    files.writer.run("BEGIN");
    files.insert(10'000, 10'600);  // more than the cache holds, less than is written early
    files.writer.run("ROLLBACK");
    for (int n = many * round; n < many * (round + 1) - 1; ++n)
      other.run("INSERT INTO \"rows\" VALUES (?, randomblob(3000))", n);
    files.insert(many * (round + 1) - 1, many * (round + 1));
    EXPECT_EQ(files.count_elsewhere(), many * (round + 1));
  }
}

TEST(GatheringVfs, WhatIsOpenWhenAConnectionClosesIsNeverWritten) {
  Files files;
  files.writer.run_script("PRAGMA wal_checkpoint(TRUNCATE)");
  {
    Connection leaving({.file = files.folder.path() / "rows.db", .cache_mb = 1, .gathers_log = true});
    leaving.run("BEGIN");
    for (int n = 0; n < 600; ++n) leaving.run("INSERT INTO \"rows\" VALUES (?, randomblob(3000))", n);
  }
  files.insert(0, 300);
  EXPECT_EQ(files.count_elsewhere(), 300);
}

TEST(GatheringVfs, CommitsAreThereForWhoOpensTheFileAnew) {
  TestFolder folder;
  for (int round = 0; round < 3; ++round) {
    Connection writer({.file = folder.path() / "rows.db", .gathers_log = true});
    use_write_ahead_log(writer);
    writer.run("CREATE TABLE IF NOT EXISTS \"rows\" (\"n\" INTEGER PRIMARY KEY)");
    EXPECT_EQ(writer.find_integer("SELECT count(*) FROM \"rows\""), round * 100);
    writer.run("BEGIN");
    for (int n = 0; n < 100; ++n) writer.run("INSERT INTO \"rows\" DEFAULT VALUES");
    writer.run("COMMIT");
    writer.run_script("PRAGMA wal_checkpoint(TRUNCATE)");
  }
}

}  // namespace
}  // namespace segments::sqlite

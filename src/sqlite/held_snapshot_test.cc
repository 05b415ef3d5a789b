// Reads on a thread that answers requests in batches: they share a transaction, and nobody can tell.
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/batch.h"
#include "base/error.h"
#include "sqlite/database.h"
#include "sqlite/test_folder.h"

namespace segments::sqlite {

namespace {

const Schema pair_schema{
    .application_id = 77,
    .steps = {[](Connection& connection) {
      connection.run_script(
          "CREATE TABLE \"numbers\" (\"n\" INTEGER PRIMARY KEY, \"value\" INTEGER NOT NULL);"
          "INSERT INTO \"numbers\" VALUES (1, 0), (2, 0)");
    }}};

std::int64_t value_of(Connection& connection, int n) {
  auto select = connection.prepare("SELECT \"value\" FROM \"numbers\" WHERE \"n\" = ?");
  EXPECT_TRUE(select.with(n).step());
  return select.integer(0);
}

std::int64_t read_value(Database& database) {
  return database.read([](Connection& connection) { return value_of(connection, 1); });
}

void raise_both(Database& database) {
  database.write(
      [](Connection& connection) { connection.run("UPDATE \"numbers\" SET \"value\" = \"value\" + 1"); });
}

struct HeldSnapshot : testing::Test {
  TestFolder folder;
  std::filesystem::path file = folder.path() / "numbers.db";
  Database database{{.file = file}, pair_schema, nullptr};
};

bool is_mapped(Database& database) {
  return database.read([](Connection& c) { return c.find_integer("PRAGMA mmap_size").value_or(-1) > 0; });
}

bool is_reading(Connection& connection) {
  return sqlite3_txn_state(connection.handle(), "main") == SQLITE_TXN_READ;
}

// Whether all of the log can be moved into the file and the log begun anew: no reader needs it as it is.
bool is_log_free(Connection& connection) {
  auto checkpoint = connection.prepare("PRAGMA wal_checkpoint(RESTART)");
  EXPECT_TRUE(checkpoint.step());
  return checkpoint.integer(0) == 0;
}

}  // namespace

TEST_F(HeldSnapshot, SharesOneTransactionUntilSomethingIsCommitted) {
  Batch batch([] {});
  Connection* first = nullptr;
  std::vector<bool> had_begun;
  auto look = [&] {
    database.read([&](Connection& connection) {
      if (!first) first = &connection;
      EXPECT_EQ(&connection, first);
      EXPECT_TRUE(connection.in_transaction());
      had_begun.push_back(is_reading(connection));
      value_of(connection, 1);
    });
  };
  look();
  look();
  database.read_snapshot([&](Connection& connection) { had_begun.push_back(is_reading(connection)); });
  raise_both(database);
  look();
  look();
  batch.end();
  look();
  EXPECT_EQ(had_begun, (std::vector<bool>{false, true, true, false, true, false}));
}

TEST_F(HeldSnapshot, SeesEveryCommitThatHasReturned) {
  Database other({.file = file}, pair_schema, nullptr);
  Batch batch([] {});  // gives back what it holds before they go
  for (std::int64_t value = 0; value < 100; ++value) {
    EXPECT_EQ(read_value(database), value);
    EXPECT_EQ(read_value(other), value);
    raise_both(value % 2 ? database : other);
  }
}

TEST(HeldSnapshotOfAProcess, SeesTheCommitsOfAnother) {
  TestFolder folder;
  const auto file = folder.path() / "numbers.db";
  int commits[2], goes_on[2];
  ASSERT_EQ(pipe(commits), 0);
  ASSERT_EQ(pipe(goes_on), 0);
  const pid_t child = fork();  // before the file is open here
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(60);
    close(goes_on[1]);
    Database database({.file = file}, pair_schema, nullptr);
    for (char byte; ::read(goes_on[0], &byte, 1) == 1;) {
      raise_both(database);
      if (::write(commits[1], &byte, 1) != 1) break;
    }
    _exit(0);
  }
  close(goes_on[0]);
  close(commits[1]);
  {
    Database database({.file = file}, pair_schema, nullptr);
    Batch batch([] {});
    char byte = 'x';
    for (std::int64_t value = 1; value <= 200; ++value) {
      ASSERT_EQ(::write(goes_on[1], &byte, 1), 1);
      ASSERT_EQ(::read(commits[0], &byte, 1), 1);
      ASSERT_EQ(read_value(database), value);
    }
  }
  close(goes_on[1]);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  close(commits[0]);
}

TEST_F(HeldSnapshot, IsOneStateWhileOthersCommit) {
  std::atomic<std::int64_t> committed{0};
  std::atomic<bool> stops{false};
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t)
    readers.emplace_back([&] {
      Batch batch([] {});
      for (int reads = 0; !stops; ++reads) {
        const auto before = committed.load();
        database.read_snapshot([&](Connection& connection) {
          const auto one = value_of(connection, 1), two = value_of(connection, 2);
          if (one != two || one < before) stops = true;
          EXPECT_EQ(one, two);
          EXPECT_GE(one, before) << "an older state than what was committed";
        });
        if (reads % 16 == 15) batch.end();
      }
    });
  for (std::int64_t value = 1; value <= 500 && !stops; ++value) {
    raise_both(database);
    committed = value;
  }
  stops = true;
  for (auto& reader : readers) reader.join();
}

TEST_F(HeldSnapshot, GoesWithTheBatch) {
  Connection connection({.file = file, .busy_timeout_ms = 10});
  Batch batch([] {});
  raise_both(database);
  read_value(database);
  EXPECT_FALSE(is_log_free(connection));
  batch.end();
  EXPECT_TRUE(is_log_free(connection));
}

TEST_F(HeldSnapshot, LeavesAReadWithinAReadToAnotherConnection) {
  Batch batch([] {});
  database.read([&](Connection& outer) {
    EXPECT_EQ(value_of(outer, 1), 0);
    raise_both(database);
    EXPECT_EQ(read_value(database), 1);
    EXPECT_EQ(value_of(outer, 1), 0);
  });
  EXPECT_EQ(read_value(database), 1);
}

TEST_F(HeldSnapshot, OutlivesAnError) {
  Batch batch([] {});
  EXPECT_EQ(read_value(database), 0);
  EXPECT_THROW(database.read([](Connection& connection) { connection.run("SELECT * FROM \"nowhere\""); }),
               Error);
  EXPECT_THROW(database.read([](Connection&) { throw Error(ErrorKind::internal, "of the caller's own"); }),
               Error);
  // What SQLite does by itself after some errors.
  database.read([](Connection& connection) { connection.run("ROLLBACK"); });
  raise_both(database);
  EXPECT_EQ(read_value(database), 1);
  database.read_snapshot([](Connection& connection) { EXPECT_TRUE(connection.in_transaction()); });
}

// A mapping is made anew after each commit, which costs more than it saves while there are many.
TEST_F(HeldSnapshot, MapsTheFileOnceNobodyCommits) {
  Batch batch([] {});
  const auto look = [&] {
    const bool mapped = is_mapped(database);
    batch.end();
    return mapped;
  };
  std::int64_t written = 0;
  for (int round = 0; round < 3; ++round) {
    Millis before = 0;
    bool is_mapped_at_once = true;
    do {
      before = steady_ms();
      raise_both(database);
      ++written;
      look();  // sees the commit
      is_mapped_at_once = look();
    } while (steady_ms() - before >= 100);
    EXPECT_FALSE(is_mapped_at_once);
    while (!look()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_GE(steady_ms() - before, 100);
    EXPECT_EQ(read_value(database), written);
    batch.end();
  }
}

}  // namespace segments::sqlite

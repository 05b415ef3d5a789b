// Checkpoints beside writers and beside each other: what was committed is never unseen.
#include "sqlite/checkpointer.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include "sqlite/connection.h"
#include "sqlite/log_index.h"
#include "sqlite/test_folder.h"

namespace segments::sqlite {

using namespace std::chrono_literals;

namespace {

// Called by SQLite once: when a checkpoint has read how long the log is, if it was another length before, and
// has not looked yet what is moved; and when it moves the first page.
std::function<void()> as_it_begins, as_it_moves;
const sqlite3_io_methods* original;

int unfetch(sqlite3_file*, sqlite3_int64, void*) {
  if (auto f = std::exchange(as_it_begins, {})) f();
  return SQLITE_OK;
}
int write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  if (auto f = std::exchange(as_it_moves, {})) f();
  return original->xWrite(file, bytes, count, offset);
}

void watch_checkpoints(Connection& connection) {
  static sqlite3_io_methods methods;
  sqlite3_file* file = nullptr;
  ASSERT_EQ(sqlite3_file_control(connection.handle(), "main", SQLITE_FCNTL_FILE_POINTER, &file), SQLITE_OK);
  ASSERT_GE(file->pMethods->iVersion, 3);
  original = file->pMethods;
  methods = *original;
  methods.xUnfetch = unfetch;
  methods.xWrite = write;
  file->pMethods = &methods;
}

class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() {
    use_write_ahead_log(writer);
    writer.run_script("CREATE TABLE numbers (n INTEGER PRIMARY KEY, filler TEXT)");
    watch_checkpoints(other);
    for (auto* connection : {&other, &third}) connection->find_integer("SELECT count(*) FROM numbers");
  }
  ~CheckpointTest() override { as_it_begins = as_it_moves = {}; }

  void add_rows(int count) {
    for (int i = 0; i < count; ++i) writer.run("INSERT INTO numbers (filler) VALUES (hex(randomblob(5000)))");
    written += count;
  }
  // As a reader that comes now sees it.
  std::int64_t count_rows() {
    return Connection({.file = file, .read_only = true})
        .find_integer("SELECT count(*) FROM numbers")
        .value_or(-1);
  }

  TestFolder folder;
  std::filesystem::path file = folder.path() / "numbers.db";
  Connection writer{{.file = file}}, other{{.file = file}}, third{{.file = file}};
  Turnstile turnstile{file};
  std::int64_t written = 0;
};

}  // namespace

TEST_F(CheckpointTest, AQuietLogIsMovedWhole) {
  Checkpointer checkpointer(std::make_unique<Connection>(ConnectionOptions{.file = file}));
  auto has_pages_to_move = [&] { return LogIndex(other.handle()).has_pages_to_move(); };
  for (int round = 0; round < 2; ++round) {
    add_rows(400);
    EXPECT_TRUE(has_pages_to_move());
    checkpointer.log_grew_to(400 * (round + 1));
    const auto until = std::chrono::steady_clock::now() + 60s;
    while (has_pages_to_move() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(10ms);
    EXPECT_FALSE(has_pages_to_move()) << "round " << round;
    EXPECT_EQ(count_rows(), written);
  }
}

TEST_F(CheckpointTest, MovesWhatIsCommitted) {
  add_rows(20);
  EXPECT_TRUE(move_pages(other, turnstile));
  EXPECT_FALSE(move_pages(other, turnstile)) << "there is nothing left to move";
  add_rows(1);
  EXPECT_TRUE(move_pages(third, turnstile));
  EXPECT_EQ(count_rows(), written);
}

TEST_F(CheckpointTest, LosesNothingWhereAWriterStartsTheLogAnewAsItBegins) {
  add_rows(20);
  ASSERT_TRUE(move_pages(third, turnstile));
  as_it_begins = [&] { add_rows(1); };
  move_pages(other, turnstile);
  if (as_it_begins) add_rows(1);  // it had nothing to begin
  EXPECT_EQ(count_rows(), written);
  add_rows(1);
  EXPECT_EQ(count_rows(), written);
  auto check = third.prepare("PRAGMA integrity_check");
  ASSERT_TRUE(check.step());
  EXPECT_EQ(check.text(0), "ok");
}

TEST_F(CheckpointTest, IsBegunByOneAtATime) {
  add_rows(20);
  Turnstile of_another_process(file);
  {
    Turnstile::CheckpointRight right(of_another_process);
    ASSERT_TRUE(right);
    EXPECT_FALSE(move_pages(other, turnstile));
  }
  bool has_moved = false;
  as_it_moves = [&] {
    has_moved = true;
    EXPECT_FALSE(Turnstile::CheckpointRight(of_another_process));
    add_rows(5);
  };
  EXPECT_TRUE(move_pages(other, turnstile));
  EXPECT_TRUE(has_moved);
  EXPECT_EQ(count_rows(), written);
  EXPECT_TRUE(Turnstile::CheckpointRight(of_another_process));
}

}  // namespace segments::sqlite

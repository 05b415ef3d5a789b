// What was acknowledged is there after a kill -9, and several processes write to one file.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <random>
#include <thread>

#include "base/log.h"
#include "sqlite/database.h"
#include "sqlite/stores.h"
#include "sqlite/test_folder.h"
#include "store/contract.h"

namespace segments::sqlite {

namespace {

// A child that runs f(); it ends without the parent's destructors.
template <class F>
pid_t fork_child(F&& f) {
  pid_t child = ::fork();
  if (child != 0) return child;
  int code = 1;
  try {
    f();
    code = 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "child: %s\n", error.what());
  }
  ::_exit(code);
}

int wait_for(pid_t child) {
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

// Creates segments on four threads and tells each over the pipe once it is acknowledged, until it is killed.
void create_until_killed(const std::filesystem::path& file, const std::string& run, int pipe) {
  SqliteStores stores({.file = file});
  std::atomic<std::int32_t> next{0};
  contract::run_at_once(4, [&](int) {
    for (;;) {
      std::int32_t number = next++;
      Segment segment = contract::make_segment("v" + run, number);
      segment.tags = {"crash"};
      stores.segments().create_segment(segment, IdempotencyKey{"ann", segment.segment_id, "digest"});
      if (number % 3 == 0) stores.segments().count_download(segment.segment_id, "ann", now_text());
      if (::write(pipe, &number, sizeof number) != sizeof number) ::_exit(2);
    }
  });
}

std::vector<std::int32_t> read_numbers(int pipe) {
  std::vector<std::int32_t> numbers;
  std::int32_t number = 0;
  while (::read(pipe, &number, sizeof number) == sizeof number) numbers.push_back(number);
  return numbers;
}

// Counts that are kept must be what there is to count.
void expect_consistent(const std::filesystem::path& file) {
  SqliteStores stores({.file = file});
  SegmentQuery query;
  query.limit = 1;
  auto kept = stores.segments().list_segments("ann", query).total_count;
  query.tags = {"crash"};
  EXPECT_EQ(stores.segments().list_segments("ann", query).total_count, kept);
  EXPECT_EQ(stores.events().list_events({.user_id = "ann", .job_id = {}}, 0, 10'000'000).size(),
            static_cast<std::size_t>(kept));
  Connection connection({.file = file});
  auto check = connection.prepare("PRAGMA integrity_check");
  ASSERT_TRUE(check.step());
  EXPECT_EQ(check.text(0), "ok");
}

}  // namespace

TEST(Crash, LosesNothingAcknowledged) {
  TestFolder folder;
  auto file = folder.path() / "segments.db";
  std::mt19937 random{7};
  std::size_t acknowledged = 0;
  for (int run = 0; run < 20; ++run) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    pid_t child = fork_child([&] { create_until_killed(file, std::to_string(run), ends[1]); });
    ::close(ends[1]);
    // Killed after it has acknowledged some hundred: at any point of a transaction, a commit or a checkpoint.
    std::vector<std::int32_t> numbers(1 + random() % 250);
    for (auto& number : numbers)
      ASSERT_EQ(::read(ends[0], &number, sizeof number), static_cast<ssize_t>(sizeof number));
    ::kill(child, SIGKILL);
    for (auto number : read_numbers(ends[0])) numbers.push_back(number);
    ::close(ends[0]);
    EXPECT_TRUE(WIFSIGNALED(wait_for(child)));
    acknowledged += numbers.size();
    SqliteStores stores({.file = file});
    for (auto number : numbers) {
      auto found =
          stores.segments().find_segment(make_numbered_segment_id("v" + std::to_string(run), number));
      ASSERT_TRUE(found) << "run " << run << " number " << number;
      EXPECT_EQ(found->segment.download_count, number % 3 == 0);
    }
  }
  EXPECT_GT(acknowledged, 1'000u);
  expect_consistent(file);
}

TEST(Processes, WriteAtOnceWithoutLossOrStarvation) {
  TestFolder folder;
  auto file = folder.path() / "segments.db";
  Segment shared = contract::make_segment("shared", 1);
  {
    SqliteStores stores({.file = file});
    stores.segments().create_segment(shared);
  }
  constexpr int processes = 3, threads = 4, each = 60;
  std::vector<pid_t> children;
  for (int p = 0; p < processes; ++p)
    children.push_back(fork_child([&] {
      SqliteStores stores({.file = file});
      contract::run_at_once(threads, [&](int t) {
        for (int i = 0; i < each; ++i) {
          stores.segments().create_segment(contract::make_segment("v" + std::to_string(p), t * each + i));
          stores.segments().count_download(shared.segment_id, "", now_text());
        }
      });
    }));
  for (pid_t child : children) EXPECT_EQ(wait_for(child), 0);
  SqliteStores stores({.file = file});
  EXPECT_EQ(stores.segments().find_segment(shared.segment_id)->segment.download_count,
            processes * threads * each);
  EXPECT_EQ(stores.segments().list_segments("ann", {}).total_count, 1 + processes * threads * each);
}

TEST(Processes, ListenerHearsOfOtherProcessesEvents) {
  TestFolder folder;
  auto file = folder.path() / "segments.db";
  int go[2];
  ASSERT_EQ(::pipe(go), 0);
  pid_t child = fork_child([&] {
    char byte = 0;
    if (::read(go[0], &byte, 1) != 1) ::_exit(3);
    SqliteStores stores({.file = file});
    stores.segments().create_segment(contract::make_segment("v1", 1));
  });
  SqliteStores stores({.file = file});
  std::promise<void> told;
  bool is_told = false;
  stores.events().on_new_events([&] {
    if (stores.events().newest_event_id() == 0 || is_told) return;
    is_told = true;
    told.set_value();
  });
  ASSERT_EQ(::write(go[1], "x", 1), 1);
  EXPECT_EQ(told.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_EQ(wait_for(child), 0);
  stores.events().on_new_events({});
  ::close(go[0]);
  ::close(go[1]);
}

TEST(Processes, StartAtOnceOnAFreshFile) {
  TestFolder folder;
  auto file = folder.path() / "data" / "segments.db";
  std::vector<pid_t> children;
  for (int p = 0; p < 6; ++p)
    children.push_back(fork_child([&] {
      SqliteStores stores({.file = file});
      stores.segments().create_segment(contract::make_segment("v" + std::to_string(p), 1));
    }));
  for (pid_t child : children) EXPECT_EQ(wait_for(child), 0);
  SqliteStores stores({.file = file});
  EXPECT_EQ(stores.segments().list_segments("ann", {}).total_count, 6);
}

// The counts of filtered lists that one process remembers are not those of before another's change.
TEST(Processes, SeeEachOthersChangesInRememberedCounts) {
  TestFolder folder;
  auto file = folder.path() / "segments.db";
  SqliteStores here({.file = file}), there({.file = file});
  SegmentQuery query;
  query.min_downloads = 1;
  for (int i = 0; i < 5; ++i) {
    here.segments().create_segment(contract::make_segment("v1", i));
    EXPECT_EQ(here.segments().list_segments("ann", query).total_count, i);
    there.segments().count_download(make_numbered_segment_id("v1", i), "ann", now_text());
    EXPECT_EQ(here.segments().list_segments("ann", query).total_count, i + 1);
  }
}

}  // namespace segments::sqlite

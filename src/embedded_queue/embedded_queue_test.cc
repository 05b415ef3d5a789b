#include "embedded_queue/embedded_queue.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <random>

#include "base/batch.h"
#include "base/error.h"
#include "embedded_queue/schema.h"
#include "queue/task_queue_contract.h"
#include "sqlite/connection.h"

extern char** environ;

namespace segments {

namespace {

// In memory where that can be had: these tests kill processes and not machines, so that flushes to a disk
// would only take time.
class Folder {
 public:
  Folder() {
    std::string pattern =
        (access("/dev/shm", W_OK) ? testing::TempDir() : "/dev/shm/") + "segments-queue-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::filesystem::path file() const { return path_ / "queue.db"; }

 private:
  std::filesystem::path path_;
};

class EmbeddedUnderTest : public QueueUnderTest {
 public:
  std::unique_ptr<TaskQueue> open(std::function<Millis()> clock) override {
    return std::make_unique<EmbeddedQueue>(folder_.file(), std::move(clock));
  }

 private:
  Folder folder_;
};

INSTANTIATE_TEST_SUITE_P(Embedded, TaskQueueContract,
                         testing::Values(QueueFactory{"embedded",
                                                      [] { return std::make_unique<EmbeddedUnderTest>(); }}));

// This program started again in a role of its own (main() below); its standard output is read here.
class OtherProcess {
 public:
  OtherProcess(const std::string& role, const std::string& file, const std::string& argument) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) std::abort();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    std::vector<std::string> words{"/proc/self/exe", role, file, argument};
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    if (posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, arguments.data(), environ)) std::abort();
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    output_ = fdopen(ends[0], "r");
  }
  ~OtherProcess() {
    kill();
    fclose(output_);
  }
  // Only whole lines: what was cut off by a kill was not acknowledged.
  std::optional<std::string> read_line() {
    char text[256];
    if (!fgets(text, sizeof text, output_)) return std::nullopt;
    std::string line = text;
    if (line.empty() || line.back() != '\n') return std::nullopt;
    line.pop_back();
    return line;
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  FILE* output_ = nullptr;
};

void acknowledge(const std::string& text) {
  std::string line = text + "\n";
  if (write(1, line.data(), line.size()) != static_cast<ssize_t>(line.size())) _exit(1);
}

// Leases until nothing is left, and finishes what it leased.
int lease_all(EmbeddedQueue& queue, const std::string& name) {
  while (true) {
    auto tasks = queue.lease_tasks(name, 2, 60'000);
    if (tasks.empty()) return 0;
    for (const auto& task : tasks)
      if (queue.finish(task, "1")) acknowledge(task.id);
  }
}

int enqueue_for_ever(EmbeddedQueue& queue, const std::string& prefix) {
  for (int i = 0;; ++i) {
    auto id = queue.enqueue({.id = prefix + std::to_string(i), .name = "tasks.test", .parent_id = "batch"});
    acknowledge(id);
  }
}

int role(const std::string& name, const std::string& file, const std::string& argument) {
  EmbeddedQueue queue(file);
  if (name == "lease-all") return lease_all(queue, argument);
  if (name == "enqueue-for-ever") return enqueue_for_ever(queue, argument);
  return 2;
}

std::map<std::string, std::int64_t> counts_of(TaskQueue& queue) {
  std::map<std::string, std::int64_t> counts;
  for (const auto& entry : queue.health().counts) counts[name_of(entry.status)] += entry.count;
  return counts;
}

// What the rows say, counted one by one.
std::map<std::string, std::int64_t> recount(const std::filesystem::path& file) {
  sqlite::Connection connection({.file = file, .read_only = true});
  std::map<std::string, std::int64_t> counts;
  auto row = connection.prepare("SELECT status, count(*) FROM task GROUP BY status");
  while (row.step()) counts[std::string(row.text(0))] = row.integer(1);
  return counts;
}

}  // namespace

TEST(EmbeddedQueue, processes_lease_each_task_once) {
  Folder folder;
  constexpr int tasks = 300;
  EmbeddedQueue queue(folder.file());
  for (int i = 0; i < tasks; ++i) queue.enqueue({.id = "t" + std::to_string(i), .name = "tasks.test"});
  std::multiset<std::string> finished;
  {
    std::vector<std::unique_ptr<OtherProcess>> workers;
    for (int i = 0; i < 4; ++i)
      workers.push_back(std::make_unique<OtherProcess>("lease-all", folder.file(), "w" + std::to_string(i)));
    for (auto& worker : workers)
      while (auto id = worker->read_line()) finished.insert(*id);
  }
  EXPECT_EQ(finished.size(), std::size_t{tasks});
  EXPECT_EQ(std::set(finished.begin(), finished.end()).size(), std::size_t{tasks});
  EXPECT_EQ(counts_of(queue)["SUCCESS"], tasks);
}

TEST(EmbeddedQueue, kill_9_loses_nothing_that_was_acknowledged) {
  Folder folder;
  std::mt19937 random(7);
  std::set<std::string> queued, finished;
  for (int round = 0; round < 20; ++round) {
    OtherProcess producer("enqueue-for-ever", folder.file(), "r" + std::to_string(round) + "-");
    int lines = std::uniform_int_distribution(1, 40)(random);
    for (int i = 0; i < lines; ++i) queued.insert(producer.read_line().value());
    OtherProcess worker("lease-all", folder.file(), "w" + std::to_string(round));
    int done = std::uniform_int_distribution(0, lines - 1)(random);
    for (int i = 0; i < done; ++i)
      if (auto id = worker.read_line()) finished.insert(*id);
    (round % 2 ? producer : worker).kill();
    (round % 2 ? worker : producer).kill();
    while (auto id = producer.read_line()) queued.insert(*id);
    while (auto id = worker.read_line()) finished.insert(*id);
  }
  Millis later = now_ms() + 120'000;
  EmbeddedQueue queue(folder.file(), [&] { return later; });
  for (const auto& id : queued) ASSERT_TRUE(queue.find_task(id)) << id;
  for (const auto& id : finished) {
    EXPECT_EQ(queue.find_task(id).value().status, TaskStatus::SUCCESS) << id;
    EXPECT_TRUE(queued.contains(id) || id.starts_with("r")) << id;
  }
  auto counts = counts_of(queue);
  std::erase_if(counts, [](const auto& entry) { return entry.second == 0; });
  EXPECT_EQ(counts, recount(folder.file())) << "totals agree with the rows after every kill";

  // What the dead left is handed out again, and nothing twice.
  std::int64_t waiting = counts["PENDING"] + counts["STARTED"], leased = 0;
  while (true) {
    auto tasks = queue.lease_tasks("last", 50, 60'000);
    if (tasks.empty()) break;
    for (const auto& task : tasks) {
      EXPECT_FALSE(finished.contains(task.id)) << task.id;
      EXPECT_TRUE(queue.finish(task, "1"));
      ++leased;
    }
  }
  EXPECT_EQ(leased, waiting);
  auto batch = queue.enqueue({.id = "batch", .name = "tasks.batch"});
  auto state = queue.find_task(batch).value();
  EXPECT_EQ(state.children, state.children_done);
  EXPECT_GE(state.children, static_cast<std::int64_t>(queued.size()));
}

// Random verbs in random order: the totals always agree with the rows.
TEST(EmbeddedQueue, totals_agree_with_the_rows_whatever_happens) {
  Folder folder;
  Millis clock = 1'795'000'000'000;
  EmbeddedQueue queue(folder.file(), [&] { return clock; });
  std::mt19937 random(11);
  std::vector<LeasedTask> leased;
  auto pick = [&](int below) { return std::uniform_int_distribution(0, below - 1)(random); };
  auto some_id = [&] { return "t" + std::to_string(pick(60)); };
  for (int i = 0; i < 1500; ++i) {
    clock += pick(2000);
    LeasedTask task =
        leased.empty() ? LeasedTask{.id = some_id()} : leased[pick(static_cast<int>(leased.size()))];
    switch (pick(11)) {
      case 0:
      case 1:
        queue.enqueue({.id = some_id(),
                       .name = "tasks.test",
                       .not_before = pick(2) ? clock + pick(9000) : 0,
                       .expires = pick(4) ? 0 : clock + pick(9000),
                       .parent_id = "batch"});
        break;
      case 2:
      case 3:
        for (auto& one : queue.lease_tasks("w", 1 + pick(4), 5000)) leased.push_back(one);
        break;
      case 4:
        queue.finish(task, "1");
        break;
      case 5:
        queue.retry(task, "Again.", clock + pick(3000));
        break;
      case 6:
        queue.fail(task, "No.");
        break;
      case 7:
        queue.hand_back(task);
        break;
      case 8:
        queue.revoke(some_id());
        break;
      case 9:
        pick(2) ? queue.requeue_dead_letter(some_id()) : queue.remove_dead_letter(some_id());
        break;
      case 10:
        for (auto& told : queue.lease_given_up(3, 1000)) queue.settle_given_up(told.task);
        queue.sweep();
        break;
    }
    if (i % 50) continue;
    auto counts = counts_of(queue), rows = recount(folder.file());
    for (auto status : {"PENDING", "STARTED", "RETRY"})
      ASSERT_EQ(counts[status], rows[status]) << status << " at " << i;
    ASSERT_EQ(queue.health().dead_letters,
              static_cast<std::int64_t>(queue.list_dead_letters("", 1000).size()));
  }
  EXPECT_GT(counts_of(queue)["SUCCESS"], 0);
  EXPECT_GT(counts_of(queue)["REVOKED"], 0);
  EXPECT_GT(counts_of(queue)["FAILURE"], 0);
}

TEST(EmbeddedQueue, asking_an_idle_queue_writes_nothing) {
  Folder folder;
  EmbeddedQueue queue(folder.file());
  queue.enqueue({.id = "done", .name = "tasks.test"});
  queue.finish(queue.lease_tasks("w", 1, 1000).at(0), "1");
  queue.enqueue({.id = "later", .name = "tasks.test", .not_before = now_ms() + 3'600'000});
  sqlite::Connection other({.file = folder.file(), .read_only = true});
  auto version = other.find_integer("PRAGMA data_version");
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(queue.lease_tasks("w", 4, 1000).empty());
    EXPECT_TRUE(queue.lease_given_up(4, 1000).empty());
    EXPECT_TRUE(queue.revoked_tasks({"done", "later"}).empty());
    queue.sweep();
  }
  EXPECT_EQ(other.find_integer("PRAGMA data_version"), version);
}

// What is asked all the time must not look at the finished tasks, however many there are.
TEST(EmbeddedQueue, what_is_asked_often_is_found_by_an_index) {
  Folder folder;
  EmbeddedQueue queue(folder.file());
  sqlite::Connection connection({.file = folder.file(), .read_only = true});
  for (const char* condition :
       {"phase = 1", "phase = 0 AND ready_at <= 5", "phase = 2 AND lease_until <= 5",
        "untold > 0 AND lease_until <= 5", "phase < 2 AND expires > 0 AND expires < 5",
        "phase = 3 AND dead = 0 AND untold = 0 AND finished_at <= 5", "dead = 1 AND id > 'x' ORDER BY id",
        "dead = 1 AND finished_at <= 5", "phase = 1 ORDER BY priority, ready_at, seq"}) {
    auto plan =
        connection.prepare("EXPLAIN QUERY PLAN SELECT seq FROM task WHERE " + std::string(condition)).plan();
    EXPECT_NE(plan.find("INDEX task_"), plan.npos) << condition << ": " << plan;
    EXPECT_EQ(plan.find("TEMP B-TREE"), plan.npos) << condition << ": " << plan;
  }
  for (const char* sql : {"SELECT min(ready_at) FROM task WHERE phase = 1 AND priority = 3",
                          "SELECT min(ready_at) FROM task WHERE phase = 0"}) {
    auto plan = connection.prepare("EXPLAIN QUERY PLAN " + std::string(sql)).plan();
    EXPECT_NE(plan.find("INDEX task_"), plan.npos) << sql << ": " << plan;
  }
}

TEST(EmbeddedQueue, a_file_of_the_first_version_keeps_its_order) {
  Folder folder;
  {
    auto first = queue_schema();
    first.steps.resize(1);
    sqlite::Connection connection({.file = folder.file()});
    sqlite::migrate(connection, first);
    for (const char* row : {"'low', -1", "'ordinary', 0", "'urgent', 5"})
      connection.run(
          "INSERT INTO task (id, priority, name, arguments, user_id, parent_id, max_retries, time_limit_s, "
          "expires, phase, status, ready_at, created_at) VALUES (" +
          std::string(row) + ", 'tasks.test', '{}', '', '', 3, 60, 0, 1, 'PENDING', 5, 5)");
  }
  EmbeddedQueue queue(folder.file());
  queue.enqueue({.id = "new", .name = "tasks.test", .priority = 4});
  std::vector<std::string> ids;
  for (const auto& task : queue.lease_tasks("w", 10, 1000)) ids.push_back(task.id);
  EXPECT_EQ(ids, (std::vector<std::string>{"ordinary", "urgent", "new", "low"}));
}

// Its triggers counted new tasks; the same function of C++ does since, once and not twice.
TEST(EmbeddedQueue, a_file_of_the_second_version_goes_on_counting) {
  Folder folder;
  {
    auto second = queue_schema();
    second.steps.resize(2);
    sqlite::Connection connection({.file = folder.file()});
    sqlite::migrate(connection, second);
    for (const char* id : {"old1", "old2"})
      connection.run(
          "INSERT INTO task (id, priority, name, arguments, user_id, parent_id, max_retries, time_limit_s, "
          "expires, phase, status, ready_at, created_at) VALUES (?, 0, 'tasks.test', '{}', '', 'both', 3, "
          "60, "
          "0, 1, 'PENDING', 5, 5)",
          std::string_view(id));
  }
  EmbeddedQueue queue(folder.file());
  queue.enqueue({.id = "both", .name = "tasks.other"});
  for (const char* id : {"new", "old1"}) queue.enqueue({.id = id, .name = "tasks.test", .parent_id = "both"});
  EXPECT_EQ(counts_of(queue), (std::map<std::string, std::int64_t>{{"PENDING", 4}}));
  EXPECT_EQ(counts_of(queue), recount(folder.file()));
  EXPECT_EQ(queue.find_task("both")->children, 3);
  EXPECT_EQ(queue.health().oldest_waiting, 5);
  for (const auto& task : queue.lease_tasks("w", 10, 1000)) queue.finish(task, "1");
  EXPECT_EQ(counts_of(queue)["SUCCESS"], 4);
  EXPECT_EQ(queue.find_task("both")->children_done, 3);
}

// Whatever its priority is.
TEST(EmbeddedQueue, tells_since_when_the_oldest_task_waits) {
  for (int oldest : {0, 4, 7, 9}) {
    Folder folder;
    Millis clock = 1000;
    EmbeddedQueue queue(folder.file(), [&] { return clock; });
    EXPECT_EQ(queue.health().oldest_waiting, 0);
    queue.enqueue({.name = "tasks.test", .priority = oldest});
    clock = 2000;
    for (int priority = 0; priority < 10; ++priority)
      queue.enqueue({.name = "tasks.test", .priority = priority});
    EXPECT_EQ(queue.health().oldest_waiting, 1000) << oldest;
    for (const auto& task : queue.lease_tasks("w", 11, 60'000)) queue.finish(task, "1");
    EXPECT_EQ(queue.health().oldest_waiting, 0);
  }
}

// As the links of one commit are, and what an I/O thread asks for at once.
TEST(EmbeddedQueue, a_batch_queues_together_and_counts_right) {
  Folder folder;
  EmbeddedQueue queue(folder.file());
  queue.enqueue({.id = "known", .name = "tasks.test"});
  queue.enqueue({.id = "both", .name = "tasks.other"});
  std::atomic<int> ended = 0;
  std::vector<std::shared_ptr<LaterSource<std::string>>> sources;
  Batch batch([] {});
  for (const char* id : {"a", "", "known", "a", ""}) {
    NewTask task{.id = id, .name = *id ? "tasks.test" : "tasks.other", .parent_id = "both"};
    sources.push_back(queue.enqueue_later(task).source());
    sources.back()->begin([&] {
      ++ended;
      ended.notify_one();
    });
  }
  EXPECT_FALSE(queue.find_task("a")) << "nothing before the batch ends";
  batch.end();
  for (int so_far = ended; so_far < 5; so_far = ended) ended.wait(so_far);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const auto id = sources[i]->take();
    ASSERT_TRUE(queue.find_task(id)) << i;
    EXPECT_EQ(queue.find_task(id)->name, i == 1 || i == 4 ? "tasks.other" : "tasks.test");
  }
  EXPECT_EQ(counts_of(queue), recount(folder.file()));
  EXPECT_EQ(counts_of(queue)["PENDING"], 5);
  EXPECT_EQ(queue.find_task("both")->children, 3);
}

// However many are queued at once, named or not.
TEST(EmbeddedQueue, many_at_once_keep_their_order_and_are_counted) {
  Folder folder;
  EmbeddedQueue queue(folder.file());
  std::vector<NewTask> tasks;
  std::vector<std::string> order;
  for (int i = 0; i < 61; ++i) {
    order.push_back(std::to_string(i));
    tasks.push_back({.id = i % 19 == 11 ? "named" + order.back() : "",
                     .name = i % 3 ? "tasks.test" : "tasks.other",
                     .arguments = order.back(),
                     .parent_id = i % 2 ? "odd" : ""});
  }
  queue.enqueue({.id = "odd", .name = "tasks.odd", .priority = 9});
  queue.enqueue_all(tasks);
  EXPECT_EQ(counts_of(queue)["PENDING"], 62);
  EXPECT_EQ(counts_of(queue), recount(folder.file()));
  EXPECT_EQ(queue.find_task("odd")->children, 30);
  auto leased = queue.lease_tasks("w", 100, 1000);
  ASSERT_EQ(leased.size(), 62u);
  for (std::size_t i = 0; i < order.size(); ++i) {
    EXPECT_EQ(leased[i].arguments, order[i]);
    EXPECT_EQ(leased[i].name, i % 3 ? "tasks.test" : "tasks.other");
  }
}

TEST(EmbeddedQueue, what_is_queued_together_fails_together_and_all_are_told) {
  Folder folder;
  EmbeddedQueue queue(folder.file());
  sqlite::Connection({.file = folder.file()})
      .run_script(
          "CREATE TRIGGER refuse BEFORE INSERT ON task WHEN new.name = 'tasks.bad' BEGIN SELECT RAISE(ABORT, "
          "'refused'); END");
  std::atomic<int> ended = 0;
  std::vector<std::shared_ptr<LaterSource<std::string>>> sources;
  Batch batch([] {});
  for (const char* name : {"tasks.good", "tasks.bad"}) {
    sources.push_back(queue.enqueue_later({.id = name, .name = name}).source());
    sources.back()->begin([&] {
      ++ended;
      ended.notify_one();
    });
  }
  batch.end();
  for (int so_far = ended; so_far < 2; so_far = ended) ended.wait(so_far);
  for (const auto& source : sources) EXPECT_THROW(source->take(), Error);
  EXPECT_FALSE(queue.find_task("tasks.good"));
  EXPECT_TRUE(queue.health().counts.empty());
  EXPECT_EQ(queue.enqueue({.id = "tasks.good", .name = "tasks.good"}), "tasks.good");
}

TEST(EmbeddedQueue, refuses_a_file_that_is_no_queue) {
  Folder folder;
  std::ofstream(folder.file()) << std::string(8192, 'x');
  EXPECT_THROW(EmbeddedQueue queue(folder.file()), Error);
}

}  // namespace segments

// The other processes of these tests are this program too.
int main(int argc, char** argv) {
  if (argc == 4) return segments::role(argv[1], argv[2], argv[3]);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

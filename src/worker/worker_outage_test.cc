// The worker and a queue that is away for longer than leases last.
#include "base/log.h"
#include "worker/test_worker.h"

namespace segments {

// While it is away, every call fails; those that are made after it hang first, where that is asked for.
class AwayQueue : public EmbeddedQueue {
 public:
  explicit AwayQueue(const std::string& file) : EmbeddedQueue(file, [this] { return now_ms() + ahead_ms; }) {}

  void beat(std::string_view worker) override {
    reach();
    EmbeddedQueue::beat(worker);
  }
  std::vector<LeasedTask> lease_tasks(std::string_view worker, int most, int lease_ms) override {
    reach();
    return EmbeddedQueue::lease_tasks(worker, most, lease_ms);
  }
  std::vector<bool> end_leases(std::span<const LeaseEnd> ends) override {
    reach();
    return EmbeddedQueue::end_leases(ends);
  }
  std::vector<bool> renew_all(std::span<const LeasedTask> tasks, int lease_ms) override {
    reach();
    return EmbeddedQueue::renew_all(tasks, lease_ms);
  }
  std::vector<std::string> revoked_tasks(const std::vector<std::string>& ids) override {
    reach();
    return EmbeddedQueue::revoked_tasks(ids);
  }
  std::vector<GivenUpTask> lease_given_up(int most, int lease_ms) override {
    reach();
    return EmbeddedQueue::lease_given_up(most, lease_ms);
  }
  void sweep() override {
    reach();
    EmbeddedQueue::sweep();
    ++sweeps;
  }

  std::atomic<Millis> ahead_ms = 0, hang_ms = 0;
  std::atomic<bool> is_away = false;
  std::atomic<int> failures = 0, sweeps = 0;
  std::atomic<Millis> failed_at = 0, shortest_rest = 1'000'000;

 private:
  void reach() {
    if (!is_away) return;
    if (failures > 0) shortest_rest = std::min<Millis>(shortest_rest, steady_ms() - failed_at);
    usleep(static_cast<useconds_t>(hang_ms * 1000));
    failed_at = steady_ms();
    ++failures;
    throw Error(ErrorKind::unavailable, "The server is away.");
  }
};

class WorkerOutageTest : public WorkerTest {
 protected:
  WorkerOutageTest() {
    queue = std::make_unique<AwayQueue>(folder / "away.db");
    away = static_cast<AwayQueue*>(queue.get());
    options.observer = &diary;
  }
  ~WorkerOutageTest() override { stop(); }
  AwayQueue* away;
};

TEST_F(WorkerOutageTest, longer_than_its_leases_costs_it_no_run) {
  std::string goes_on = folder / "goes-on", ends = folder / "ends";
  queue->enqueue(task("wait-for-file", "goes-on", goes_on));
  queue->enqueue(task("wait-for-file", "ends", ends));
  start();
  ASSERT_TRUE(comes_true([&] { return fs::exists(goes_on + ".begun") && fs::exists(ends + ".begun"); }));
  ASSERT_TRUE(comes_true([&] { return away->sweeps > 0; }));
  away->is_away = true;
  put_file(ends, "");
  // It is told again and again how the one ended.
  ASSERT_TRUE(comes_true([&] { return away->failures >= 3; }));
  away->ahead_ms = 3'600'000;
  int sweeps = away->sweeps;
  away->is_away = false;
  ASSERT_TRUE(becomes("ends", TaskStatus::SUCCESS));
  ASSERT_TRUE(comes_true([&] { return away->sweeps > sweeps; }));
  put_file(goes_on, "");
  ASSERT_TRUE(becomes("goes-on", TaskStatus::SUCCESS));
  stop();
  for (std::string id : {"goes-on", "ends"}) {
    EXPECT_EQ(diary.count("started " + id), 1) << id;
    EXPECT_EQ(diary.count("ended " + id + " success"), 1) << id;
    EXPECT_TRUE(diary.end_of(id).recorded) << id;
  }
}

TEST_F(WorkerOutageTest, is_told_once_in_the_log_and_so_is_its_end) {
  std::string log = folder / "log";
  set_log_level(LogLevel::info);
  ASSERT_TRUE(set_log_file(log));
  away->is_away = true;
  start();
  EXPECT_TRUE(comes_true([&] { return away->failures >= 3; }));
  away->is_away = false;
  enqueue("append", "a");
  EXPECT_TRUE(becomes("a", TaskStatus::SUCCESS));
  stop();
  set_log_level(LogLevel::off);
  set_log_file("/dev/stderr");
  std::stringstream text;
  text << std::ifstream(log).rdbuf();
  auto count = [&, all = text.str()](const std::string& event) {
    int found = 0;
    for (auto at = all.find(event); at != all.npos; at = all.find(event, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("\"worker.queue_failed\""), 1) << text.str();
  EXPECT_EQ(count("\"worker.queue_works\""), 1) << text.str();
}

TEST_F(WorkerOutageTest, does_not_put_off_the_time_of_a_stop) {
  options.last_words_seconds = 600;
  Millis gone_at = 0;
  options.stopping = [&](Millis at) { gone_at = at; };
  start();
  enqueue("hang", "long");
  auto pids = hanging();
  // As it is where the worker waited for its queue when it was asked to stop.
  Millis asked_at = steady_ms() - 1000 * options.drain_seconds;
  stopping = asked_at;
  stop();
  EXPECT_EQ(gone_at, asked_at + 1000 * (options.drain_seconds + options.last_words_seconds));
  EXPECT_FALSE(pids.one_alive());
  EXPECT_EQ(state_of("long").status, TaskStatus::PENDING);
}

TEST_F(WorkerOutageTest, is_not_waited_for_when_the_time_of_a_stop_is_over) {
  start();
  enqueue("hang", "long");
  auto pids = hanging();
  away->is_away = true;
  stopping = steady_ms() - 1000 * (options.drain_seconds + options.last_words_seconds);
  stop();
  EXPECT_FALSE(pids.one_alive());
  away->is_away = false;
  EXPECT_EQ(state_of("long").status, TaskStatus::STARTED) << "nobody could be told";
  away->ahead_ms = 3'600'000;
  EXPECT_EQ(queue->lease_tasks("another", 1, 1000).size(), 1u) << "its lease has ended";
}

TEST_F(WorkerOutageTest, leaves_it_time_for_its_slots_where_each_answer_is_long_in_coming) {
  away->hang_ms = 1'200;
  away->is_away = true;
  start();
  ASSERT_TRUE(comes_true([&] { return away->failures >= 2; }));
  EXPECT_GE(away->shortest_rest, 900);
}

}  // namespace segments

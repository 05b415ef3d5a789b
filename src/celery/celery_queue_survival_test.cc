// What processes lose that die, what a task costs, and what nobody can read.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <random>
#include <set>
#include <thread>

#include "base/error.h"
#include "celery/test_queue.h"

namespace segments::celery {

TEST_F(CeleryPeersTest, a_trivial_task_costs_at_most_six_commands) {
  constexpr int tasks = 320, batch = 32;
  for (int i = 0; i < tasks; ++i) push(add_message("t" + std::to_string(i)));
  own.queue.lease_tasks("w", 0, lease_ms);
  client.ask({"CONFIG", "RESETSTAT"});
  for (int i = 0; i < tasks; i += batch) {
    auto leased = own.queue.lease_tasks("w", batch, lease_ms);
    ASSERT_EQ(leased.size(), std::size_t{batch});
    std::vector<LeaseEnd> ends;
    for (const auto& task : leased) ends.push_back({task, LeaseEnding::finish, "3"});
    EXPECT_EQ(own.queue.end_leases(ends), std::vector<bool>(batch, true));
  }
  auto calls = command_calls();
  std::int64_t all = 0;
  for (const auto& [name, count] : calls) all += count;
  RecordProperty("commands_per_task", std::to_string(static_cast<double>(all) / tasks));
  std::printf("commands per task at batch %d: %.2f\n", batch, static_cast<double>(all) / tasks);
  EXPECT_LE(all, 6 * tasks);
  // Scripts that the server does not know yet are sent again in full.
  EXPECT_LE(calls["evalsha"] + calls["eval"], 2 * tasks / batch + 2) << "one round trip to lease, one to end";
}

TEST_F(CeleryPeersTest, asking_an_idle_queue_is_one_cheap_round_trip) {
  own.queue.lease_tasks("w", 8, lease_ms);
  client.ask({"CONFIG", "RESETSTAT"});
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(own.queue.lease_tasks("w", 8, lease_ms).empty());
  auto calls = command_calls();
  EXPECT_EQ(calls["evalsha"], 10);
  std::int64_t all = 0;
  for (const auto& [name, count] : calls) all += count;
  EXPECT_LE(all, 70);
}

TEST_F(CeleryPeersTest, many_renewals_are_one_round_trip) {
  for (int i = 0; i < 100; ++i) push(add_message("t" + std::to_string(i)));
  auto tasks = own.queue.lease_tasks("w", 100, lease_ms);
  own.queue.renew_all(tasks, lease_ms);
  client.ask({"CONFIG", "RESETSTAT"});
  EXPECT_EQ(own.queue.renew_all(tasks, lease_ms), std::vector<bool>(100, true));
  std::int64_t all = 0;
  for (const auto& [name, count] : command_calls()) all += count;
  EXPECT_LE(all, 6);
}

TEST_F(CeleryPeersTest, what_a_killed_process_held_is_handed_out_again) {
  constexpr int tasks = 60;
  for (int i = 0; i < tasks; ++i) push(add_message("t" + std::to_string(i)));
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    OwnQueue mine(url(), options());
    std::size_t held = mine.queue.lease_tasks("child", 25, lease_ms).size();
    for (const auto& task : mine.queue.lease_tasks("child", 5, lease_ms))
      held += !mine.queue.finish(task, "1");
    if (write(ends[1], &held, sizeof held) < 0) _exit(1);
    pause();
    _exit(0);
  }
  std::size_t held = 0;
  ASSERT_EQ(read(ends[0], &held, sizeof held), static_cast<ssize_t>(sizeof held));
  EXPECT_EQ(held, 25u);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(ends[0]);
  close(ends[1]);
  EXPECT_EQ(finish_all(own.queue).size(), 30u);
  clock += lease_ms;
  auto again = finish_all(own.queue);
  EXPECT_EQ(again.size(), 25u);
  EXPECT_EQ(again.front(), "t0") << "served in their order";
  expect_nothing_held();
  for (int i = 0; i < tasks; ++i)
    EXPECT_EQ(own.queue.find_task("t" + std::to_string(i))->status, TaskStatus::SUCCESS) << i;
}

TEST(CeleryOutage, nothing_is_lost_when_redis_dies_and_comes_back) {
  set_log_level(LogLevel::off);
  redis::RedisServer server({.append_only = true});
  OwnQueue own(server.url());
  constexpr int tasks = 120;
  std::vector<NewTask> many;
  for (int i = 0; i < tasks; ++i)
    many.push_back({.id = "t" + std::to_string(i), .name = "tasks.add", .arguments = R"({"x": 1})"});
  own.queue.enqueue_all(many);
  auto held = own.queue.lease_tasks("w", 40, 600'000);
  ASSERT_EQ(held.size(), 40u);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(own.queue.finish(held[i], "1"));
  server.kill();
  EXPECT_THROW(own.queue.finish(held[20], "1"), Error);
  server.start();
  auto patiently = [&](auto&& ask) {
    for (Millis until = steady_ms() + 60'000;;) try {
        return ask();
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::unavailable || steady_ms() > until) throw;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
  };
  // Leases are ours still, by their tags.
  for (int i = 20; i < 40; ++i) EXPECT_TRUE(patiently([&] { return own.queue.finish(held[i], "1"); })) << i;
  std::set<std::string> ran;
  while (true) {
    auto leased = patiently([&] { return own.queue.lease_tasks("w", 32, 600'000); });
    if (leased.empty()) break;
    for (const auto& task : leased) {
      EXPECT_TRUE(ran.insert(task.id).second) << task.id;
      EXPECT_TRUE(own.queue.finish(task, "1"));
    }
  }
  EXPECT_EQ(ran.size(), 80u);
  EXPECT_EQ(own.client.ask({"HLEN", "unacked"}).integer, 0);
  for (int i = 0; i < tasks; ++i)
    EXPECT_EQ(own.queue.find_task("t" + std::to_string(i))->status, TaskStatus::SUCCESS);
  set_log_level(LogLevel::info);
}

TEST_F(CeleryPeersTest, ten_thousand_mutations_lose_none_of_the_good_ones) {
  std::mt19937 random(20261122);
  auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  std::vector<std::string> seeds;
  for (int i = 0; i < 20; ++i) {
    auto message = add_message("m" + std::to_string(i));
    message.priority = i % 10;
    if (i % 4 == 1) message.eta = clock - 1'000;
    if (i % 4 == 2) message.expires = clock + 3'600'000;
    if (i % 5 == 3) message.group = "g" + std::to_string(i);
    if (i % 5 == 4)
      message.embed.put("callbacks", *read_json(R"([{"task": "tasks.add", "args": [1], "options": {}}])"));
    if (i % 5 == 3)
      message.embed.put("chord", *read_json(R"({"task": "tasks.add", "args": [], "options": {}})"));
    seeds.push_back(encode_message(message));
  }
  constexpr int good = 500, mutations = 10'000;
  std::vector<redis::Command> pushes;
  for (int i = 0; i < mutations; ++i) {
    auto raw = seeds[below(seeds.size())];
    for (auto changes = below(4) + 1; changes > 0 && !raw.empty(); --changes) {
      auto at = below(raw.size());
      switch (below(6)) {
        case 0:
          raw[at] = static_cast<char>(below(256));
          break;
        case 1:
          raw.erase(at, below(20) + 1);
          break;
        case 2:
          raw.insert(at, raw.substr(below(raw.size()), below(40)));
          break;
        case 3:
          raw[at] = "\"{}[]:,0\\n"[below(10)];
          break;
        case 4:
          raw.resize(at);
          break;
        case 5:
          raw.insert(at, 1, static_cast<char>(below(256)));
          break;
      }
    }
    pushes.push_back({"LPUSH", keys::queue_list("celery", static_cast<int>(below(10))), raw});
    if (i % (mutations / good) == 0)
      pushes.push_back({"LPUSH", "celery", encode_message(add_message("good-" + std::to_string(i)))});
  }
  client.ask_all(pushes);
  std::set<std::string> ran;
  auto run_all = [&] {
    for (const auto& id : finish_all(own.queue))
      EXPECT_TRUE(!id.starts_with("good-") || ran.insert(id).second) << id;
  };
  run_all();
  // An eta may have become any year.
  clock = 253'402'300'799'000;
  run_all();
  EXPECT_EQ(ran.size(), std::size_t{good});
  expect_nothing_held();
  for (const auto& id : ran)
    EXPECT_EQ(decode_result(client.ask({"GET", keys::task_meta(id)}).text)->status, "SUCCESS");
  EXPECT_EQ(number({"EXISTS", "segments:garbage"}), 0);
}

}  // namespace segments::celery

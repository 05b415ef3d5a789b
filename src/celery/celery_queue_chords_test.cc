// Parts of chords that end at the same time, or whose chord is damaged.
#include <thread>

#include "celery/test_queue.h"

namespace segments::celery {

class CeleryChordTest : public CeleryPeersTest {
 protected:
  std::int64_t scripts_run() {
    auto calls = command_calls();
    return calls["evalsha"] + calls["eval"];
  }
};

TEST_F(CeleryChordTest, each_part_of_a_chord_is_recorded_though_its_size_cannot_be_read) {
  auto part = add_message("part");
  part.group = "g";
  part.group_index = 0;
  part.embed.put("chord", *read_json(R"({"task": "tasks.add", "args": [], "kwargs": {}, "options": {}})"));
  push(part);
  client.ask({"SET", keys::chord_size("g"), "0x2"});  // two to Lua, nothing to us
  EXPECT_EQ(finish_all(own.queue), std::vector<std::string>{"part"});
  EXPECT_EQ(number({"ZCARD", keys::chord_parts("g")}), 1);
}

TEST_F(CeleryChordTest, parts_of_a_chord_that_end_at_the_same_time_do_not_wait_for_each_other) {
  constexpr int parts = 120, workers = 6;
  push_chord(parts);
  auto tasks = own.queue.lease_tasks("w", parts, lease_ms);
  ASSERT_EQ(tasks.size(), std::size_t{parts});
  own.queue.finish(tasks[0], "0");
  client.ask({"CONFIG", "RESETSTAT"});
  std::vector<std::thread> threads;
  for (int w = 0; w < workers; ++w)
    threads.emplace_back([&, w] {
      for (int i = 1 + w; i < parts; i += workers) EXPECT_TRUE(own.queue.finish(tasks[i], std::to_string(i)));
    });
  for (auto& thread : threads) thread.join();
  EXPECT_LE(scripts_run(), parts - 1 + workers) << "only the last one is planned again";
  EXPECT_EQ(number({"LLEN", "celery"}), 1);
  EXPECT_EQ(number({"EXISTS", keys::chord_parts("g")}), 0);
}

}  // namespace segments::celery

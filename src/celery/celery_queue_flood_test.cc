// Very many messages that are not to be begun, very large ones, and ones that cost too much: what else waits
// goes on, and no call takes long.
#include <new>
#include <set>

#include "celery/content.h"
#include "celery/iso_time.h"
#include "celery/test_queue.h"

namespace segments::celery {

class CeleryFloodTest : public CeleryPeersTest {
 protected:
  using CeleryPeersTest::push;
  void push(const std::string& raw) { client.ask({"LPUSH", "celery", raw}); }
  void push_many(const std::string& prefix, int count, Millis eta) {
    redis::Command command("LPUSH");
    command.add("celery");
    for (int i = 0; i < count; ++i) {
      auto message = add_message(prefix + std::to_string(i));
      message.eta = eta;
      command.add(encode_message(message));
    }
    client.ask(command);
  }
  std::int64_t scripts_run() {
    auto calls = command_calls();
    return calls["evalsha"] + calls["eval"];
  }
  std::vector<std::string> lease_ids(CeleryQueue& queue, int most) {
    std::vector<std::string> ids;
    for (const auto& task : lease_all(queue, most)) ids.push_back(task.id);
    return ids;
  }
  // Its headers are as they should be, and have this beside them.
  std::string message_with(const std::string& id, const std::string& header) {
    auto raw = encode_message(add_message(id));
    auto at = raw.find("\"headers\":{");
    return raw.insert(at + 11, "\"more\":" + header + ",");
  }
  std::vector<DeadLetter> letters() { return own.queue.list_dead_letters("", 10); }
};

TEST_F(CeleryFloodTest, one_call_looks_at_a_bounded_number_of_messages) {
  push_many("later", 1'500, clock + 3'600'000);
  push(add_message("now"));
  EXPECT_TRUE(own.queue.lease_tasks("w", 1, lease_ms).empty());
  EXPECT_TRUE(own.queue.is_more_waiting());
  EXPECT_LE(number({"ZCARD", "segments:delayed"}), 600);
  EXPECT_EQ(lease_ids(own.queue, 1), std::vector<std::string>{"now"});
  EXPECT_FALSE(own.queue.is_more_waiting());
  EXPECT_EQ(number({"ZCARD", "segments:delayed"}), 1'500);
  EXPECT_EQ(own.queue.parked().size(), 1'500u);
}

TEST_F(CeleryFloodTest, what_is_not_to_be_begun_is_taken_in_batches) {
  constexpr int messages = 640;
  push_many("later", messages, clock + 3'600'000);
  own.queue.lease_tasks("w", 0, lease_ms);
  client.ask({"CONFIG", "RESETSTAT"});
  EXPECT_TRUE(lease_ids(own.queue, 1).empty());
  EXPECT_EQ(number({"LLEN", "celery"}), 0);
  EXPECT_LE(scripts_run(), 2 * messages / 64);
}

TEST_F(CeleryFloodTest, times_are_judged_as_python_writes_them) {
  auto with_eta = [](const std::string& id, const std::string& eta) {
    auto message = add_message(id);
    message.envelope.headers.put("eta", eta);
    message.eta = parse_iso_time(eta, true);
    return message;
  };
  clock = *parse_iso_time("2026-11-18T10:40:00Z");
  for (const char* later :
       {"2026-11-18T10:40:01.000001", "2026-11-18T12:39:59+01:00", "2026-11-18T06:10:00-05:00",
        "2026-11-18T16:11:00+05:30", "2028-02-29 00:00", "2027-01-01T00:00:00.5Z", "2026-12-01"})
    push(with_eta(later, later));
  for (const char* due : {"2026-11-18T10:40:00", "2026-11-18T11:39:59+01:00", "2026-11-18T05:40:00.000-05:00",
                          "2024-02-29T23:59:59Z", "2026-11-18T10:39"})
    push(with_eta(due, due));
  std::set<std::string> begun;
  for (int i = 0; i < 5; ++i)
    for (const auto& id : lease_ids(own.queue, 1)) begun.insert(id);
  EXPECT_EQ(begun, (std::set<std::string>{"2026-11-18T10:40:00", "2026-11-18T11:39:59+01:00",
                                          "2026-11-18T05:40:00.000-05:00", "2024-02-29T23:59:59Z",
                                          "2026-11-18T10:39"}));
  EXPECT_EQ(own.queue.parked().size(), 7u);
}

// Never more than were asked for, whatever they look like.
TEST_F(CeleryFloodTest, no_more_are_begun_than_were_asked_for) {
  for (int i = 0; i < 40; ++i) {
    auto message = add_message("t" + std::to_string(i));
    if (i % 4 == 0) message.eta = clock - 5'000;
    if (i % 4 == 1) message.expires = clock + 5'000;
    if (i % 4 == 2) message.eta = clock + 500;  // less than what the script is sure of
    push(message);
  }
  std::size_t begun = 0;
  for (int i = 0; i < 40; ++i) {
    auto tasks = own.queue.lease_tasks("w", 3, lease_ms);
    EXPECT_LE(tasks.size(), 3u);
    begun += tasks.size();
  }
  EXPECT_EQ(begun, 30u);
}

TEST_F(CeleryFloodTest, sweeping_ends_many_expired_tasks_in_few_round_trips) {
  constexpr int tasks = 300;
  std::vector<NewTask> all;
  for (int i = 0; i < tasks; ++i)
    all.push_back({.id = "t" + std::to_string(i), .name = "tasks.test", .expires = clock + 1'000});
  own.queue.enqueue_all(all);
  client.ask({"DEL", "celery"});
  clock += 2'000;
  own.queue.sweep();
  client.ask({"CONFIG", "RESETSTAT"});
  all.clear();
  for (int i = 0; i < tasks; ++i)
    all.push_back({.id = "u" + std::to_string(i), .name = "tasks.test", .expires = clock + 1'000});
  own.queue.enqueue_all(all);
  clock += 2'000;
  own.queue.sweep();
  EXPECT_LE(scripts_run(), 12);
  EXPECT_EQ(own.queue.find_task("t299")->status, TaskStatus::REVOKED);
  EXPECT_EQ(own.queue.find_task("u299")->status, TaskStatus::REVOKED);
  EXPECT_EQ(own.queue.find_task("u0")->error, "The task was not begun before it expired.");
}

TEST_F(CeleryFloodTest, a_message_that_is_too_large_is_never_read) {
  push(message_with("large", "\"" + std::string(max_message_bytes, 'x') + "\""));
  push(add_message("good"));
  EXPECT_EQ(lease_ids(own.queue, 5), std::vector<std::string>{"good"});
  ASSERT_EQ(letters().size(), 1u);
  EXPECT_EQ(letters()[0].error, "The message is larger than 16 MiB.");
  EXPECT_NE(letters()[0].arguments.find("xxxx"), std::string::npos) << "its beginning is kept";
  EXPECT_FALSE(own.queue.requeue_dead_letter(letters()[0].task_id));
  EXPECT_EQ(number({"HLEN", "unacked"}), 1);
  EXPECT_EQ(number({"HLEN", "segments:garbage"}), 0);
}

// In base64 they are seen only when it is read.
TEST_F(CeleryFloodTest, nor_is_one_of_very_many_values_in_its_body) {
  auto many = add_message("many");
  std::vector<Json> zeros(max_body_values, Json(0));
  many.args = Json::array({Json::array(std::move(zeros))});
  auto most = add_message("most");
  std::vector<Json> fewer(max_body_values - 100, Json(0));
  most.args = Json::array({Json::array(std::move(fewer))});
  push(many);
  push(most);
  EXPECT_EQ(lease_ids(own.queue, 5), std::vector<std::string>{"most"});
  ASSERT_EQ(letters().size(), 1u);
  EXPECT_NE(letters()[0].error.find("more than 250000 values"), std::string::npos) << letters()[0].error;
}

// Others may run what we do not: what a peer has let go of goes back to its list.
TEST_F(CeleryFloodTest, one_that_is_too_large_goes_back_to_its_list_all_the_same) {
  auto raw = message_with("theirs", "\"" + std::string(max_message_bytes, 'x') + "\"");
  client.ask({"HSET", "unacked", "tag-of-python", "[" + raw + R"(, "", "python"])"});
  client.ask({"ZADD", "unacked_index", "1", "tag-of-python"});
  own.queue.sweep();
  EXPECT_EQ(number({"LLEN", "python"}), 1);
  EXPECT_TRUE(letters().empty());
}

TEST_F(CeleryFloodTest, a_message_of_too_many_values_is_not_run) {
  auto zeros = [](int count) {
    std::string text = "[0";
    for (int i = 1; i < count; ++i) text += ",0";
    return text + "]";
  };
  push(message_with("many", zeros(3'000'000)));
  push(add_message("good"));
  EXPECT_EQ(lease_ids(own.queue, 5), std::vector<std::string>{"good"});
  ASSERT_EQ(letters().size(), 1u);
  EXPECT_EQ(letters()[0].error, "The message has more than 250,000 values.");
}

// What cannot be read for want of memory must not stop what else waits.
TEST_F(CeleryFloodTest, a_message_that_takes_too_much_memory_stops_no_other) {
  bool memory_is_short = true;
  auto short_of_memory = options();
  short_of_memory.bind = [&](const TaskMessage& message) {
    if (memory_is_short && message.task == "tasks.heavy") throw std::bad_alloc();
    return bind_any(message);
  };
  OwnQueue mine(url(), short_of_memory);
  auto heavy = add_message("heavy");
  heavy.task = "tasks.heavy";
  push(heavy);
  push(add_message("good"));
  EXPECT_EQ(lease_ids(mine.queue, 5), std::vector<std::string>{"good"});
  ASSERT_EQ(letters().size(), 1u);
  EXPECT_EQ(letters()[0].name, "tasks.heavy");
  // The same when its worker died.
  memory_is_short = false;
  heavy.id = "second";
  push(heavy);
  EXPECT_EQ(lease_ids(mine.queue, 5), std::vector<std::string>{"second"});
  memory_is_short = true;
  clock += lease_ms;
  mine.queue.sweep();
  EXPECT_EQ(lease_ids(mine.queue, 5), std::vector<std::string>{"good"});
  EXPECT_EQ(number({"HLEN", "unacked"}), 1);
  EXPECT_EQ(mine.queue.find_task("second")->status, TaskStatus::FAILURE);
}

TEST_F(CeleryFloodTest, a_key_that_is_no_list_does_not_stop_what_is_due_elsewhere) {
  auto both = options();
  both.consumed = {"broken", "celery"};
  OwnQueue mine(url(), both);
  auto later = add_message("later");
  later.eta = clock + 1'000;
  later.routing_key = "broken";
  client.ask({"LPUSH", "broken", encode_message(later)});
  auto held = add_message("held");
  held.routing_key = "broken";
  client.ask({"LPUSH", "broken", encode_message(held)});
  EXPECT_EQ(lease_ids(mine.queue, 5), std::vector<std::string>{"held"});
  client.ask({"SET", "broken", "no list"});
  push(add_message("good"));
  clock += lease_ms;
  EXPECT_EQ(lease_ids(mine.queue, 5), std::vector<std::string>{"good"});
  mine.queue.sweep();
  auto kept = letters();
  ASSERT_EQ(kept.size(), 2u) << "nothing is lost";
  client.ask({"DEL", "broken"});
  for (const auto& letter : kept) {
    EXPECT_NE(letter.error.find("no list"), std::string::npos) << letter.error;
    EXPECT_TRUE(mine.queue.requeue_dead_letter(letter.task_id));
  }
  EXPECT_EQ(lease_ids(mine.queue, 5).size(), 2u);
}

}  // namespace segments::celery

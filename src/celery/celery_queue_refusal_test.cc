// Messages that are not run, and results that are not written.
#include <set>

#include "celery/content.h"
#include "celery/test_queue.h"

namespace segments::celery {

TEST_F(CeleryListsTest, unknown_tasks_and_wrong_arguments_fail_at_once) {
  int refused = 0;
  auto options = test_options();
  options.observer.refused = [&](const TaskMessage&, const PythonException&) { ++refused; };
  auto& own = open(std::move(options));
  auto unknown = add_message("unknown");
  unknown.task = "tasks.none";
  push(unknown);
  push(add_message("wrong", "[1, 2, 3]"));
  push(add_message("good"));
  auto tasks = own.queue.lease_tasks("w", 3, lease_ms);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].id, "good");
  EXPECT_EQ(refused, 2);
  auto meta = decode_result(client.ask({"GET", "celery-task-meta-unknown"}).text);
  EXPECT_EQ(meta->status, "FAILURE");
  EXPECT_EQ(meta->exception(), not_registered("tasks.none"));
  EXPECT_EQ(meta->traceback, "");
  meta = decode_result(client.ask({"GET", "celery-task-meta-wrong"}).text);
  EXPECT_EQ(meta->exception()->type, "TypeError");
  EXPECT_EQ(own.queue.find_task("wrong")->status, TaskStatus::FAILURE);
  EXPECT_TRUE(own.queue.list_dead_letters("", 10).empty());
  own.queue.finish(tasks[0], "3");
  expect_nothing_held();
  for (const auto& entry : own.queue.health().counts)
    EXPECT_TRUE(entry.name == "tasks.add" || entry.name == "(unknown)") << entry.name;
}

TEST_F(CeleryListsTest, what_cannot_be_read_becomes_a_dead_letter_with_its_bytes) {
  int undecodable = 0;
  auto options = test_options();
  options.observer.undecodable = [&](const MessageFault&) { ++undecodable; };
  auto& own = open(std::move(options));
  auto good = encode_message(add_message("good"));
  auto envelope = *read_json(good);
  std::vector<std::string> bad{
      "",
      "garbage",
      "[1]",
      "{}",
      std::string("\xff\xfe\0x", 4),
      std::string("a\0b", 3),
      "null",
      R"({"properties": 3})",
      R"({"properties": {}, "headers": {"task": "tasks.add", "id": "x"}, "body": "!!"})"};
  auto change = [&](const char* member, Json value) {
    auto copy = envelope;
    copy.put(member, std::move(value));
    bad.push_back(print_json(copy));
  };
  change("body", "");
  change("body", encode_base64("[[], {}]"));
  change("body", encode_base64("\x80\x04]."));
  change("body", nullptr);
  change("content-type", "application/x-python-serialize");
  change("content-type", nullptr);
  change("headers", Json::object({{"task", "tasks.add"}, {"id", 7}}));
  change("headers", Json::object({{"task", "tasks.add"}, {"id", "x"}, {"eta", "never"}}));
  change("properties", nullptr);
  push(good);
  for (const auto& raw : bad) push(raw);
  auto tasks = lease_all(own.queue, 5);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_TRUE(own.queue.finish(tasks[0], "3"));
  expect_nothing_held();
  EXPECT_EQ(number({"EXISTS", "segments:garbage"}), 0);
  EXPECT_EQ(number({"LLEN", "celery"}), 0);
  EXPECT_EQ(undecodable, static_cast<int>(bad.size()));
  auto letters = own.queue.list_dead_letters("", 100);
  EXPECT_EQ(letters.size(), bad.size());
  for (const auto& letter : letters) {
    EXPECT_TRUE(letter.task_id.starts_with("undecodable-")) << letter.task_id;
    EXPECT_FALSE(letter.error.empty());
    EXPECT_TRUE(own.queue.requeue_dead_letter(letter.task_id));
  }
  std::multiset<std::string> back;
  for (const auto& item : client.ask({"LRANGE", "celery", "0", "-1"}).items) back.insert(item.text);
  EXPECT_EQ(back, std::multiset<std::string>(bad.begin(), bad.end())) << "byte for byte";
  EXPECT_TRUE(own.queue.list_dead_letters("", 100).empty());
  EXPECT_TRUE(lease_all(own.queue, 5).empty());
  EXPECT_EQ(own.queue.health().dead_letters, static_cast<int>(bad.size()));
}

TEST_F(CeleryListsTest, dead_letters_that_nobody_can_read_are_bounded) {
  auto& own = open();
  for (int i = 0; i < 1'050; ++i) push("garbage " + std::to_string(i));
  push(std::string(2 << 20, 'x'));
  clock += 1;
  EXPECT_TRUE(lease_all(own.queue, 500).empty());
  EXPECT_EQ(own.queue.health().dead_letters, 1'000);
  bool cut = false;
  for (const auto& letter : own.queue.list_dead_letters("", 2'000)) {
    if (letter.arguments.find("xxxx") == std::string::npos) continue;
    cut = true;
    EXPECT_FALSE(own.queue.requeue_dead_letter(letter.task_id)) << "not all of it was kept";
    EXPECT_TRUE(own.queue.remove_dead_letter(letter.task_id));
  }
  EXPECT_TRUE(cut);
}

TEST_F(CeleryListsTest, a_success_is_never_written_over) {
  auto& own = open();
  push(add_message("a"));
  auto tasks = own.queue.lease_tasks("w", 1, lease_ms);
  client.ask({"SET", "celery-task-meta-a", encode_result(make_success("a", 42, clock))});
  EXPECT_TRUE(own.queue.fail(tasks.at(0), "No."));
  EXPECT_EQ(status_in_backend("a"), "SUCCESS");
  EXPECT_EQ(own.queue.find_task("a")->result->text, "42");
  EXPECT_TRUE(own.queue.list_dead_letters("", 5).empty());
  EXPECT_TRUE(own.queue.lease_given_up(5, lease_ms).empty());
  // Delivered again after that, it is not run again.
  auto again = add_message("a");
  again.redelivered = true;
  push(again);
  EXPECT_TRUE(own.queue.lease_tasks("w", 1, lease_ms).empty());
  expect_nothing_held();
}

TEST_F(CeleryListsTest, a_result_that_nobody_wants_is_not_kept) {
  auto& own = open();
  auto message = add_message("a");
  message.ignore_result = true;
  push(message);
  EXPECT_TRUE(own.queue.finish(own.queue.lease_tasks("w", 1, lease_ms).at(0), "3"));
  EXPECT_EQ(status_in_backend("a"), "");
  EXPECT_EQ(own.queue.find_task("a")->status, TaskStatus::SUCCESS);
}

TEST_F(CeleryListsTest, started_is_stored_where_it_is_tracked) {
  auto options = test_options();
  options.track_started = true;
  auto& own = open(std::move(options));
  push(add_message("a"));
  auto task = own.queue.lease_tasks("w", 1, lease_ms).at(0);
  auto meta = decode_result(client.ask({"GET", "celery-task-meta-a"}).text);
  EXPECT_EQ(meta->status, "STARTED");
  EXPECT_EQ(meta->result.text_of("hostname"), "celery@test");
  EXPECT_TRUE(own.queue.finish(task, "3"));
  EXPECT_EQ(status_in_backend("a"), "SUCCESS");
}

}  // namespace segments::celery

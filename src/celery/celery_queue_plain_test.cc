// Messages whose names the script cuts out, and runs that end in few words.
#include "celery/plain_message.h"
#include "celery/test_queue.h"

namespace segments::celery {

namespace {

// As kombu prints it. `more` stands among the headers, `changes` replaces words by others.
std::string plain(const std::string& id, const std::string& more = "",
                  const std::vector<std::pair<std::string, std::string>>& changes = {}) {
  std::string raw = R"({"body": "W1sxLCAyXSwge30sIHt9XQ==", "content-encoding": "utf-8", )"
                    R"("content-type": "application/json", "headers": {"lang": "py", "task": "tasks.add", "id": ")" +
                    id +
                    R"(", "shadow": null, "eta": null, "expires": null, "group": null, "group_index": null, )"
                    R"("retries": 0, "timelimit": [null, null], "root_id": ")" +
                    id + R"(", "parent_id": null, "argsrepr": "[1, 2]", "kwargsrepr": "{}", "origin": "gen1@host")" +
                    more +
                    R"(}, "properties": {"delivery_info": {"exchange": "", "routing_key": "celery"}, "priority": 0, )"
                    R"("body_encoding": "base64", "delivery_tag": "tag"}})";
  for (const auto& [from, to] : changes) {
    auto at = raw.find(from);
    EXPECT_NE(at, raw.npos) << from;
    raw.replace(at, from.size(), to);
  }
  return raw;
}

}  // namespace

TEST(PlainMessage, its_names_are_cut_out_where_they_stand) {
  auto names = [](const std::string& raw) { return cut_plain(raw); };
  EXPECT_EQ(names(plain("one")), (PlainNames{"tasks.add", "one"}));
  EXPECT_EQ(names(plain("one", R"(, "stamps": {"id": "two"})")), (PlainNames{"tasks.add", "one"}));
  EXPECT_FALSE(names(""));
  EXPECT_FALSE(names(plain("one").substr(1)));
  EXPECT_FALSE(names(plain("one") + " "));
  EXPECT_FALSE(names(plain(R"(o\u006ee)")));
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"W1sx", R"(\")"},
           {R"("py")", R"("p\"y")"},
           {R"("py")", "null"},
           {R"("eta": null)", R"("eta": "2026-11-22T14:46:49+00:00")"},
           {R"("expires": null)", R"("expires": "2026-11-22T14:46:49+00:00")"},
           {R"("group": null)", R"("group": "g")"},
           {R"("retries": 0)", R"("retries": 1)"},
           {R"("body")", R"("Body")"},
           {"utf-8", "UTF-8"}})
    EXPECT_FALSE(names(plain("one", "", {{from, to}}))) << from;
  auto whole = plain("one");
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(names(whole.substr(0, size))) << size;
}

TEST_F(CeleryListsTest, a_plain_message_is_begun_and_ends_like_any_other) {
  auto& own = open();
  for (const char* id : {"one", "two", "gone"}) push(plain(id));
  auto tasks = own.queue.lease_tasks("w", 5, lease_ms);
  ASSERT_EQ(tasks.size(), 3u);
  EXPECT_EQ(tasks[0].arguments, R"({"x":1,"y":2})");
  auto state = own.queue.find_task("one");
  EXPECT_EQ(state->status, TaskStatus::STARTED);
  EXPECT_EQ(state->name, "tasks.add");
  EXPECT_EQ(state->worker, "w");
  EXPECT_EQ(state->started_at, format_time(clock));
  ASSERT_EQ(own.queue.health().counts.size(), 1u);
  EXPECT_EQ(own.queue.health().counts[0].status, TaskStatus::STARTED);
  EXPECT_EQ(own.queue.health().counts[0].count, 3);
  client.ask({"DEL", keys::task("gone")});
  clock += 1000;
  for (const auto& task : tasks) EXPECT_TRUE(own.queue.finish(task, "3"));
  for (const char* id : {"one", "two", "gone"}) {
    state = own.queue.find_task(id);
    EXPECT_EQ(state->status, TaskStatus::SUCCESS) << id;
    EXPECT_EQ(state->name, "tasks.add") << id;
    EXPECT_EQ(state->result->text, "3") << id;
    EXPECT_EQ(state->progress, 100) << id;
    EXPECT_EQ(state->finished_at, format_time(clock)) << id;
    EXPECT_GT(number({"TTL", keys::task(id)}), 86'000) << id;
    EXPECT_GT(number({"TTL", keys::task_meta(id)}), 86'000) << id;
  }
  EXPECT_FALSE(own.queue.finish(tasks[0], "4"));
  ASSERT_EQ(own.queue.health().counts.size(), 1u);
  EXPECT_EQ(own.queue.health().counts[0].status, TaskStatus::SUCCESS);
  EXPECT_EQ(own.queue.health().counts[0].count, 3);
  expect_nothing_held();
}

// In one batch, whose script takes the plain ones first.
TEST_F(CeleryListsTest, each_of_many_ends_gets_its_own_answer) {
  auto& own = open();
  for (const char* id : {"fails", "plain", "retried", "lost", "revoked", "back", "done", "last"})
    push(plain(id));
  auto tasks = own.queue.lease_tasks("w", 8, lease_ms);
  ASSERT_EQ(tasks.size(), 8u);
  std::map<std::string, LeaseEnding> endings{
      {"fails", LeaseEnding::fail}, {"retried", LeaseEnding::retry}, {"back", LeaseEnding::hand_back}};
  client.ask({"ZREM", "unacked_index", tag_of(tasks[3].fence)});
  client.ask({"HDEL", "unacked", tag_of(tasks[3].fence)});
  EXPECT_TRUE(own.queue.revoke("revoked"));
  auto meta = encode_result(make_success("done", Json("a peer's"), clock));
  client.ask({"SET", keys::task_meta("done"), meta});
  std::vector<LeaseEnd> ends;
  for (const auto& task : tasks) {
    auto found = endings.find(task.id);
    ends.push_back({task, found == endings.end() ? LeaseEnding::finish : found->second, "\"text\"", clock});
  }
  auto taken = own.queue.end_leases(ends);
  EXPECT_EQ(taken, (std::vector<bool>{true, true, true, false, false, true, true, true}));
  std::map<std::string, TaskStatus> expected{{"fails", TaskStatus::FAILURE},   {"plain", TaskStatus::SUCCESS},
                                             {"retried", TaskStatus::RETRY},   {"lost", TaskStatus::PENDING},
                                             {"revoked", TaskStatus::REVOKED}, {"back", TaskStatus::PENDING},
                                             {"done", TaskStatus::SUCCESS},    {"last", TaskStatus::SUCCESS}};
  for (const auto& [id, status] : expected) EXPECT_EQ(own.queue.find_task(id)->status, status) << id;
  EXPECT_EQ(client.ask({"GET", keys::task_meta("done")}).text, meta);
  EXPECT_EQ(own.queue.find_task("last")->result->text, "\"text\"");
  // The one that was revoked is held until it is handed back.
  EXPECT_EQ(number({"HLEN", "unacked"}), 1);
  EXPECT_TRUE(own.queue.hand_back(tasks[4]));
}

TEST_F(CeleryListsTest, what_looks_almost_plain_is_what_json_says) {
  auto& own = open();
  push(plain(R"(e\u0073caped)"));
  push(plain("grouped", "", {{R"("group": null)", R"("group": "g")"}}));
  push(plain("again", "", {{R"("retries": 0)", R"("retries": 1)"}}));
  push(plain("nested",
             R"(, "mine": {"id": "other", "task": "tasks.none", "eta": "2999-01-01T00:00:00+00:00"})"));
  push(plain("parked", "", {{R"("eta": null)", R"("eta": "2999-01-01T00:00:00+00:00")"}}));
  push(plain("late", R"(, "eta": "2999-01-01T00:00:00+00:00")"));
  push(plain("expired", R"(, "expires": "2001-01-01T00:00:00+00:00")"));
  push(plain("unknown", "", {{"tasks.add", "tasks.none"}}));
  std::vector<std::string> ids;
  for (const auto& task : lease_all(own.queue, 20)) ids.push_back(task.id);
  EXPECT_EQ(ids, (std::vector<std::string>{"escaped", "grouped", "again", "nested"}));
  EXPECT_EQ(own.queue.find_task("again")->retries, 1);
  EXPECT_EQ(own.queue.parked().size(), 2u);
  EXPECT_EQ(own.queue.find_task("late")->status, TaskStatus::PENDING);
  EXPECT_EQ(own.queue.find_task("expired")->status, TaskStatus::REVOKED);
  EXPECT_EQ(own.queue.find_task("unknown")->status, TaskStatus::FAILURE);
  EXPECT_EQ(number({"HLEN", "segments:running"}), 4);
}

TEST_F(CeleryListsTest, a_message_that_names_a_task_twice_is_a_dead_letter) {
  set_log_level(LogLevel::off);
  auto& own = open();
  push(plain("first", R"(, "id": "second")"));
  push(plain("third", R"(, "task": "tasks.none")"));
  push(plain("cut").substr(0, 400) + R"("}})");
  push(plain("good"));
  auto tasks = lease_all(own.queue, 5);
  set_log_level(LogLevel::info);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].id, "good");
  EXPECT_EQ(own.queue.list_dead_letters("", 10).size(), 3u);
  for (const char* id : {"first", "third", "cut"})
    EXPECT_EQ(own.queue.find_task(id)->status, TaskStatus::FAILURE) << id;
  EXPECT_FALSE(own.queue.find_task("second"));
  EXPECT_TRUE(own.queue.finish(tasks[0], "3"));
  expect_nothing_held();
}

TEST_F(CeleryListsTest, a_plain_message_that_was_revoked_is_not_begun) {
  auto& own = open();
  own.queue.drop_later(std::vector<std::string>{"dropped"});
  push(plain("dropped"));
  push(plain("good"));
  auto tasks = own.queue.lease_tasks("w", 5, lease_ms);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].id, "good");
  EXPECT_EQ(status_in_backend("dropped"), "REVOKED");
  own.queue.hand_back(tasks[0]);
  expect_nothing_held();
}

}  // namespace segments::celery

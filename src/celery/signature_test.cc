#include "celery/signature.h"

#include <deque>
#include <map>
#include <regex>
#include <set>

#include "celery/keys.h"
#include "celery/python_test.h"

namespace segments::celery {
namespace {

// A worker and a broker in memory: runs what is sent and what follows, as a worker does.
struct World {
  std::deque<std::string> queue;
  std::map<std::string, ResultMeta> results;
  std::map<std::string, std::int64_t> chord_sizes;
  std::map<std::string, std::map<std::int64_t, std::vector<std::string>>> parts;
  int runs = 0;

  void run_all() {
    while (!queue.empty() && ++runs < 10'000) {
      auto raw = queue.front();
      queue.pop_front();
      auto decoded = decode_message(raw);
      ASSERT_TRUE(std::holds_alternative<TaskMessage>(decoded))
          << std::get<MessageFault>(decoded).sentence << raw;
      run(std::get<TaskMessage>(decoded));
    }
  }

  void run(const TaskMessage& message) {
    if (message.task == "tasks.fail") {
      PythonException boom{"ValueError", {Json("boom")}, "builtins"};
      auto next = follow_failure(message, 0);
      publish(next);
      finish(message, make_failure(message.id, boom, "", 0));
      for (const auto& skipped : next.skipped)
        finish(skipped.message, make_failure(skipped.message.id, boom, "", 0));
      return;
    }
    Json result = value_of(message);
    auto next = follow_success(message, result, 0);
    EXPECT_EQ(next.faults.size(), 0u) << (next.faults.empty() ? "" : next.faults[0]);
    publish(next);
    finish(message, make_success(message.id, result, 0));
  }

  static Json value_of(const TaskMessage& message) {
    if (message.task == "tasks.echo") return Json::array({message.args, message.kwargs});
    std::int64_t sum = 0;
    const auto& numbers =
        message.task == "tasks.total" ? message.args.items().at(0).items() : message.args.items();
    for (const auto& number : numbers) sum += number.integer().value();
    return sum;
  }

  void publish(const FollowUps& next) {
    for (const auto& size : next.chord_sizes) chord_sizes[size.group_id] = size.size;
    for (const auto& message : next.messages) queue.push_back(encode_message(message));
  }

  void finish(const TaskMessage& message, const ResultMeta& meta) {
    results[message.id] = meta;
    if (!message.embed.at("chord").is_true() || message.group.empty()) return;
    auto& chord = parts[message.group];
    chord[message.group_index.value_or(1 << 30)].push_back(
        encode_chord_part({message.id, meta.status, meta.result}));
    std::vector<std::string> all;
    for (const auto& [index, texts] : chord) all.insert(all.end(), texts.begin(), texts.end());
    if (static_cast<std::int64_t>(all.size()) != chord_sizes.at(message.group)) return;
    auto outcome = join_chord(all);
    if (!outcome.error) return publish(follow_chord(message, outcome.results, 0));
    auto next = follow_chord_failure(message, 0).follow_ups;
    publish(next);
    for (const auto& skipped : next.skipped)
      finish(skipped.message, make_failure(skipped.message.id, *outcome.error, "", 0));
  }
};

// Random chains, groups and chords within each other, sent by Celery as the rest of a first task's chain.
// What their last task gives is what Celery itself gives when it runs them in one process.
TEST(Signatures, GiveWhatCelerysOwnExecutionGives) {
  auto lines = run_python(R"py(
@app.task(name='tasks.total')
def total(items):
    return sum(total(i) if isinstance(i, list) else i for i in items)
def step(depth):
    kind = rng.randrange(6 if depth < 3 else 3)
    if kind == 0: return add.s(rng.randrange(9))
    if kind == 1: return add.si(rng.randrange(9), rng.randrange(9))
    if kind == 2: return add.s(rng.randrange(9), rng.randrange(9))
    if kind == 3: return chain(step(depth + 1), step(depth + 1))
    if kind == 4: return chord([header(depth + 1) for _ in range(rng.randrange(2, 4))], total.s())
    return chain(group([header(depth + 1) for _ in range(rng.randrange(2, 4))]), total.s(), step(depth + 1))
def header(depth):
    return rng.choice([add.s(1), add.si(2, 3), chain(add.s(1), add.s(2)), chord([add.s(1), add.s(2)], total.s()) if depth < 3 else add.s(5)])
for i in range(80):
    state = rng.getstate()
    # Twice the same: sending changes a canvas.
    def make():
        rng.setstate(state)
        return chain(add.s(1, 2), *[step(0) for _ in range(rng.randrange(1, 4))])
    app.conf.task_always_eager = True
    want = make().apply_async().get()
    app.conf.task_always_eager = False
    sent.clear()
    r = make().apply_async()
    put(list(sent), r.id, want)
)py");
  ASSERT_EQ(lines.size(), 80u);
  for (const auto& line : lines) {
    auto row = read_json(line)->items();
    World world;
    for (const auto& raw : row[0].items()) world.queue.push_back(raw.text());
    world.run_all();
    auto found = world.results.find(row[1].text());
    ASSERT_TRUE(found != world.results.end()) << line;
    ASSERT_EQ(found->second.result, row[2]) << line;
  }
}

TEST(Signatures, FailureReachesWhoeverWaits) {
  auto lines = run_python(R"py(
@app.task(name='tasks.fail')
def fail(*args): raise ValueError('boom')
for canvas in (
    chain(add.s(1, 2), fail.s(), add.s(1), add.s(2)),
    chain(add.s(1, 2), chord([add.s(1), fail.s(), add.s(3)], total.s())),
    chain(add.s(1, 2), chord([add.s(1), chain(fail.s(), add.s(1))], total.s())),
    chain(add.s(1, 2), group(add.s(1), fail.s()), total.s(), add.s(1)),
    chain(add.s(1, 2), chord([add.s(1), chord([fail.s(), add.s(2)], total.s())], total.s())),
):
    sent.clear()
    canvas.link_error(echo.s('failed'))
    r = canvas.apply_async()
    put(list(sent), r.id)
)py");
  ASSERT_EQ(lines.size(), 5u);
  for (const auto& line : lines) {
    auto row = read_json(line)->items();
    World world;
    for (const auto& raw : row[0].items()) world.queue.push_back(raw.text());
    world.run_all();
    auto found = world.results.find(row[1].text());
    ASSERT_TRUE(found != world.results.end()) << line;
    EXPECT_EQ(found->second.status, "FAILURE");
    int told = 0;
    for (const auto& [id, meta] : world.results)
      if (meta.status == "SUCCESS" && meta.result.is_array()) ++told;  // of tasks.echo alone
    EXPECT_GE(told, 1) << line;
  }
}

TaskMessage parent_with(const std::string& embed) {
  TaskMessage message;
  message.task = "tasks.add";
  message.id = "me";
  message.root_id = "root";
  message.embed = *read_json(embed);
  return message;
}

TEST(Signatures, OptionsAreObserved) {
  auto next = follow_success(parent_with(R"({"callbacks": [
      {"task": "a", "args": [1], "kwargs": {"k": 1}, "options": {"task_id": "x", "queue": "media", "priority": 6, "countdown": 10,
       "time_limit": 5, "soft_time_limit": 2.5, "shadow": "s", "headers": {"mine": 1}, "ignore_result": true, "reply_to": "oid"}, "immutable": false},
      {"task": "b", "args": [1], "immutable": true, "options": {"eta": "1970-01-01T00:00:05", "expires": 7, "link": {"task": "c"}, "exchange": "topics", "routing_key": "a.b", "queue": "other"}},
      {"task": "c", "options": {"routing_key": "nowhere", "stamped_headers": ["batch"], "batch": "b7"}}]})"),
                             *read_json("12345678901234567890123"), 1'000);
  ASSERT_EQ(next.messages.size(), 3u);
  const auto& a = next.messages[0];
  EXPECT_EQ(a.id, "x");
  EXPECT_EQ(print_json(a.args), "[12345678901234567890123,1]");
  EXPECT_EQ(print_json(a.kwargs), R"({"k":1})");
  EXPECT_EQ(a.routing_key, "media");
  EXPECT_EQ(a.priority, 6);
  EXPECT_EQ(a.eta, 11'000);
  EXPECT_EQ(a.time_limit.hard_s, 5);
  EXPECT_EQ(a.time_limit.soft_s, 2.5);
  EXPECT_EQ(a.shadow, "s");
  EXPECT_EQ(a.ignore_result, true);
  EXPECT_EQ(a.reply_to, "oid");
  EXPECT_EQ(a.parent_id, "me");
  EXPECT_EQ(a.root_id, "root");
  EXPECT_EQ(read_json(encode_message(a))->at("headers").at("mine").integer(), 1);
  const auto& b = next.messages[1];
  EXPECT_EQ(print_json(b.args), "[1]");
  EXPECT_EQ(b.eta, 5'000);
  EXPECT_EQ(b.expires, 8'000);
  EXPECT_EQ(b.exchange, "topics");
  EXPECT_EQ(b.routing_key, "a.b");
  EXPECT_EQ(b.embed.at("callbacks").items().size(), 1u);
  EXPECT_EQ(next.messages[2].routing_key, "celery") << "a routing key alone counts nothing to Celery";
  EXPECT_EQ(print_json(next.messages[2].envelope.headers),
            R"({"stamped_headers":["batch"],"stamps":{"batch":"b7"}})");
}

// As Celery's worker (5.2.6 and 5.5.3 alike) stores the children of a task with these callbacks.
TEST(Signatures, ChildrenAreNestedAsCeleryDoesIt) {
  auto list = [](std::initializer_list<std::string> items) {
    std::string out;
    for (const auto& item : items) out += (out.empty() ? "" : ",") + item;
    return "[" + out + "]";
  };
  auto task = [](const std::string& id) { return R"({"task":"t","options":{"task_id":")" + id + "\"}}"; };
  auto some = [&](const std::string& kind, std::initializer_list<std::string> tasks) {
    return R"({"task":"celery.)" + kind + R"(","kwargs":{"tasks":)" + list(tasks) + R"(},"subtask_type":")" +
           kind + "\"}";
  };
  auto chord = [&](std::initializer_list<std::string> header, const std::string& body) {
    return R"({"task":"celery.chord","subtask_type":"chord","kwargs":{"header":)" + list(header) +
           R"(,"body":)" + body + "}}";
  };
  const std::map<std::string, std::string> children_of{
      {list({task("1")}), R"([[["1",null],null]])"},
      {list({task("1"), task("2")}), R"([[["?",null],[[["1",null],null],[["2",null],null]]]])"},
      {list({some("group", {task("1"), task("2")})}),
       R"([[["?",null],[[["1",null],null],[["2",null],null]]]])"},
      {list({some("group", {task("1"), some("group", {task("2")})})}),
       R"([[["?",null],[[["1",null],null],[["2",null],null]]]])"},
      {list({task("1"), some("group", {task("3"), task("4")}), task("2")}),
       R"([[["?",null],[[["3",null],null],[["4",null],null]]],[["?",null],[[["1",null],null],[["2",null],null]]]])"},
      {list({some("chain", {task("1"), task("2"), task("3")})}), R"([[["1",null],null]])"},
      {list({some("chain", {task("1"), task("2")}), task("3")}),
       R"([[["?",null],[[["2",[["1",null],null]],null],[["3",null],null]]]])"},
      {list({some("group", {some("chain", {task("1"), task("2")}), task("3")})}),
       R"([[["?",null],[[["2",[["1",null],null]],null],[["3",null],null]]]])"},
      {list({chord({task("1"), task("2")}, task("3"))}),
       R"([[["?",null],[[["1",null],null],[["2",null],null]]]])"},
      {list({chord({task("1"), task("2")}, task("3")), task("4")}),
       R"([[["?",null],[[["3",[["?",null],[[["1",null],null],[["2",null],null]]]],null],[["4",null],null]]]])"},
      {list({some("group", {some("chain", {task("1"), some("group", {task("2"), task("3")})})})}),
       R"([[["?",[["1",null],null]],[[["2",null],null],[["3",null],null]]]])"},
  };
  for (const auto& [callbacks, children] : children_of) {
    auto next = follow_success(parent_with(R"({"callbacks":)" + callbacks + "}"), Json(1), 0);
    EXPECT_TRUE(next.faults.empty()) << callbacks;
    EXPECT_EQ(std::regex_replace(print_json(next.children), std::regex("[0-9a-f]{8}-[0-9a-f-]{27}"), "?"),
              children)
        << callbacks;
  }
}

TEST(Signatures, WhatIsNoneIsAFaultAndTheOthersArePublished) {
  auto next = follow_success(
      parent_with(R"({"callbacks": [5, {}, {"task": "good"}, {"task": "t", "options": {"eta": "x"}},
      {"task": "celery.chain"}, {"task": "celery.chord", "kwargs": {"header": [{"task": "t"}]}},
      {"task": "celery.chain", "kwargs": {"tasks": [{"task": "t"}, 5]}}], "chain": "x"})"),
      Json(1), 0);
  ASSERT_EQ(next.messages.size(), 1u);
  EXPECT_EQ(next.messages[0].task, "good");
  EXPECT_EQ(next.faults.size(), 7u);
  EXPECT_EQ(follow_success(parent_with(R"({"callbacks": 5})"), Json(1), 0).faults.size(), 1u);
  EXPECT_TRUE(follow_success(parent_with("{}"), Json(1), 0).messages.empty());
}

TEST(Signatures, ExpansionIsBounded) {
  auto group = Json::object({{"task", "celery.group"}, {"options", Json::object()}});
  auto tasks = Json::array(std::vector<Json>(max_follow_ups + 1, Json::object({{"task", "t"}})));
  group.put("kwargs", Json::object({{"tasks", tasks}}));
  TaskMessage message;
  message.id = "me";
  message.embed.put("callbacks", Json::array({group, Json::object({{"task", "good"}})}));
  auto next = follow_success(message, Json(1), 0);
  EXPECT_EQ(next.messages.size(), 1u);
  EXPECT_EQ(next.faults.size(), 1u);

  // A body of a megabyte in each of ten thousand header tasks.
  auto header = Json::array(std::vector<Json>(9'000, Json::object({{"task", "t"}})));
  auto body = Json::object({{"task", "b"}, {"args", Json::array({Json(std::string(1 << 20, 'x'))})}});
  message.embed.put(
      "callbacks",
      Json::array({Json::object(
          {{"task", "celery.chord"}, {"kwargs", Json::object({{"header", header}, {"body", body}})}})}));
  next = follow_success(message, Json(1), 0);
  EXPECT_TRUE(next.messages.empty());
  EXPECT_TRUE(next.chord_sizes.empty());
  EXPECT_EQ(next.faults.size(), 1u);

  std::vector<Json> groups(
      1'000,
      Json::object({{"task", "celery.group"},
                    {"kwargs", Json::object({{"tasks", Json::array({Json::object({{"task", "t"}})})}})}}));
  message.embed.put(
      "callbacks", Json::array({Json::object({{"task", "celery.chain"},
                                              {"kwargs", Json::object({{"tasks", Json::array(groups)}})}})}));
  EXPECT_EQ(follow_success(message, Json(1), 0).faults.size(), 1u);
}

}  // namespace
}  // namespace segments::celery

// What strangers publish: nothing of it may end the node or make it deaf.
#include <random>

#include "celery_control/test_node.h"

namespace segments::celery {

namespace {

std::string mutated(std::string text, std::mt19937& random) {
  auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  static const std::vector<std::string> pieces = {
      "null",   "{}",      "[]",   "-1",           "1e999",
      "\"\"",   "true",    "\xff", "\\ud800",      "9223372036854775807",
      "[[[[[[", "\"SIG\"", "NaN",  "\"a\\u0000b\""};
  for (auto count = below(4); count < 4 && !text.empty(); ++count) {
    auto at = below(text.size());
    switch (below(5)) {
      case 0:
        text[at] = static_cast<char>(below(256));
        break;
      case 1:
        text.erase(at, below(12) + 1);
        break;
      case 2:
        text.insert(at, pieces[below(pieces.size())]);
        break;
      case 3: {  // another value of a member
        auto colon = text.find(':', at), end = text.find_first_of(",}", colon);
        if (end != text.npos) text.replace(colon + 1, end - colon - 1, pieces[below(pieces.size())]);
        break;
      }
      default:
        text.insert(at, text.substr(below(text.size()), below(40)));
    }
  }
  return text;
}

// The body is mutated too, not only the base64 around it.
std::string mutated_envelope(const std::string& raw, std::mt19937& random) {
  std::string why;
  auto envelope = read_envelope(raw, why);
  auto body = read_body(*envelope, why);
  auto text = print_json(*body);
  if (random() % 4 != 0) text = mutated(text, random);
  envelope->properties.remove("body_encoding");
  envelope->body = text;
  // Bodies that are not UTF-8 cannot stand in the envelope as they are.
  if (!read_json(print_json(Json(text)))) return mutated(raw, random);
  auto whole = print_envelope(*envelope);
  return random() % 4 == 0 ? mutated(whole, random) : whole;
}

std::vector<std::string> valid_messages() {
  std::vector<std::string> all;
  auto add = [&](const char* method, std::initializer_list<Json::Member> arguments) {
    ControlRequest request;
    request.method = method;
    request.arguments = Json::object(arguments);
    request.ticket = "t";
    request.reply_exchange = keys::reply_exchange;
    request.reply_routing_key = "hostile";
    request.clock = 5;
    all.push_back(encode_control_request(request));
  };
  for (const char* method : {"ping", "active", "reserved", "scheduled", "registered", "revoked", "stats",
                             "active_queues", "conf", "report", "clock", "heartbeat", "enable_events"})
    add(method, {});
  add("query_task", {{"ids", Json::texts({"a", "b"})}});
  add("hello", {{"from_node", "py@x"}, {"revoked", Json::object({{"id", Json::array({Json(1.5), "id"})}})}});
  add("revoke", {{"task_id", "a"}, {"terminate", true}, {"signal", "SIGTERM"}});
  add("revoke_by_stamped_headers", {{"headers", Json::object({{"a", Json::texts({"b"})}})}});
  add("rate_limit", {{"task_name", "tasks.fail"}, {"rate_limit", "10/m"}});
  add("time_limit", {{"task_name", "tasks.fail"}, {"soft", 1.5}, {"hard", 10}});
  add("add_consumer", {{"queue", "q"}, {"exchange", "x"}, {"routing_key", "r"}});
  add("cancel_consumer", {{"queue", "q"}});
  add("pool_grow", {{"n", 1}});
  add("pool_shrink", {{"n", 1}});
  add("election", {{"id", "a"}, {"topic", "b"}, {"action", nullptr}});
  ControlRequest patterned;
  patterned.method = "ping";
  patterned.pattern = "cel(ery)*@[a-z]+";
  patterned.matcher = "pcre";
  all.push_back(encode_control_request(patterned));
  return all;
}

std::vector<std::string> valid_events() {
  EventSource source{.node = "py@x", .pid = 1, .clock = 3, .at = 1'000};
  Event elect{"worker-elect", Json::object({{"type", "worker-elect"},
                                            {"hostname", "py@x"},
                                            {"clock", 3},
                                            {"id", "e"},
                                            {"topic", "t"},
                                            {"cver", "x"}})};
  return {encode_event(worker_event(WorkerEvent::online, source, {})),
          encode_event(worker_event(WorkerEvent::heartbeat, source, {})),
          encode_event(worker_elect_ack(source, "e")), encode_event(elect)};
}

}  // namespace

TEST_F(NodeTest, lives_through_ten_thousand_mutated_messages_and_events) {
  Metrics metrics;
  TestWorker worker(url(), {.metrics = &metrics});
  ASSERT_TRUE(comes_true([&] { return is_joined(); }));
  client.ask({"SADD", keys::binding(keys::reply_exchange),
              keys::binding_member("hostile", keys::reply_queue("hostile"))});
  std::mt19937 random(20261122);
  auto requests = valid_messages(), events = valid_events();
  for (int round = 0; round < 50; ++round) {
    std::vector<redis::Command> commands;
    for (int i = 0; i < 100; ++i) {
      const auto& request = requests[random() % requests.size()];
      commands.push_back({"PUBLISH", keys::control_channel(0), mutated_envelope(request, random)});
      const auto& event = events[random() % events.size()];
      commands.push_back({"PUBLISH", "/0.celeryev/worker.elect", mutated_envelope(event, random)});
    }
    client.ask_all(commands);
    ASSERT_TRUE(ask("ping")) << "round " << round;
  }
  EXPECT_GT(number({"LLEN", keys::reply_queue("hostile")}), 500);
  EXPECT_NE(metrics.print().find("segments_celery_control_undecodable_total"), std::string::npos);
  EXPECT_NE(metrics.print().find("segments_celery_control_overrun_total 0"), std::string::npos);
  ASSERT_TRUE(ask("add_consumer", Json::object({{"queue", "celery"}})));
  worker.queue.enqueue({.id = "good", .name = "tasks.add", .arguments = R"({"x":1,"y":2})"});
  EXPECT_TRUE(comes_true([&] {
    auto state = worker.queue.find_task("good");
    return state && state->status == TaskStatus::SUCCESS;
  }));
  auto clock = ask("clock");
  ASSERT_TRUE(clock);
  EXPECT_LT(clock->at("clock").integer().value_or(-1), std::int64_t{1} << 54);
  EXPECT_GT(clock->at("clock").integer().value_or(-1), 0);
}

}  // namespace segments::celery

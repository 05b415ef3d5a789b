// Debian's own Celery against our queue on one Redis: Python's clients to our worker, our tasks to Python's
// worker, and both workers on the same queue.
#include <set>

#include "celery/test_peer.h"

namespace segments::celery {

namespace {

constexpr const char* producer_py = R"py(
def show(name, ask):
    try: value = ask()
    except Exception as error: value = [type(error).__name__, [str(part) for part in error.args]]
    print(json.dumps([name, value]), flush=True)
def got(result): return result.get(timeout=60)
def got_children(result):
    got(result)
    return [leaf for child in result.children for leaf in (child.results if hasattr(child, 'results') else [child])]
now = lambda: datetime.datetime.now(datetime.timezone.utc)
show('send_task', lambda: got(app.send_task('tasks.add', (1, 2))))
show('delay', lambda: got(add.delay(1, y=2)))
show('text', lambda: got(app.send_task('tasks.add', (1,), {'y': 10**30})))
show('priority', lambda: got(add.apply_async((2, 3), priority=9)))
begun = time.time()
show('countdown', lambda: [got(add.apply_async((2, 4), countdown=0.4)), time.time() - begun >= 0.4])
begun = time.time()
show('eta', lambda: [got(add.apply_async((2, 5), eta=now() + datetime.timedelta(seconds=0.3))), time.time() - begun >= 0.3])
show('expired', lambda: got(add.apply_async((1, 1), expires=now() - datetime.timedelta(seconds=5))))
show('not_expired', lambda: got(add.apply_async((1, 1), expires=600)))
linked = add.apply_async((1, 2), link=add.s(10))
show('link', lambda: [got(linked), got(linked.children[0])])
chained = (add.s(1, 2) | add.s(3) | add.s(4))()
show('chain', lambda: [got(chained), got(chained.parent), got(chained.parent.parent)])
show('group', lambda: got(group(add.s(i, i) for i in range(5))()))
show('chord', lambda: got(chord([add.s(i, i) for i in range(10)])(total.s())))
show('chord_of_chain', lambda: got((group(add.s(1, 1) | add.s(5), add.s(2, 2)) | total.s() | add.s(100)).delay()))
show('chord_failure', lambda: got(app.AsyncResult(chord([add.s(1, 1), boom.s()])(total.s()).id)))
failed = boom.apply_async(link_error=note.s().set(task_id='errback'))
show('failure', lambda: got(failed))
show('link_error', lambda: got(app.AsyncResult('errback')) == failed.id)
show('chain_failure', lambda: got(app.AsyncResult((boom.s() | add.s(1)).delay().id)))
broken = chord([add.s(1, 1), (boom.s() | add.s(1))])(total.s().on_error(note.s().set(task_id='chord-errback')))
show('chord_of_broken_chain', lambda: got(app.AsyncResult(broken.id)))
show('chord_link_error', lambda: got(app.AsyncResult('chord-errback')) == broken.id)
show('nested_chord', lambda: got(chord([group(add.s(1, 1), add.s(2, 2)) | total.s(), add.s(3, 3)])(total.s())))
show('group_link', lambda: sorted(got(child) for child in got_children(add.apply_async((1, 1), link=group(add.s(1), add.s(2))))))
show('unknown', lambda: got(none.delay()))
show('arguments', lambda: got(app.send_task('tasks.add', (1, 2, 3))))
show('retry', lambda: got(flaky.delay()))
show('ignored', lambda: add.apply_async((1, 1), ignore_result=True).id != '')
show('protocol_1', lambda: (app.conf.update(task_protocol=1), got(Celery('old', broker=url, backend=url, changes={'task_protocol': 1}).send_task('tasks.add', (4, 5))))[1])
show('compressed', lambda: got(add.apply_async((20, 22), compression='zlib')))
)py";

}  // namespace

TEST_F(CeleryPythonTest, pythons_clients_get_what_they_ask_for) {
  std::map<std::string, std::string> answers;
  {
    OurWorker worker(url());
    PythonPeer producer(producer_py, {url()});
    while (auto line = producer.read_line()) {
      auto pair = read_json(*line);
      ASSERT_TRUE(pair) << *line;
      answers[pair->items().at(0).text()] = print_json(pair->items().at(1));
    }
    EXPECT_FALSE(answers.empty()) << producer.errors();
  }
  std::map<std::string, std::string> expected{
      {"send_task", "3"},
      {"delay", "3"},
      {"text", "1e+30"},
      {"priority", "5"},
      {"countdown", "[6,true]"},
      {"eta", "[7,true]"},
      {"expired", R"(["TaskRevokedError",["expired"]])"},
      {"not_expired", "2"},
      {"link", "[3,13]"},
      {"chain", "[10,6,3]"},
      {"group", "[0,2,4,6,8]"},
      {"chord", "90"},
      {"chord_of_chain", "111"},
      {"failure", R"(["RuntimeError",["boom"]])"},
      {"link_error", "true"},
      {"unknown", R"(["NotRegistered",["tasks.none"]])"},
      {"retry", R"("at last")"},
      {"ignored", "true"},
      {"protocol_1", "9"},
      {"compressed", "42"},
      {"chord_link_error", "true"},
      {"nested_chord", "12"},
      {"group_link", "[3,4]"},
  };
  for (const auto& [name, answer] : expected) EXPECT_EQ(answers[name], answer) << name;
  EXPECT_NE(answers["chord_failure"].find("ChordError"), std::string::npos) << answers["chord_failure"];
  EXPECT_NE(answers["chord_failure"].find("raised RuntimeError('boom')"), std::string::npos)
      << answers["chord_failure"];
  EXPECT_NE(answers["chord_of_broken_chain"].find("ChordError"), std::string::npos)
      << answers["chord_of_broken_chain"];
  EXPECT_NE(answers["chain_failure"].find("boom"), std::string::npos) << answers["chain_failure"];
  EXPECT_NE(answers["arguments"].find("takes from 1 to 2 positional arguments but 3 were given"),
            std::string::npos)
      << answers["arguments"];
  OwnQueue own(url());
  EXPECT_TRUE(wait_for([&] { return own.queue.lease_tasks("w", 1, 1'000).empty(); }));
  expect_nothing_held();
}

TEST_F(CeleryPythonTest, pythons_worker_and_ours_share_a_queue) {
  OwnQueue own(url(), known_options());
  PythonPeer worker("app.worker_main(['worker', '-P', 'solo', '-l', 'critical', '--without-heartbeat'])",
                    {url()});
  // Ours to Python's worker.
  own.queue.enqueue(
      {.id = "sum", .name = "tasks.add", .arguments = R"({"x": 40, "y": 2})", .user_id = "ada"});
  own.queue.enqueue({.id = "bad", .name = "tasks.boom", .priority = 9});
  own.queue.enqueue({.id = "later",
                     .name = "tasks.add",
                     .arguments = R"({"x": 1})",
                     .not_before = now_ms() + 1'000,
                     .priority = 4});
  auto status = [&](const char* id) { return own.queue.find_task(id)->status; };
  ASSERT_TRUE(wait_for([&] { return status("sum") == TaskStatus::SUCCESS; })) << worker.errors();
  EXPECT_EQ(own.queue.find_task("sum")->result->text, "42");
  EXPECT_EQ(own.queue.find_task("sum")->user_id, "ada");
  EXPECT_TRUE(own.queue.find_task("sum")->finished_at);
  EXPECT_TRUE(wait_for([&] { return status("bad") == TaskStatus::FAILURE; }));
  EXPECT_EQ(own.queue.find_task("bad")->error, "boom");
  EXPECT_TRUE(wait_for([&] { return status("later") == TaskStatus::SUCCESS; }));
  own.queue.sweep();
  for (const auto& entry : own.queue.health().counts)
    EXPECT_NE(entry.status, TaskStatus::PENDING) << entry.name;
  // A follow-up that Python's worker publishes is run like any other.
  client.ask({"DEL", "ran:python"});

  // Both at once: each task by one of them, once.
  constexpr int tasks = 400;
  std::vector<NewTask> many;
  for (int i = 0; i < tasks; ++i)
    many.push_back({.id = "t" + std::to_string(i), .name = "tasks.add", .arguments = R"({"x": 1})"});
  own.queue.enqueue_all(many);
  // Ours waits after each task until Python's has done one more: both get their share.
  std::int64_t seen = 0;
  while (true) {
    auto leased = own.queue.lease_tasks("ours", 1, 600'000);
    if (leased.empty()) break;
    client.ask({"RPUSH", "ran:ours", leased[0].id});
    EXPECT_TRUE(own.queue.finish(leased[0], "1"));
    wait_for([&] { return number({"LLEN", "ran:python"}) > seen || number({"LLEN", "celery"}) == 0; });
    seen = number({"LLEN", "ran:python"});
  }
  EXPECT_TRUE(wait_for([&] {
    return number({"LLEN", "ran:python"}) + number({"LLEN", "ran:ours"}) >= tasks;
  }));
  std::multiset<std::string> ran;
  for (const char* key : {"ran:python", "ran:ours"}) {
    EXPECT_GT(number({"LLEN", key}), 10) << key;
    for (const auto& item : client.ask({"LRANGE", key, "0", "-1"}).items) ran.insert(item.text);
  }
  EXPECT_EQ(ran.size(), std::size_t{tasks});
  EXPECT_EQ(std::set(ran.begin(), ran.end()).size(), std::size_t{tasks}) << "each exactly once";
  EXPECT_TRUE(wait_for([&] { return number({"HLEN", "unacked"}) == 0; }));
  for (const auto& id : ran)
    EXPECT_TRUE(wait_for([&] { return own.queue.find_task(id)->status == TaskStatus::SUCCESS; })) << id;
  expect_nothing_held();
}

}  // namespace segments::celery

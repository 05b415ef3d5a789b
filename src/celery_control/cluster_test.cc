// Python's workers in the same cluster, started before and after ours.
#include "celery_control/test_node.h"

namespace segments::celery {

namespace {
const char* const tasks_py = R"py(
from celery import Celery
app = Celery('tasks')
@app.task(name='tasks.add')
def add(x, y=0): return x + y
)py";
}  // namespace

class ClusterTest : public NodeTest {
 protected:
  ClusterTest() { std::ofstream(folder / "tasks.py") << tasks_py; }
  std::unique_ptr<Beside> start_python(const std::string& name) {
    return std::make_unique<Beside>(
        std::vector<std::string>{"/usr/bin/python3", "-m", "celery", "-A", "tasks", "-b", url(),
                                 "--result-backend", url(), "worker", "-P", "solo", "-n", name, "-Q",
                                 "celery", "-l", "info"},
        folder.path(), folder / name);
  }
  // A worker asks once, as it begins, and goes on after a second. One whose peers took longer begins again.
  std::unique_ptr<Beside> start_python_that_hears(const std::string& name, const std::string& revoked) {
    for (auto until = steady_ms() + 120'000; steady_ms() < until;) {
      auto python = start_python(name);
      EXPECT_TRUE(comes_true([&] { return python->log().find("ready.") != std::string::npos; }))
          << python->log();
      auto listed =
          run_python("print(app.control.inspect(['" + name + "'], timeout=60).revoked()['" + name + "'])");
      if (listed.find("'" + revoked + "'") != std::string::npos) return python;
      // It is away when it is said to be: its name is to be used again.
      python.reset();
      client.ask(
          {"SREM", "_kombu.binding.celery.pidbox", keys::binding_member("", keys::control_queue(name))});
    }
    ADD_FAILURE() << name << " was told nothing, as often as it began";
    return start_python(name);
  }
};

TEST_F(ClusterTest, python_s_workers_and_ours_tell_each_other_what_is_revoked_and_live_on) {
  auto before = start_python("before@py");
  ASSERT_TRUE(comes_true([&] { return before->log().find("ready.") != std::string::npos; })) << before->log();
  run_python(
      "assert app.control.broadcast('revoke', arguments={'task_id': ['early-1', 'early-2']}, "
      "destination=['before@py'], reply=True, timeout=60)");
  std::optional<TestWorker> worker;
  // Told by the peer before the first task is taken; where the peer took longer than we wait, the next time.
  ASSERT_TRUE(comes_true([&] {
    worker.reset();
    worker.emplace(url());
    worker->node->wait_for_peers();
    return worker->hooks.revoked.contains("early-1");
  })) << before->log();
  EXPECT_TRUE(worker->hooks.revoked.contains("early-2"));
  EXPECT_TRUE(client.ask({"ZSCORE", keys::revoked, "early-1"}).kind == redis::Reply::Kind::text);
  ASSERT_TRUE(ask("revoke", Json::object({{"task_id", "middle"}})));
  EXPECT_NE(before->log().find("sync with celery@native"), std::string::npos) << before->log();

  auto after = start_python_that_hears("after@py", "middle");
  EXPECT_NE(after->log().find("sync complete"), std::string::npos) << after->log();
  run_python(R"py(
import redis
client = redis.Redis.from_url(url)
heartbeats = client.pubsub()
heartbeats.psubscribe('/0.celeryev/worker.heartbeat')
nodes = [node, 'before@py', 'after@py']
revoked = app.control.inspect(['after@py'], timeout=60).revoked()['after@py']
assert set(revoked) >= {'early-1', 'early-2', 'middle'}, revoked
assert {next(iter(reply)) for reply in app.control.ping(limit=3, timeout=60)} == set(nodes)
results = [send('add', n, n, ignore_result=False) for n in range(60)]
assert [r.get(timeout=60) for r in results] == [2 * n for n in range(60)]
# An election among nodes of Python's counts every node that is alive, so that all must acknowledge it.
pubsub = client.pubsub()
pubsub.psubscribe('/0.celeryev/worker.elect.ack')
def elect(id, candidate):
    event = {'type': 'worker-elect', 'hostname': candidate, 'pid': 7, 'clock': 99, 'timestamp': time.time(), 'utcoffset': 0,
             'id': id, 'topic': 'task', 'action': None, 'cver': 1}
    client.publish('/0.celeryev/worker.elect', json.dumps({'body': base64.b64encode(json.dumps(event).encode()).decode(),
        'content-type': 'application/json', 'content-encoding': 'utf-8', 'headers': {'hostname': candidate}, 'properties': {
        'delivery_mode': 1, 'body_encoding': 'base64', 'delivery_tag': str(uuid.uuid4()),
        'delivery_info': {'exchange': 'celeryev', 'routing_key': 'worker.elect'}}}))
seen = []
def acknowledged(*wanted):
    message = pubsub.get_message(timeout=0.1)
    if message and message['type'] == 'pmessage':
        event = json.loads(base64.b64decode(json.loads(message['data'])['body']))
        seen.append((event['id'], event['hostname']))
    return set(wanted) <= set(seen)
elect('vote-1', 'one@py')
until(lambda: acknowledged(('vote-1', 'before@py'), ('vote-1', 'after@py')), 'acknowledged by Python')
assert ('vote-1', node) not in seen  # of one candidate alone kombu's count dies
elect('vote-1', 'two@py')
until(lambda: acknowledged(('vote-1', node)), 'acknowledged by us')
# Who is behind goes on from there: we from a client's message, Python's workers from our events.
app.control.mailbox.clock.adjust(10**6)
clock_of = lambda name: app.control.inspect([name], timeout=60).clock()[name]['clock']
assert clock_of(node) > 10**6, clock_of(node)
until(lambda: all(clock_of(name) > 10**6 for name in nodes), lambda: [clock_of(name) for name in nodes])
total = app.control.broadcast('stats', reply=True, limit=3, timeout=60)
assert len(total) == 3 and sum(sum(next(iter(t.values()))['total'].values()) for t in total) >= 60, total
# Some heartbeats of each reach the others, and these answer still.
beats = []
def have_beaten():
    message = heartbeats.get_message(timeout=0.1)
    if message and message['type'] == 'pmessage':
        beats.append(json.loads(base64.b64decode(json.loads(message['data'])['body']))['hostname'])
    return all(beats.count(name) >= 3 for name in nodes)
until(have_beaten, lambda: beats)
all_listen(*nodes)
)py");
  EXPECT_TRUE(before->is_alive()) << before->log();
  EXPECT_TRUE(after->is_alive()) << after->log();
  EXPECT_TRUE(ask("ping"));
  for (auto* peer : {before.get(), after.get()})
    for (const char* bad : {"Traceback", "ERROR", "CRITICAL"})
      EXPECT_EQ(peer->log().find(bad), std::string::npos) << peer->log();
}

}  // namespace segments::celery

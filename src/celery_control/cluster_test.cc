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
};

TEST_F(ClusterTest, python_s_workers_and_ours_tell_each_other_what_is_revoked_and_live_on) {
  auto before = start_python("before@py");
  ASSERT_TRUE(comes_true([&] { return before->log().find("ready.") != std::string::npos; })) << before->log();
  run_python(
      "assert app.control.broadcast('revoke', arguments={'task_id': ['early-1', 'early-2']}, "
      "destination=['before@py'], reply=True, timeout=10)");
  TestWorker worker(url());
  worker.node->wait_for_peers();
  // Told by the peer before the first task is taken.
  EXPECT_TRUE(worker.hooks.revoked.contains("early-1"));
  EXPECT_TRUE(worker.hooks.revoked.contains("early-2"));
  EXPECT_TRUE(client.ask({"ZSCORE", keys::revoked, "early-1"}).kind == redis::Reply::Kind::text);
  ASSERT_TRUE(ask("revoke", Json::object({{"task_id", "middle"}})));
  EXPECT_NE(before->log().find("sync with celery@native"), std::string::npos) << before->log();

  auto after = start_python("after@py");
  ASSERT_TRUE(comes_true([&] { return after->log().find("ready.") != std::string::npos; })) << after->log();
  EXPECT_NE(after->log().find("sync complete"), std::string::npos) << after->log();
  auto since = steady_ms();
  run_python(R"py(
revoked = app.control.inspect(['after@py'], timeout=10).revoked()['after@py']
assert set(revoked) >= {'early-1', 'early-2', 'middle'}, revoked
all = {node, 'before@py', 'after@py'}
assert {next(iter(reply)) for reply in app.control.ping(timeout=1.5)} == all
results = [send('add', n, n, ignore_result=False) for n in range(60)]
assert [r.get(timeout=20) for r in results] == [2 * n for n in range(60)]
# An election among nodes of Python's counts every node that is alive, so that all must acknowledge it.
import redis
client = redis.Redis.from_url(url)
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
total = app.control.broadcast('stats', reply=True, timeout=1.5)
assert sum(sum(next(iter(t.values()))['total'].values()) for t in total) >= 60, total
)py");
  // Some heartbeats of each reach the others.
  EXPECT_TRUE(comes_true([&] { return steady_ms() - since > 10'000; }));
  EXPECT_TRUE(before->is_alive()) << before->log();
  EXPECT_TRUE(after->is_alive()) << after->log();
  EXPECT_TRUE(ask("ping"));
  for (auto* peer : {before.get(), after.get()})
    for (const char* bad : {"Traceback", "ERROR", "CRITICAL"})
      EXPECT_EQ(peer->log().find(bad), std::string::npos) << peer->log();
}

}  // namespace segments::celery

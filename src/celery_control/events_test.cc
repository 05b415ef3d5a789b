// Every event, received by Debian's Celery and compared with what its own worker sends.
#include "celery_control/test_node.h"

namespace segments::celery {

namespace {

const char* const python_tasks = R"py(
import os, time
from celery import Celery
app = Celery('tasks')
@app.task(name='tasks.add')
def add(x, y=0): return x + y
@app.task(name='tasks.fail')
def fail(): raise RuntimeError('boom')
@app.task(name='tasks.flaky', bind=True)
def flaky(self):
    if self.request.retries == 0: raise self.retry(exc=RuntimeError('Nobody answered.'), countdown=0)
)py";

// `events`: those of all nodes as they went over the wire. `state`: what a monitor makes of them.
const char* const receiver = R"py(
import redis
from celery.events.state import State
state, events, multi = State(), [], []
pubsub = redis.Redis.from_url(url).pubsub()
pubsub.psubscribe('/0.celeryev/*')
def listen():
    for message in pubsub.listen():
        if message['type'] != 'pmessage': continue
        envelope = json.loads(message['data'])
        assert set(envelope) == {'body', 'content-type', 'content-encoding', 'headers', 'properties'}
        assert envelope['properties']['delivery_tag'] and envelope['properties']['delivery_info']['exchange'] == 'celeryev'
        channel = message['channel'].decode()
        assert channel == '/0.celeryev/' + envelope['properties']['delivery_info']['routing_key']
        body = json.loads(base64.b64decode(envelope['body']))
        if channel.endswith('task.multi'): multi.append((envelope['headers']['hostname'], len(body)))
        for event in body if isinstance(body, list) else [body]:
            if isinstance(body, dict): assert channel.endswith('/' + event['type'].replace('-', '.')), channel
            events.append(event)
def capture():
    with app.connection_for_read() as connection:
        app.events.Receiver(connection, handlers={'*': state.event}).capture(limit=None, timeout=None)
for target in (listen, capture): threading.Thread(target=target, daemon=True).start()
def types(id, host=node): return [e['type'] for e in events if e.get('uuid') == id and e['hostname'] == host]
def is_seen(id, *expected, host=node):
    until(lambda: set(expected) <= set(types(id, host)), lambda: f'{id}: {expected}, seen: {types(id, host)}')
)py";

}  // namespace

TEST_F(NodeTest, every_event_is_as_celery_s_own_and_its_monitor_understands_them) {
  std::ofstream(folder / "tasks.py") << python_tasks;
  Beside python({"/usr/bin/python3", "-m", "celery", "-A", "tasks", "-b", url(), "--result-backend", url(),
                 "worker", "-P", "solo", "-n", "py@here", "-Q", "py", "-E"},
                folder.path(), folder / "py.log");
  TestWorker worker(url());
  worker.node->wait_for_peers();
  ASSERT_TRUE(comes_true([&] { return is_joined(); }));
  run_python(std::string(receiver) + R"py(
until(lambda: node in state.workers and 'py@here' in state.workers, 'heartbeats of both')
assert not any(e['type'].startswith('task-') for e in events)
all_listen(node, 'py@here')
# As Flower does it, every 5 s.
assert app.control.enable_events(destination=[node], reply=True, timeout=60) == [{node: {'ok': 'task events enabled'}}]
ids, py = {}, {}
def both(kind, name, *args, **options):
    for store, queue in ((ids, 'celery'), (py, 'py')):
        store[kind] = kind + '-' + queue
        send(name, *args, task_id=store[kind], queue=queue, **options)
ask_all('revoke', node, 'py@here', task_id=['revoked-celery', 'revoked-py'])
both('success', 'add', 1, y_is := 2)
both('failure', 'fail')
both('retried', 'flaky')
both('revoked', 'add', 1, 2)
both('expired', 'add', 1, 2, expires=-10)
both('later', 'add', 1, 2, countdown=600)
both('unknown', 'none')
both('wrong', 'add', 1, 2, 3)
gate = folder + '/never'
send('wait', gate, task_id='killed')
is_seen('killed', 'task-started')
assert control('terminate', task_id='killed', signal='SIGTERM') == {'ok': 'terminate: killed'}
for host, store in ((node, ids), ('py@here', py)):
    is_seen(store['success'], 'task-received', 'task-started', 'task-succeeded', host=host)
    is_seen(store['failure'], 'task-received', 'task-started', 'task-failed', host=host)
    is_seen(store['retried'], 'task-received', 'task-started', 'task-retried', 'task-succeeded', host=host)
    is_seen(store['revoked'], 'task-revoked', host=host)
    is_seen(store['expired'], 'task-revoked', host=host)
    is_seen(store['later'], 'task-received', host=host)
    is_seen(store['unknown'], 'task-failed', host=host)
    is_seen(store['wrong'], 'task-failed', host=host)
is_seen('killed', 'task-received', 'task-revoked')
# Each node's events come in the order in which it sent them: whatever came late comes before these.
both('last', 'add', 1)
is_seen(ids['last'], 'task-succeeded')
is_seen(py['last'], 'task-succeeded', host='py@here')
assert types(ids['retried']).count('task-retried') == 1 and types(ids['retried'])[-1] == 'task-succeeded'
assert types(ids['success']) == ['task-received', 'task-started', 'task-succeeded']
assert types(ids['revoked']) == types(py['revoked'], 'py@here') == ['task-revoked'], types(ids['revoked'])
assert types('killed') == ['task-received', 'task-started', 'task-revoked'], types('killed')

# Field by field as Python's worker sends them.
def shape(event): return {k: 'none' if v is None else type(v).__name__ for k, v in event.items()}
def find(id, type): return [e for e in events if e.get('uuid') == id and e['type'] == type][0]
for kind, wanted in (('success', 'task-received'), ('success', 'task-started'), ('success', 'task-succeeded'), ('failure', 'task-failed'),
                   ('retried', 'task-retried'), ('revoked', 'task-revoked'), ('expired', 'task-revoked'), ('later', 'task-received'),
                   ('unknown', 'task-failed')):
    ours, theirs = find(ids[kind], wanted), find(py[kind], wanted)
    assert shape(ours) == shape(theirs), (kind, wanted, ours, theirs)
ours = find(ids['success'], 'task-received'); theirs = find(py['success'], 'task-received')
for field in ('name', 'args', 'kwargs', 'retries', 'eta', 'expires', 'parent_id', 'utcoffset'):
    assert ours[field] == theirs[field], (field, ours, theirs)
assert find(ids['success'], 'task-succeeded')['result'] == '3' and ours['root_id'] == ids['success']
assert find(ids['failure'], 'task-failed')['exception'] == "RuntimeError('boom')"
assert find(ids['unknown'], 'task-failed')['exception'] == find(py['unknown'], 'task-failed')['exception']
assert 'TypeError' in find(ids['wrong'], 'task-failed')['exception']
for id, terminated, signum, expired in ((ids['revoked'], False, None, False), (ids['expired'], False, None, True), ('killed', True, 15, False)):
    event = find(id, 'task-revoked')
    assert (event['terminated'], event['signum'], event['expired']) == (terminated, signum, expired), event
until(lambda: any(e['type'] == 'worker-heartbeat' and e['hostname'] == 'py@here' for e in events), 'heartbeat of theirs')
until(lambda: any(e['type'] == 'worker-heartbeat' and e['hostname'] == node for e in events), 'heartbeat of ours')
beats = {h: [e for e in events if e['type'] == 'worker-heartbeat' and e['hostname'] == h][-1] for h in (node, 'py@here')}
assert shape(beats[node]) == shape(beats['py@here']), beats
assert beats[node]['freq'] == 2.0 and len(beats[node]['loadavg']) == 3
# Lamport: growing within the node, and not behind its peers'.
clocks = [e['clock'] for e in events if e['hostname'] == node]
assert clocks == sorted(set(clocks)), clocks
assert any(host == node for host, count in multi) and all(count <= 24 for host, count in multi)

# What a monitor shows, which hears of it on a connection of its own.
worker = state.workers[node]
until(lambda: worker.alive and worker.heartbeat_expires > time.time(), 'alive to the monitor')
assert worker.sw_ident == 'segments'
ids['killed'] = 'killed'
states = lambda: {kind: state.tasks[id].state for kind, id in ids.items() if id in state.tasks}
until(lambda: states() == {'success': 'SUCCESS', 'failure': 'FAILURE', 'retried': 'SUCCESS', 'revoked': 'REVOKED', 'expired': 'REVOKED',
    'later': 'RECEIVED', 'unknown': 'FAILURE', 'wrong': 'FAILURE', 'last': 'SUCCESS', 'killed': 'REVOKED'}, lambda: states())
assert state.tasks[ids['success']].worker.hostname == node
assert state.tasks[ids['success']].result == '3' and state.tasks[ids['failure']].exception == "RuntimeError('boom')"

# What a stop cuts off goes back, and the node takes its leave.
send('wait', gate, task_id='cut')
is_seen('cut', 'task-started')
until(lambda: 'cut' in state.tasks and state.tasks['cut'].state == 'STARTED', 'started to the monitor')
app.control.shutdown(destination=[node])
is_seen('cut', 'task-rejected')
assert find('cut', 'task-rejected')['requeue'] is True
)py");
  EXPECT_TRUE(comes_true([&] { return worker.ended.load(); }));
  EXPECT_TRUE(python.is_alive()) << python.log();
  EXPECT_EQ(worker.hooks.buffer.dropped(), 0u);
}

TEST_F(NodeTest, says_that_it_comes_beats_and_goes) {
  TestFolder other;
  Beside dump({"/usr/bin/python3", "-u", "-m", "celery", "-b", url(), "events", "--dump"}, other.path(),
              other / "dump");
  ASSERT_TRUE(comes_true([&] { return number({"PUBSUB", "NUMPAT"}) == 1; })) << dump.log();
  {
    TestWorker worker(url(), {.task_events = true, .heartbeat_ms = 50});
    worker.queue.enqueue({.id = "one", .name = "tasks.add", .arguments = R"({"x":1})"});
    EXPECT_TRUE(comes_true([&] { return dump.log().find("task succeeded") != std::string::npos; }));
    EXPECT_TRUE(comes_true([&] { return dump.log().find("heartbeat") != std::string::npos; }));
  }
  EXPECT_TRUE(comes_true([&] {
    return dump.log().find("worker offline") != std::string::npos ||
           dump.log().find("shutdown") != std::string::npos;
  })) << dump.log();
  auto log = dump.log();
  EXPECT_NE(log.find("celery@native"), log.npos) << log;
  EXPECT_NE(log.find("started"), log.npos) << log;
}

}  // namespace segments::celery

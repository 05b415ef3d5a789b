// What is asked beside the commands: whom a pattern means, clients that leave, limits that end a run, and the
// rest of what is compared with Python's own worker.
#include "celery_control/test_node.h"

namespace segments::celery {

TEST_F(NodeTest, patterns_mean_it_clients_that_leave_get_nothing_and_limits_end_runs) {
  TestWorker worker(url());
  ASSERT_TRUE(comes_true([&] { return is_joined(); }));
  run_python(R"py(
import redis, billiard.exceptions
r = redis.Redis.from_url(url)
gate = folder + '/never'
hard, soft = send('wait', gate, time_limit=1), send('wait', gate, soft_time_limit=1, time_limit=60)
# Who is meant answers at once. Where nobody is, the client waits for a second: if it did not it would miss its next answer.
for pattern, matcher, meant in (('celery@[!m]at*', 'glob', True), ('celery', 'glob', False), ('celery', 'pcre', True),
                                ('cel.+@(native|x)$', 'pcre', True), ('native', 'pcre', False)):
    answers = app.control.ping(pattern=pattern, matcher=matcher, **(dict(limit=1, timeout=60) if meant else dict(timeout=1.1)))
    assert answers == ([{node: {'ok': 'pong'}}] if meant else []), (pattern, matcher, answers)
assert app.control.inspect(pattern='celery@n*', matcher='glob', limit=1, timeout=60).clock().keys() == {node}

# Some that ask and leave at once.
for n in range(5): app.control.ping(timeout=0.0001)
time.sleep(1.1)
assert asked(inspect.ping()) == {'ok': 'pong'}
left = [key for key in r.keys('*.reply.celery.pidbox') if r.type(key) == b'list']
assert left == [], left

for task, type, arguments in ((hard, billiard.exceptions.TimeLimitExceeded, (1,)), (soft, billiard.exceptions.SoftTimeLimitExceeded, ())):
    try: task.get(timeout=60); assert False
    except Exception as error: assert error.__class__ is type and error.args == arguments, repr(error)
    assert task.state == 'FAILURE'
shown = send('wait', gate, shadow='another name')
until(lambda: asked(inspect.active()), 'runs')
[info] = asked(inspect.active())
assert info['name'] == 'another name' and info['type'] == 'tasks.wait', info
control('terminate', task_id=shown.id, signal='SIGKILL')
)py");
}

TEST_F(NodeTest, comes_goes_rejects_and_is_described_as_python_s_worker_is) {
  std::ofstream(folder / "tasks.py") << R"py(
from celery import Celery
from celery.exceptions import Reject
app = Celery('tasks')
@app.task(name='tasks.reject', acks_late=True, bind=True)
def reject(self):
    if not self.request.delivery_info.get('redelivered'): raise Reject('later', requeue=True)
)py";
  std::optional<TestWorker> worker;
  std::atomic<bool> is_over = false;
  std::thread starter([&] {
    EXPECT_TRUE(comes_true([&] { return number({"EXISTS", "listening"}) == 1; }));
    worker.emplace(url());
    while (!worker->ended && !is_over) usleep(5'000);
    worker->node.reset();  // the last that a program ends
  });
  run_python(R"py(
import redis, subprocess
from celery.events.state import State
r = redis.Redis.from_url(url)
events, state = [], State()
pubsub = r.pubsub()
pubsub.psubscribe('/0.celeryev/*')
def listen():
    for message in pubsub.listen():
        if message['type'] == 'psubscribe': r.set('listening', 1)
        if message['type'] != 'pmessage': continue
        body = json.loads(base64.b64decode(json.loads(message['data'])['body']))
        for event in body if isinstance(body, list) else [body]:
            events.append(event)
            state.event({**event, 'local_received': time.time()})
threading.Thread(target=listen, daemon=True).start()
until(lambda: r.exists('listening'), 'listening')
python = subprocess.Popen([sys.executable, '-m', 'celery', '-A', 'tasks', '-b', url, '--result-backend', url, 'worker', '-P', 'prefork', '-c', '1',
    '-n', 'py@here', '-Q', 'py', '-E', '-l', 'critical'])
def find(host, type): return [e for e in events if e['hostname'] == host and e['type'] == type]
def shape(value):
    if isinstance(value, dict): return {k: shape(v) for k, v in value.items()}
    return type(value).__name__
def is_same(type):
    until(lambda: find(node, type) and find('py@here', type), type)
    ours, theirs = find(node, type)[-1], find('py@here', type)[-1]
    assert shape(ours) == shape(theirs), (ours, theirs)
try:
    is_same('worker-online')
    all_listen('py@here', node)
    assert control('enable_events') == {'ok': 'task events enabled'}

    both = app.control.inspect(['py@here', node], timeout=60).stats()
    ours, theirs = both[node], both['py@here']
    assert set(ours) == set(theirs), set(ours) ^ set(theirs)
    for part in ('broker', 'rusage'): assert shape(ours[part]).keys() == shape(theirs[part]).keys(), (part, ours[part], theirs[part])
    assert shape(ours['broker']) == shape(theirs['broker']), (ours['broker'], theirs['broker'])
    assert set(ours['pool']) <= set(theirs['pool']) and {'max-concurrency', 'processes', 'timeouts'} <= set(ours['pool']), ours['pool']
    for field in ('clock', 'pid', 'uptime', 'prefetch_count', 'total'): assert shape(ours[field]) == shape(theirs[field]) or field == 'total', field

    send('reject', queue='py')
    gate = folder + '/never'
    cut = send('wait', gate)
    until(lambda: find(node, 'task-started'), 'runs')
    until(lambda: find('py@here', 'task-rejected'), 'rejected by Python')
    app.control.shutdown(destination=[node, 'py@here'])
    is_same('task-rejected')
    assert find(node, 'task-rejected')[0]['uuid'] == cut.id
    is_same('worker-offline')
finally:
    python.terminate()
    python.wait(60)
)py");
  is_over = true;
  starter.join();
  EXPECT_TRUE(comes_true([&] { return worker->ended.load(); }));
}

}  // namespace segments::celery

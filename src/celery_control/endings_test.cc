// Tasks that come to no good end, here and in Celery's own worker, as Celery's client sees them.
#include "celery_control/test_node.h"

namespace segments::celery {

namespace {

const char* const ending_tasks_py = R"py(
import os, time
from celery import Celery
app = Celery('tasks')
@app.task(name='tasks.add')
def add(x, y=0): return x + y
@app.task(name='tasks.total')
def total(items): return sum(items)
@app.task(name='tasks.tired', bind=True, max_retries=3)
def tired(self): raise self.retry(exc=RuntimeError('Nobody answered.'), countdown=0)
@app.task(name='tasks.wait')
def wait(path):
    while not os.path.exists(path): time.sleep(0.01)
)py";

// `stored`: the states of each task's result, `told`: the events of it, as they came.
const char* const listener_py = R"py(
import redis
from celery import chord
r = redis.Redis.from_url(url)
stored, told, pubsub = {}, {}, r.pubsub()
pubsub.psubscribe('celery-task-meta-*', '/0.celeryev/*')
def listen():
    for message in pubsub.listen():
        if message['type'] != 'pmessage': continue
        value = json.loads(message['data'])
        if message['channel'].startswith(b'celery-task-meta-'):
            stored.setdefault(value['task_id'], []).append(value['status'])
            continue
        body = json.loads(base64.b64decode(value['body']))
        for event in body if isinstance(body, list) else [body]:
            if 'uuid' in event: told.setdefault(event['uuid'], []).append(event['type'])
threading.Thread(target=listen, daemon=True).start()
def raised(id, seconds=60):
    try: return app.AsyncResult(id).get(timeout=seconds)
    except Exception as error: return [type(error).__module__, type(error).__name__, *error.args]
def meta(id): return json.loads(r.get('celery-task-meta-' + id))
)py";

}  // namespace

class EndingsTest : public NodeTest {
 protected:
  void start(const std::string& processes_of_python) {
    std::ofstream(folder / "tasks.py") << ending_tasks_py;
    python.emplace(std::vector<std::string>{"/usr/bin/python3", "-m", "celery", "-A", "tasks", "-b", url(),
                                            "--result-backend", url(), "worker", "-P", "prefork", "-c",
                                            processes_of_python, "-n", "py@here", "-Q", "py", "-E"},
                   folder.path(), folder / "py.log");
    worker.emplace(url(), NodeOptions{.task_events = true});
  }
  std::optional<Beside> python;
  std::optional<TestWorker> worker;
};

TEST_F(EndingsTest, when_its_retries_are_used_up_a_task_has_failed_with_the_last_error) {
  // With two of them Python's worker may store RETRY over the failure that came after it.
  start("1");
  run_python(std::string(listener_py) + R"py(
all_listen(node, 'py@here')
for queue in ('celery', 'py'): send('tired', queue=queue, task_id='tired-' + queue)
ours, theirs = ('tired-' + queue for queue in ('celery', 'py'))
for id in (ours, theirs):
    assert raised(id) == ['builtins', 'RuntimeError', 'Nobody answered.'], (id, raised(id))
    until(lambda: 'task-failed' in told.get(id, []), lambda: (id, told.get(id)))
    until(lambda: 'FAILURE' in stored.get(id, []), lambda: (id, stored.get(id)))
    assert stored[id] == 3 * ['RETRY'] + ['FAILURE'], (id, stored[id])
    # What comes next may be told of before what a process of Python's has ended.
    in_order = sorted if id == theirs else list
    each = 3 * ['task-received', 'task-started', 'task-retried'] + ['task-received', 'task-started', 'task-failed']
    until(lambda: in_order(told[id]) == in_order(each), lambda: (id, told[id]))
one, other = meta(ours), meta(theirs)
assert one['result'] == other['result'] and one['result']['exc_module'] == 'builtins', (one, other)
assert one.keys() == other.keys() and isinstance(one['traceback'], str) and one['traceback'], (one, other)
)py");
}

TEST_F(EndingsTest, a_chord_with_a_part_that_is_revoked_has_failed) {
  start("2");
  run_python(std::string(listener_py) + R"py(
hosts = {'celery': node, 'py': 'py@here'}
all_listen(*hosts.values())
def part(name, *args, **options): return app.signature('tasks.' + name, args=args, **options)
groups = {queue: [] for queue in hosts}
def begin(queue, *parts):
    body = chord([p.set(queue=queue) for p in parts])(part('total').set(queue=queue))
    groups[queue].append(body.parent.id)
    return body.id
def is_broken(body, id, why):
    assert raised(body) == ['celery.exceptions', 'ChordError', f"Dependency {id} raised TaskRevokedError('{why}')"], raised(body)
    assert raised(id) == ['celery.exceptions', 'TaskRevokedError', why], raised(id)
    assert [app.AsyncResult(i).state for i in (id, body)] == ['REVOKED', 'FAILURE']
ask_all('revoke', *hosts.values(), task_id=['early-celery', 'early-py'])
for queue, host in hosts.items():
    assert raised(begin(queue, part('add', 1, 1), part('add', 2, 2))) == 6
    # Revoked before it comes.
    early = 'early-' + queue
    is_broken(begin(queue, part('add', 1, 1), part('add', 2, 2, task_id=early)), early, 'revoked')
    # And while it runs.
    running = 'running-' + queue
    body = begin(queue, part('wait', folder + '/never', task_id=running), part('add', 2, 2))
    until(lambda: running in [info['id'] for info in app.control.inspect([host], timeout=60).active()[host]], running)
    assert app.control.revoke(running, terminate=True, destination=[host], reply=True, timeout=60)
    is_broken(body, running, 'terminated')
    until(lambda: 'task-revoked' in told.get(running, []), lambda: told.get(running))
# And while it waits for its time.
for seconds in (2, 10, 30):
    later = f'later-{seconds}'
    body = begin('celery', part('add', 1, 1), part('add', 2, 2, task_id=later, countdown=seconds))
    until(lambda: asked(inspect.scheduled()) or app.AsyncResult(later).ready(), 'scheduled')
    if control('revoke', task_id=later, terminate=True) == {'ok': 'terminate: ' + later}: break
is_broken(body, later, 'revoked')
until(lambda: told.get(later) == ['task-received', 'task-revoked'], lambda: told.get(later))
# Python's worker leaves them behind where a chord has failed.
left = [(id, x) for id in groups['celery'] for x in 'jts' if r.exists(f'celery-taskset-meta-{id}.{x}')]
assert left == [], left
)py");
}

TEST_F(NodeTest, a_task_that_its_slot_dies_of_each_time_has_failed) {
  TestWorker worker(url(), {.task_events = true});
  ASSERT_TRUE(comes_true([&] { return is_joined(); }));
  run_python(std::string(listener_py) + R"py(
runs = folder + '/runs'
id = send('kill_slot', runs).id
assert raised(id) == ['billiard.exceptions', 'WorkerLostError', 'The worker process running it died.'], raised(id)
until(lambda: 'FAILURE' in stored.get(id, []) and 'task-failed' in told.get(id, []), lambda: (stored, told))
assert stored[id] == 3 * ['RETRY'] + ['FAILURE'], stored[id]
assert told[id] == 3 * ['task-received', 'task-started', 'task-retried'] + ['task-received', 'task-started', 'task-failed'], told[id]
assert open(runs).read() == '0\n1\n2\n3\n', open(runs).read()
assert send('add', 1, 2).get(timeout=60) == 3
)py");
}

// Each worker is another process, which begins ten seconds after the one before by its own clock: by then
// those have lost what they held.
TEST_F(NodeTest, a_task_that_five_workers_died_of_has_failed) {
  std::atomic<bool> is_over = false;
  std::thread client([&] {
    run_python(std::string(listener_py) + R"py(
runs = folder + '/runs'
id = send('kill_worker', runs).id
assert raised(id, 200) == ['billiard.exceptions', 'WorkerLostError', 'The worker died 5 times while running it.'], raised(id)
assert open(runs).read() == 5 * '0\n', open(runs).read()
until(lambda: stored.get(id), 'stored')
assert stored[id] == ['FAILURE'], stored[id]
assert send('add', 1, 2).get(timeout=60) == 3
)py");
    is_over = true;
  });
  std::optional<Beside> worker;
  int begun = 0;
  while (!is_over) {
    if (!worker || !worker->is_alive()) {
      worker.reset();
      worker.emplace(std::vector<std::string>{"/proc/self/exe", "worker", url(),
                                              std::to_string(10'000 * begun), folder / "work"},
                     folder.path(), folder / ("worker" + std::to_string(begun)));
      ++begun;
    }
    usleep(5'000);
  }
  client.join();
  EXPECT_EQ(begun, 6) << "the last one lives";
}

}  // namespace segments::celery

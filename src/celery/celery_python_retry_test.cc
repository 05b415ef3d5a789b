// A retry is published before anybody can know that it is stored: who takes the next attempt at once, a
// Python worker, must not find its states written over by ours.
#include <set>

#include "celery/test_peer.h"

namespace segments::celery {

namespace {

// Notes each run, and takes nothing before it is told to.
constexpr const char* worker_py = R"py(
app.conf.task_track_started = True
app.tasks.unregister('tasks.flaky')
@app.task(name='tasks.flaky', bind=True)
def flaky(self):
    app.backend.client.rpush('ran:python', f'{self.request.id} {self.request.retries}')
    return 'at last'
app.worker_main(['worker', '-P', 'solo', '-l', 'critical', '-Q', 'idle', '-n', 'py@here', '--without-heartbeat', '--without-mingle', '--without-gossip'])
)py";

}  // namespace

TEST_F(CeleryPythonTest, a_retry_is_never_written_over_what_came_after_it) {
  constexpr int tasks = 100;
  PythonPeer python(worker_py, {url()});
  auto client_script = start_checks(R"py(
pubsub, heard = r.pubsub(), {}
pubsub.psubscribe('celery-task-meta-*')
def listen():
    for message in pubsub.listen():
        if message['type'] != 'pmessage': continue
        value = json.loads(message['data'])
        heard.setdefault(value['task_id'], []).append(value['status'])
threading.Thread(target=listen, daemon=True).start()
for n in range(100): flaky.apply_async(task_id=f'tried-{n}')
for n in range(10): flaky.apply_async(task_id=f'ended-{n}')
r.set('sent', 1)
check('we hold all of them', lambda: until(lambda: r.exists('held')))
# What others have ended meanwhile: their result is the newer state.
for n in range(10): app.backend.store_result(f'ended-{n}', 'first', 'SUCCESS')
consume = lambda: app.control.broadcast('add_consumer', arguments={'queue': 'celery'}, destination=['py@here'], reply=True, timeout=5)
check('a Python worker takes what comes from now on', lambda: until(consume))
r.set('taken', 1)
results = [app.AsyncResult(f'tried-{n}') for n in range(100)]
check('each ends', lambda: is_equal([got(result) for result in results], ['at last'] * 100))
check('its states come in their order', lambda: until(lambda: all(heard.get(result.id, [])[-1:] == ['SUCCESS'] for result in results)) and
    is_equal({tuple(heard[result.id]) for result in results}, {('RETRY', 'STARTED', 'SUCCESS')}))
check('all are tried', lambda: until(lambda: r.exists('tried')))
ended = [app.AsyncResult(f'ended-{n}') for n in range(10)]
check('what had ended stays', lambda: is_equal({(result.state, got(result), *heard[result.id]) for result in ended}, {('SUCCESS', 'first', 'SUCCESS')}))
check('each was tried again once', lambda: is_equal(sorted(r.lrange('ran:python', 0, -1)), sorted(f'tried-{n} 1'.encode() for n in range(100))))
check('nothing waits', lambda: until(lambda: not r.exists('celery', 'unacked')))
)py");
  OwnQueue own(url(), known_options());
  ASSERT_TRUE(wait_for([&] { return number({"EXISTS", "sent"}) == 1; })) << client_script->errors();
  std::vector<LeasedTask> held;
  ASSERT_TRUE(wait_for([&] {
    for (auto& task : own.queue.lease_tasks("w", 200, 600'000)) held.push_back(std::move(task));
    return held.size() == tasks + 10;
  })) << held.size();
  client.ask({"SET", "held", "1"});
  EXPECT_TRUE(wait_for([&] { return number({"EXISTS", "taken"}) == 1; })) << python.errors();
  // Singly and many at once, as the worker tells of them.
  for (std::size_t i = 0; i < held.size();) {
    std::vector<LeaseEnd> ends;
    for (auto end = std::min(held.size(), i + i % 3 * 4 + 1); i < end; ++i)
      ends.push_back({held[i], LeaseEnding::retry, "Later.", now_ms()});
    for (bool taken : own.queue.end_leases(ends)) EXPECT_TRUE(taken);
  }
  client.ask({"SET", "tried", "1"});
  expect_checks(*client_script);
}

// kombu gives back what was held for longer than its visibility timeout, though its holder lives; the
// holder's retry comes when another has ended the task.
TEST_F(CeleryPythonTest, a_retry_of_what_a_python_worker_took_over_changes_nothing) {
  auto client_script = start_checks(R"py(
for n in range(5): flaky.apply_async(task_id=f'late-{n}')
r.set('sent', 1)
results = [app.AsyncResult(f'late-{n}') for n in range(5)]
check('Python ends them', lambda: is_equal([got(result) for result in results], ['at last'] * 5))
r.set('over', 1)
check('we are late', lambda: until(lambda: r.exists('late')))
check('its results stay', lambda: is_equal([(result.state, result.result) for result in results], [('SUCCESS', 'at last')] * 5))
check('it ran them once', lambda: is_equal(sorted(r.lrange('ran:python', 0, -1)), sorted(f'late-{n} 0'.encode() for n in range(5))))
check('nothing waits', lambda: is_equal([r.llen('celery'), until(lambda: not r.exists('unacked', 'unacked_index'))], [0, True]))
)py");
  OwnQueue own(url(), known_options());
  ASSERT_TRUE(wait_for([&] { return number({"EXISTS", "sent"}) == 1; })) << client_script->errors();
  auto held = own.queue.lease_tasks("w", 5, 600'000);
  ASSERT_EQ(held.size(), 5u);
  // Its sweep comes as it begins: by then they are old to it.
  auto index_is_old = [&] {
    auto newest = client.ask({"ZRANGE", "unacked_index", "-1", "-1", "WITHSCORES"}).items;
    return static_cast<double>(now_ms()) / 1000 > std::stod(newest.at(1).text) + 1.5;
  };
  ASSERT_TRUE(wait_for(index_is_old));
  PythonPeer python(std::string("app.conf.broker_transport_options = {'visibility_timeout': 1}\n") +
                        [] {
                          std::string script = worker_py;
                          return script.replace(script.find("'idle'"), 6, "'celery'");
                        }(),
                    {url()});
  EXPECT_TRUE(wait_for([&] { return number({"EXISTS", "over"}) == 1; })) << python.errors();
  for (const auto& task : held) EXPECT_FALSE(own.queue.retry(task, "Later.", now_ms())) << task.id;
  client.ask({"SET", "late", "1"});
  expect_checks(*client_script);
}

}  // namespace segments::celery

// Every command that changes something, sent by Debian's Celery.
#include "celery_control/test_node.h"

namespace segments::celery {

TEST_F(NodeTest, celery_s_client_controls_the_worker) {
  TestWorker worker(url());
  worker.node->wait_for_peers();
  ASSERT_TRUE(comes_true([&] { return is_joined(); }));
  run_python(R"py(
# Revoked before it comes, by a cast and by a call; what was queued runs no more.
assert app.control.revoke('cast-1') is None
assert control('revoke', task_id=['a1', 'a2']) == {'ok': 'tasks a1, a2 flagged as revoked'}
assert control('revoke', task_id=None) == {'ok': 'tasks  flagged as revoked'}
assert control('revoke')['error'].startswith('TypeError(')
until(lambda: set(asked(inspect.revoked())) == {'cast-1', 'a1', 'a2'}, 'revoked')
for id in ('cast-1', 'a2'):
    result = send('add', 1, 2, task_id=id)
    try: result.get(timeout=60); assert False
    except TaskRevokedError as e: assert e.args == ('revoked',), e.args
    assert result.state == 'REVOKED'

# Terminated while it runs.
gate = folder + '/never'
def running(*args, **options):
    task = send('wait', gate, *args, **options)
    until(lambda: any(i['id'] == task.id for i in asked(inspect.active())), 'runs')
    return task
def is_terminated(task, why='terminated'):
    until(lambda: task.state == 'REVOKED', 'terminated')
    assert isinstance(task.result, TaskRevokedError) and task.result.args == (why,), task.result
    until(lambda: asked(inspect.active()) == [], 'gone')
one = running()
assert control('revoke', task_id=one.id) == {'ok': f'tasks {one.id} flagged as revoked'}  # goes on
assert asked(inspect.active())[0]['id'] == one.id and one.state == 'PENDING'
assert control('revoke', task_id=one.id, terminate=True, signal='SIGTERM') == {'ok': f'terminate: {one.id}'}
is_terminated(one)
two = running()
assert control('terminate', task_id=[two.id], signal='KILL') == {'ok': f'terminate: {two.id}'}
is_terminated(two)
three = running()
three.revoke(terminate=True)
is_terminated(three)
assert control('terminate', task_id='nobody', signal=15) == {'ok': 'terminate: tasks unknown'}
assert 'error' in control('terminate', task_id='nobody', signal='SIGWHAT')
# What waits for its time is dropped when that has come; on a slow machine the next one waits for longer.
for seconds in (2, 10, 30):
    later = send('add', 1, 1, countdown=seconds)
    until(lambda: asked(inspect.scheduled()) or later.ready(), 'scheduled')
    if control('revoke', task_id=later.id, terminate=True) == {'ok': f'terminate: {later.id}'}: break
is_terminated(later, 'revoked')
stamped = running(headers={'stamped_headers': ['batch'], 'stamps': {'batch': ['b7']}})
assert control('revoke_by_stamped_headers', headers={'batch': ['other']}, terminate=True) == {'ok': 'terminate: tasks unknown'}
assert control('revoke_by_stamped_headers', headers=['batch=b7'], terminate=True) == {'ok': f'terminate: {stamped.id}'}
is_terminated(stamped)

# Rates.
rate = lambda value, name='tasks.add': control('rate_limit', task_name=name, rate_limit=value)
assert rate('10/m', 'tasks.none') == {'error': 'unknown task'}
assert rate('often')['error'].startswith('Invalid rate limit string: ValueError(')
assert rate('1/h') == {'ok': 'new rate limit set successfully'}
limited = [send('add', n, 0) for n in range(3)]
until(lambda: len(asked(inspect.reserved())) == 2, 'two wait')
assert app.control.rate_limit('tasks.add', 0, destination=[node], reply=True, timeout=60) == [{node: {'ok': 'rate limit disabled successfully'}}]
assert rate(None) == {'ok': 'rate limit disabled successfully'}
assert sorted(task.get(timeout=60) for task in limited) == [0, 1, 2]   # those that waited soon see it
assert rate('5/s') == {'ok': 'new rate limit set successfully'}
began = time.time()
for task in [send('add', n, 0) for n in range(6)]: task.get(timeout=60)
assert time.time() - began > 0.9, time.time() - began
rate(0)

# Time limits.
assert control('time_limit', task_name='tasks.none', soft=1, hard=2) == {'error': 'unknown task'}
assert app.control.time_limit('tasks.wait', soft=None, hard=1, destination=[node], reply=True, timeout=60) == [{node: {'ok': 'time limits set successfully'}}]
assert 'TypeError' in control('time_limit', task_name='tasks.wait', hard='soon')['error']
limited = send('wait', gate)
try: limited.get(timeout=60); assert False
except Exception as e: assert 'TimeLimitExceeded' in repr(e), repr(e)
assert 'time_limit=1' in control('registered', taskinfoitems=['time_limit'])[3]
control('time_limit', task_name='tasks.wait', hard=0, soft=0)

# Queues.
extra = send('add', 20, 3, queue='extra')
assert app.control.add_consumer('extra', destination=[node], reply=True, timeout=60) == [{node: {'ok': 'add consumer extra'}}]
assert extra.get(timeout=60) == 23
assert [q['name'] for q in asked(inspect.active_queues())] == ['celery', 'extra']
import redis
r = redis.Redis.from_url(url)
assert r.smembers('_kombu.binding.extra') == {b'extra\x06\x16\x06\x16extra'}
assert control('add_consumer', queue='more', exchange='ex', exchange_type='direct', routing_key='rk') == {'ok': 'add consumer more'}
assert r.smembers('_kombu.binding.ex') == {b'rk\x06\x16\x06\x16more'}
from kombu import Exchange, Queue
via = app.send_task('tasks.add', (4, 4), exchange='ex', routing_key='rk', declare=[Queue('more', Exchange('ex', 'direct'), 'rk')])
assert via.get(timeout=60) == 8
assert control('cancel_consumer', queue='extra') == {'ok': 'no longer consuming from extra'}
assert [q['name'] for q in asked(inspect.active_queues())] == ['celery', 'more']
assert 'ValueError' in control('add_consumer', queue='a"b')['error'] and 'TypeError' in control('add_consumer')['error']
assert 'TypeError' in control('cancel_consumer')['error']

# Slots.
slots = lambda: asked(inspect.stats())['pool']['max-concurrency']
assert app.control.pool_grow(1, destination=[node], reply=True, timeout=60) == [{node: {'ok': 'pool will grow'}}]
until(lambda: slots() == 3, 'three slots')
assert control('pool_shrink', n=2) == {'ok': 'pool will shrink'}
until(lambda: slots() == 1, 'one slot')
assert control('pool_shrink', n=7) == {'ok': 'pool will shrink'} and asked(inspect.conf())['worker_concurrency'] == 1
assert control('pool_grow') == {'ok': 'pool will grow'}
until(lambda: slots() == 2, 'two slots')
assert 'TypeError' in control('pool_grow', n=[1])['error']
assert control('autoscale', max=5, min=1) == {'error': "ValueError('Autoscale not enabled')"}
assert control('pool_restart', modules=None, reload=False, reloader=None) == {'error': "ValueError('Pool restarts not enabled')"}

# Events.
assert [control(m) for m in ('enable_events', 'enable_events', 'disable_events', 'disable_events')] == [
    {'ok': 'task events enabled'}, {'ok': 'task events already enabled'},
    {'ok': 'task events disabled'}, {'ok': 'task events already disabled'}]
assert control('heartbeat') is None
assert app.control.heartbeat(destination=[node]) is None and asked(inspect.ping()) == {'ok': 'pong'}
left = [key for key in r.keys('*.reply.celery.pidbox') if r.type(key) == b'list']
assert left == [], left  # who only casts is answered nothing
assert control('election', id='e', topic='t', action=None) is None and 'TypeError' in control('election')['error']
)py");
}

TEST_F(NodeTest, shutdown_lets_the_worker_finish_and_is_not_answered) {
  TestWorker worker(url(), {}, {"celery"}, 100);
  ASSERT_TRUE(comes_true([&] { return is_joined(); }));
  run_python(R"py(
gate = folder + '/gate'
running = send('wait', gate)
until(lambda: asked(inspect.active()), 'runs')
assert app.control.shutdown(destination=[node]) is None
assert app.control.broadcast('shutdown', destination=[node], reply=True, timeout=0.5) == []
assert running.state == 'PENDING' and asked(inspect.ping()) == {'ok': 'pong'}  # it answers to its end
open(gate, 'w').close()
assert running.get(timeout=60) == 'waited'
)py");
  EXPECT_TRUE(comes_true([&] { return worker.ended.load(); }));
  worker.node.reset();
  EXPECT_FALSE(is_joined());
}

}  // namespace segments::celery

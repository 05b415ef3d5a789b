// What Celery's own client reads of what we store: states, exceptions, groups and chords.
#include "celery/test_peer.h"

namespace segments::celery {

// Kept open by the test: our worker on `ours`, a Python worker on `py`, and a client that compares.
TEST_F(CeleryPythonTest, states_are_stored_as_python_s_worker_stores_them) {
  auto options = known_options();
  options.consumed = {"ours"};
  options.track_started = true;
  OurWorker worker(url(), 16, options);
  PythonPeer python(R"py(
app.conf.task_track_started = True
app.tasks.unregister('tasks.flaky')
@app.task(name='tasks.flaky', bind=True)
def flaky(self):
    if self.request.retries == 0: raise self.retry(exc=RuntimeError('Later.'), countdown=0.2)
    return 'at last'
app.worker_main(['worker', '-P', 'solo', '-l', 'critical', '-Q', 'py', '-n', 'py@here', '--without-heartbeat', '--without-mingle', '--without-gossip'])
)py",
                    {url()});
  run_checks(R"py(
stored = {}
pubsub = r.pubsub()
pubsub.psubscribe('celery-task-meta-*')
def listen():
    for message in pubsub.listen():
        if message['type'] != 'pmessage': continue
        value = json.loads(message['data'])
        assert message['channel'].decode() == 'celery-task-meta-' + value['task_id']
        # It can be asked for at once by whoever hears it.
        stored.setdefault(value['task_id'], []).append((value, r.exists(message['channel'])))
threading.Thread(target=listen, daemon=True).start()
def shape(value):
    if isinstance(value, dict): return {k: shape(v) for k, v in value.items()}
    if isinstance(value, list): return [shape(v) for v in value]
    return type(value).__name__
def states(id): return [value['status'] for value, _ in stored.get(id, [])]
def last(id, status): return [value for value, _ in stored[id] if value['status'] == status][-1]
tasks = {'success': (add, dict(args=(1, 2))), 'linked': (add, dict(args=(1, 2), link=add.s(1).set(task_id='child'))), 'failure': (boom, {}), 'retried': (flaky, {}),
    'unknown': (app.signature('tasks.unheard_of'), {}), 'expired': (add, dict(args=(1, 2), expires=-9)), 'member': (add, dict(args=(1, 2), group_id='g', root_id='top', parent_id='p'))}
ends = {'success': 'SUCCESS', 'linked': 'SUCCESS', 'failure': 'FAILURE', 'retried': 'SUCCESS', 'unknown': 'FAILURE', 'expired': 'REVOKED', 'member': 'SUCCESS'}
for queue in ('ours', 'py'):
    for name, (task, options) in tasks.items():
        if name == 'linked': options['link'].set(queue=queue, task_id='child-' + queue)
        task.apply_async(**{**options, 'queue': queue, 'task_id': f'{name}-{queue}'})
for name, end in ends.items():
    check(name + ' ends', lambda: is_equal([until(lambda: end in states(f'{name}-{queue}')) for queue in ('ours', 'py')], [True, True]))
    check(name + ' has the same states', lambda: is_equal(states(name + '-ours'), states(name + '-py')))
    for status in states(name + '-py'):
        ours, theirs = last(name + '-ours', status), last(name + '-py', status)
        # Ours fail with a sentence.
        if isinstance(theirs['result'], dict) and 'exc_message' in theirs['result']:
            check(f'{name}: {status} exception', lambda: isinstance(ours['result']['exc_message'], list) and isinstance(theirs['result']['exc_message'], list))
            ours, theirs = ({**m, 'result': {**m['result'], 'exc_message': None}} for m in (ours, theirs))
        if status == 'FAILURE' and name == 'failure': check('failures have a traceback', lambda: isinstance(ours['traceback'], str))
        check(f'{name}: {status} looks the same', lambda: is_equal(*(shape({k: v for k, v in m.items() if k != 'children'}) for m in (ours, theirs))))
        for field in ('status', 'parent_id', 'group_id'): check(f'{name}: {field}', lambda: is_equal(str(ours.get(field)), str(theirs.get(field)).replace('-py', '-ours')))
check('who hears of it can read it', lambda: all(found for values in stored.values() for _, found in values))
check('STARTED', lambda: is_equal(last('success-ours', 'STARTED')['result']['hostname'], 'celery@test'))
check('RETRY', lambda: is_equal([last('retried-ours', 'RETRY')[k] for k in ('result', 'date_done')], [{'exc_type': 'RuntimeError', 'exc_message': ['Later.'], 'exc_module': 'builtins'}, None]))
check('it is kept for a day', lambda: 86000 < r.ttl('celery-task-meta-success-ours') <= 86400)
done = app.AsyncResult('success-ours').date_done
check('date_done', lambda: abs((done if done.tzinfo else done.replace(tzinfo=utc)) - now()) < datetime.timedelta(minutes=20))
linked = app.AsyncResult('linked-ours')
check('the same children', lambda: is_equal(*([c.id.split('-')[0] for c in app.AsyncResult('linked-' + q).children] for q in ('ours', 'py'))))
check('children', lambda: is_equal([[c.id, c.parent] for c in linked.children], [['child-ours', None]]))
check('a child names its parent', lambda: is_equal([got(linked.children[0]), meta(linked.children[0].id)['parent_id']], [4, 'linked-ours']))
import re
def leaf(id, q): return add.si(1, 2).set(queue=q, task_id=id + '-' + q)
def two(form, q): return [leaf(form + '-a', q), leaf(form + '-b', q)]
forms = {'several': two, 'group': lambda form, q: [group(*two(form, q))], 'mixed': lambda form, q: [leaf(form + '-c', q), group(*two(form, q)), leaf(form + '-d', q)],
    'chain': lambda form, q: [chain(*two(form, q))], 'chains': lambda form, q: [chain(*two(form, q)), leaf(form + '-c', q)],
    'chord': lambda form, q: [chord(two(form, q), leaf(form + '-c', q))], 'chords': lambda form, q: [chord(two(form, q), leaf(form + '-c', q)), leaf(form + '-d', q)]}
def children(form, q):
    add.apply_async((1, 2), queue=q, task_id=form + '-' + q, link=forms[form](form, q))
    until(lambda: 'SUCCESS' in states(form + '-' + q))
    return re.sub('[0-9a-f]{8}-[0-9a-f-]{27}', 'id', json.dumps(last(form + '-' + q, 'SUCCESS')['children'])).replace('-' + q, '')
for form in forms:
    check(form + ': the same children', lambda: is_equal(children(form, 'ours'), children(form, 'py')))
    check(form + ': the client collects the same', lambda: is_equal(*([value for _, value in app.AsyncResult(form + '-' + q).collect()] for q in ('ours', 'py'))))
check('forget', lambda: is_equal([linked.forget(), linked.state, r.exists('celery-task-meta-linked-ours')], [None, 'PENDING', 0]))
ignored = add.apply_async((1, 2), ignore_result=True, queue='ours', task_id='ignored')
check('nothing is kept of what is ignored', lambda: is_equal([until(lambda: b'ignored' in r.lrange('ran:ours', 0, -1)), got(add.apply_async((1, 2), queue='ours')), states('ignored'), ignored.state], [True, 3, [], 'PENDING']))
)py");
}

TEST_F(CeleryPythonTest, exceptions_arrive_as_their_classes) {
  OurWorker worker(url());
  run_checks(R"py(
import billiard.exceptions, celery.exceptions
def fails(name, *args, **options):
    result = app.send_task('tasks.' + name, args, **options)
    try: got(result)
    except Exception as error: return type(error), error.args, result.state
check('RuntimeError', lambda: is_equal(fails('boom'), (RuntimeError, ('boom',), 'FAILURE')))
check('NotRegistered', lambda: is_equal(fails('unheard_of'), (celery.exceptions.NotRegistered, ('tasks.unheard_of',), 'FAILURE')))
check('TaskRevokedError', lambda: is_equal(fails('add', 1, expires=-9), (celery.exceptions.TaskRevokedError, ('expired',), 'REVOKED')))
check('TimeLimitExceeded', lambda: is_equal(fails('hard', time_limit=7), (billiard.exceptions.TimeLimitExceeded, (7,), 'FAILURE')))
check('SoftTimeLimitExceeded', lambda: is_equal(fails('soft', soft_time_limit=7), (billiard.exceptions.SoftTimeLimitExceeded, (), 'FAILURE')))
check('WorkerLostError', lambda: is_equal(fails('lost'), (billiard.exceptions.WorkerLostError, ('The worker died.',), 'FAILURE')))
def plain(): pass
def wrong(args, kwargs):
    def add(x, y=0): pass
    try: add(*args, **kwargs)
    except TypeError as error: plain = str(error).replace('wrong.<locals>.', '')
    error = raised(lambda: got(app.send_task('tasks.add', args, kwargs)))
    return is_equal(error, ['builtins', 'TypeError', plain])
for args, kwargs in (((), {}), ((1, 2, 3), {}), ((1,), {'x': 2}), ((1,), {'z': 2}), ((), {'y': 2})):
    check(f'wrong arguments {args} {kwargs}', lambda: wrong(args, kwargs))
for name, wanted in (('NotRegistered', 'unheard_of'), ('TypeError', 'add')):
    result = app.send_task('tasks.' + wanted)
    raised(lambda: got(result))
    check(name + ' has no traceback', lambda: is_equal(result.traceback, None))
)py");
}

TEST_F(CeleryPythonTest, groups_and_chords_come_together) {
  OurWorker worker(url());
  run_checks(R"py(
def parts(gid): return r.zcard(f'celery-taskset-meta-{gid}.j')
def is_clean(gid): return is_equal([r.exists(f'celery-taskset-meta-{gid}.{x}') for x in 'jts'], [0, 0, 0])
plain = group(add.s(n, 1) for n in range(3))()
check('group', lambda: is_equal([got(plain), {meta(c.id)['group_id'] for c in plain.children}], [[1, 2, 3], {plain.id}]))
saved = plain.save()
check('a saved group', lambda: is_equal(got(app.GroupResult.restore(plain.id)), [1, 2, 3]))

# The size comes when all parts but one have ended, as a client's does that is slow.
set_size = app.backend.set_chord_size
def late(gid, size):
    late.gid, late.saw = gid, until(lambda: parts(gid) == 4)
    late.status = [json.loads(m)[2] for m in r.zrange(f'celery-taskset-meta-{gid}.j', 0, -1)]
    return set_size(gid, size)
app.backend.set_chord_size = late
check('the size comes late', lambda: is_equal([got(chord([add.s(n, n) for n in range(5)])(total.s())), late.saw, late.status], [20, True, ['SUCCESS'] * 4]))
check('nothing is left of it', lambda: is_clean(late.gid))
app.backend.set_chord_size = set_size

def send_parts(gid, *tasks, index=lambda n: None, body=total.s()):
    result = body.freeze()
    for n, task in enumerate(tasks):
        if n == len(tasks) - 1: set_size(gid, len(tasks))
        task.apply_async(group_id=gid, group_index=index(n), chord=body)
    return result
check('parts without an index', lambda: is_equal([got(send_parts('null', add.s(1, 1), add.s(2, 2), add.s(3, 3))), is_clean('null')], [12, True]))
check('in their order', lambda: is_equal(got(send_parts('order', *[add.s(n, 0) for n in range(9)], index=lambda n: 8 - n, body=echo.s()))[0], [[8, 7, 6, 5, 4, 3, 2, 1, 0]]))
quiet = [add.s(n, n).set(ignore_result=True) for n in (1, 2)]
check('parts whose result nobody keeps', lambda: is_equal(got(chord(quiet)(total.s())), 6))
check('many parts', lambda: is_equal(got(chord([add.s(n, 0) for n in range(400)])(total.s())), 79800))
check('one part', lambda: is_equal(got(chord([add.s(4, 0)])(total.s())), 4))
check('no parts', lambda: is_equal(got(chord([])(total.s())), 0))
check('parts that retry', lambda: is_equal(got(chord([flaky.s(), flaky.s()])(echo.s()))[0], [['at last', 'at last']]))
check('a chain of chords', lambda: is_equal(got((group(add.s(1, 1), add.s(2, 2)) | total.s() | group(add.s(1), add.s(2)) | total.s()).delay()), 15))
check('chord, chain and group as parts', lambda: is_equal(got(chord([chord([add.s(1, 1), add.s(2, 2)], total.s()), chain(add.s(1, 1), add.s(5)), group(add.s(1, 0), add.s(2, 0))])(total.s())), 16))
check('a chain whose last step is a group', lambda: is_equal(sorted(got(leaf) for leaf in (add.s(1, 1) | group(add.s(1), add.s(2))).delay().results), [3, 4]))
def linked_body():
    result = chord([add.s(1, 1), add.s(1, 0)])(total.s().set(link=add.s(10).set(task_id='after-body')))
    got(result)
    return got(app.AsyncResult('after-body'))
check('a body with a link', lambda: is_equal(linked_body(), 13))
def broken(*header, body=None):
    note_id = 'note-' + str(uuid.uuid4())
    result = chord(list(header))((body or total.s()).on_error(note.s().set(task_id=note_id)))
    error = raised(lambda: got(app.AsyncResult(result.id)))  # not the part's own, which its result would raise
    return error[:2], error[2].split(' raised ')[1], got(app.AsyncResult(note_id)) == result.id, result.state
check('an expired part', lambda: is_equal(broken(add.s(1, 1), add.s(1, 1).set(expires=-9)), (['celery.exceptions', 'ChordError'], "TaskRevokedError('expired')", True, 'FAILURE')))
check('an unknown part', lambda: is_equal(broken(add.s(1, 1), none.s()), (['celery.exceptions', 'ChordError'], "NotRegistered('tasks.none')", True, 'FAILURE')))
check('a broken part', lambda: is_equal(broken(boom.s(), boom.s()), (['celery.exceptions', 'ChordError'], "RuntimeError('boom')", True, 'FAILURE')))
inner = chord([boom.s(), add.s(1, 1)], total.s())
check('a broken chord within a chord', lambda: is_equal(broken(inner, add.s(1, 1))[0::3], (['celery.exceptions', 'ChordError'], 'FAILURE')))
tell = lambda id: note.s().set(task_id=id)
check('two link_errors', lambda: is_equal([boom.apply_async(link_error=[tell('e1'), tell('e2')], task_id='b1') and [got(app.AsyncResult(i)) for i in ('e1', 'e2')]], [['b1', 'b1']]))
check('link_error of a group', lambda: is_equal([boom.apply_async(link_error=group(tell('e3'), tell('e4')), task_id='b2') and [got(app.AsyncResult(i)) for i in ('e3', 'e4')]], [['b2', 'b2']]))
chained = (add.s(1, 1) | boom.si() | add.s(1)).on_error(tell('e5')).delay()
check('link_error of a chain', lambda: is_equal(got(app.AsyncResult('e5')), chained.parent.id))
check('no link_error after success', lambda: is_equal([got(add.apply_async((1, 1), link_error=tell('e6'))), app.AsyncResult('e6').state], [2, 'PENDING']))
check('the parts hold nothing', lambda: is_equal([k for k in r.keys('celery-taskset-meta-*') if k.endswith((b'.j', b'.t', b'.s'))], []))
)py");
}

TEST_F(CeleryPythonTest, a_success_that_the_client_sees_stays) {
  auto asker = start_checks(R"py(
result = add.apply_async((1, 2), task_id='a')
check('leased', lambda: until(lambda: r.exists('leased')))
app.backend.store_result('a', 'first', 'SUCCESS')
r.set('stored', 1)
check('ended', lambda: until(lambda: r.exists('ended')))
check('it stays', lambda: is_equal([result.state, got(result)], ['SUCCESS', 'first']))
)py");
  OwnQueue own(url(), known_options());
  std::vector<LeasedTask> tasks;
  EXPECT_TRUE(wait_for([&] { return !(tasks = own.queue.lease_tasks("w", 1, 600'000)).empty(); }));
  client.ask({"SET", "leased", "1"});
  EXPECT_TRUE(wait_for([&] { return number({"EXISTS", "stored"}) == 1; }));
  EXPECT_TRUE(own.queue.fail(tasks.at(0), "No."));
  client.ask({"SET", "ended", "1"});
  expect_checks(*asker);
}

}  // namespace segments::celery

// What Celery's own client writes into a message, and what comes of it: addresses, times, priorities,
// content.
#include <algorithm>

#include "celery/test_peer.h"

namespace segments::celery {

TEST_F(CeleryPythonTest, times_and_expirations_of_every_spelling_are_understood) {
  OurWorker worker(url());
  run_checks(R"py(
# Sent together: each waits for its own time.
def spelled(at): return {
    'naive': at.replace(tzinfo=None).isoformat(), 'Z': at.replace(tzinfo=None).isoformat() + 'Z',
    'whole seconds': (at.replace(microsecond=0) + datetime.timedelta(seconds=1)).isoformat(),
    'offset': at.astimezone(datetime.timezone(datetime.timedelta(hours=5, minutes=30))).isoformat(),
    'datetime': at, 'naive datetime': at.replace(tzinfo=None)}
at = now() + datetime.timedelta(seconds=0.7)
waiting = {name: add.apply_async((1, 2), eta=eta) for name, eta in spelled(at).items()}
late = add.apply_async((1, 2), countdown=0.8, expires=0.3)
no = add.apply_async((1, 2), eta='tomorrow', task_id='no-time')
never = add.apply_async((1, 2), headers={'expires': 'soon'}, task_id='no-expiry')
# This version makes a time of every number; a text goes as it is where a message is sent again.
def send_until(expires):
    return add.apply_async((1, 2), **({'headers': {'expires': expires}} if isinstance(expires, str) else {'expires': expires}))
for name, expires in {**spelled(now() + datetime.timedelta(seconds=600)), 'integer': 600, 'float': 600.5}.items():
    check('expires later, ' + name, lambda: is_equal(got(send_until(expires)), 3))
past = now() - datetime.timedelta(seconds=60)
for name, expires in {**spelled(past), 'integer': -60, 'float': -60.5}.items():
    expired = send_until(expires)
    check('expired, ' + name, lambda: is_equal(raised(lambda: got(expired)), ['celery.exceptions', 'TaskRevokedError', 'expired']))
    check('expired is REVOKED, ' + name, lambda: is_equal([expired.state, expired.traceback], ['REVOKED', None]))
# What was seen counts only where none of them was due when it had been seen.
states = [w.state for w in waiting.values()]
check('all wait', lambda: now() >= at or is_equal(states, ['PENDING'] * 6))
for name, result in waiting.items(): check('eta, ' + name, lambda: is_equal([got(result), now() >= at], [3, True]))
check('expired while it waited', lambda: is_equal(raised(lambda: got(late)), ['celery.exceptions', 'TaskRevokedError', 'expired']))
check('times that are none: no result, a dead letter', lambda: is_equal([no.state, never.state, until(lambda: letters() == 2)], ['PENDING', 'PENDING', True]))
)py");
}

// A message for each of Celery's priorities, sent in the wrong order.
TEST_F(CeleryPythonTest, priorities_and_queues_are_served_in_celery_s_order) {
  run_checks(R"py(
app.conf.task_create_missing_queues = True
for p in range(9, -1, -1):
    for n in range(2): add.apply_async((p, n), priority=p, task_id=f'{p}{n}')
check('no priority is 0', lambda: add.apply_async((0, 2), task_id='none').id == 'none')
lists = {step: r.llen('celery' + (f'\x06\x16{step}' if step else '')) for step in (0, 3, 6, 9)}
check('lists', lambda: is_equal(lists, {0: 7, 3: 6, 6: 6, 9: 2}))
check('binding', lambda: is_equal(r.smembers('_kombu.binding.celery'), {b'celery\x06\x16\x06\x16celery'}))
)py");
  {
    OurWorker worker(url(), 1);
    EXPECT_TRUE(wait_for([&] { return number({"LLEN", "ran:ours"}) == 21; }));
  }
  std::string order;
  for (const auto& item : client.ask({"LRANGE", "ran:ours", "0", "-1"}).items) order += item.text + " ";
  EXPECT_EQ(order, "20 21 10 11 00 01 none 50 51 40 41 30 31 80 81 70 71 60 61 90 91 ");

  client.ask({"DEL", "ran:ours"});
  run_checks(R"py(
for queue in ('a', 'b', 'c'):
    for n in range(5): add.apply_async((1, 2), queue=queue, task_id=f'{queue}{n}')
add.apply_async((1, 2), queue='c', priority=3, task_id='low')
)py");
  auto options = known_options();
  options.consumed = {"a", "b", "c"};
  {
    OurWorker worker(url(), 1, options);
    EXPECT_TRUE(wait_for([&] { return number({"LLEN", "ran:ours"}) == 16; }));
  }
  std::map<char, std::string> of_queue;
  auto ran = client.ask({"LRANGE", "ran:ours", "0", "-1"}).items;
  for (std::size_t i = 0; i + 1 < ran.size(); ++i) {
    const auto& id = ran[i].text;
    of_queue[id[0]] += id;
    auto round = i / 3;  // in turn: none is ahead of another by more than one
    EXPECT_EQ(id.substr(1), std::to_string(round)) << id << " at " << i;
  }
  EXPECT_EQ(of_queue['b'], "b0b1b2b3b4");
  EXPECT_EQ(ran.back().text, "low") << "all queues at step 0, then all at step 3";
}

TEST_F(CeleryPythonTest, exchanges_lead_to_our_queue_and_from_it) {
  OurWorker worker(url());
  run_checks(R"py(
from kombu import Exchange, Queue
direct, topic = Exchange('media', 'direct'), Exchange('topics', 'topic')
channel = app.pool.acquire().default_channel
for exchange, key in ((direct, 'media.cut'), (topic, 'video.#'), (topic, '*.sound')): Queue('celery', exchange, key)(channel).declare()
bind = dict(declare=[direct, topic])
check('direct exchange', lambda: is_equal(got(add.apply_async((1, 2), exchange='media', routing_key='media.cut', **bind)), 3))
check('topic exchange', lambda: is_equal(got(add.apply_async((2, 2), exchange='topics', routing_key='video.cut.done', **bind)), 4))
check('a retry of it', lambda: is_equal(got(flaky.apply_async(exchange='topics', routing_key='audio.sound', **bind)), 'at last'))
# What follows is published by us, to where its options say.
def linked(**options):
    result = add.apply_async((1, 2), link=add.s(10).set(**options))
    got(result)
    return got(result.children[0])
check('link by topic', lambda: is_equal(linked(exchange='topics', routing_key='video.x'), 13))
check('link by another topic', lambda: is_equal(linked(exchange='topics', routing_key='x.sound'), 13))
check('link by direct exchange', lambda: is_equal(linked(exchange='media', routing_key='media.cut'), 13))
check('a routing key alone is the default queue', lambda: is_equal(linked(routing_key='elsewhere'), 13))
check('link by queue', lambda: is_equal([add.apply_async((1, 2), link=add.s(1).set(queue='other', task_id='far')).get(timeout=60),
    until(lambda: r.llen('other') == 1), json.loads(r.lindex('other', 0))['properties']['delivery_info']], [3, True, {'exchange': '', 'routing_key': 'other'}]))
)py");
}

// The client declares nothing of it: the binding is ours alone, made when we queue the first task there.
TEST_F(CeleryPythonTest, who_publishes_by_an_exchange_finds_the_queue_that_we_declared) {
  auto options = known_options();
  options.queue = "media";
  const char* publish = R"py(
def publish(id): return add.apply_async((1, 2), exchange='media', routing_key='media', task_id=id)
def bindings(): return r.smembers('_kombu.binding.media')
)py";
  run_checks(std::string(publish) + R"py(
early = publish('early')
check('before that it leads nowhere', lambda: is_equal([bindings(), r.llen('media')], [set(), 0]))
)py");
  OwnQueue own(url(), options);
  own.queue.enqueue({.id = "own", .name = "tasks.add", .arguments = R"({"x": 1})"});
  run_checks(std::string(publish) + R"py(
check('the binding is one of kombu', lambda: is_equal(bindings(), {b'media\x06\x16\x06\x16media'}))
)py");
  OurWorker worker(url(), 16, options);
  run_checks(std::string(publish) + R"py(
check('it leads to our queue', lambda: is_equal(got(publish('late')), 3))
check('ours has run, too', lambda: is_equal(got(app.AsyncResult('own')), 1))
check('what led nowhere has not', lambda: is_equal(app.AsyncResult('early').state, 'PENDING'))
check('kombu reads it', lambda: is_equal(app.connection_for_read().channel().get_table('media'), [('media', '', 'media')]))
)py");
}

TEST_F(CeleryPythonTest, content_is_json_compressed_or_refused) {
  auto options = known_options();
  std::atomic<int> undecodable = 0;
  options.observer.undecodable = [&](const MessageFault&) { ++undecodable; };
  {
    OurWorker worker(url(), 16, options);
    run_checks(R"py(
import kombu
for codec in ('zlib', 'bzip2', 'lzma'):
    check(codec, lambda: is_equal(got(echo.apply_async((['é', 1] * 5000,), compression=codec))[0], [['é', 1] * 5000]))
numbers = [12345678901234567890123456789, -10**40, 2.0, 1e-7, 0.1, 1.7976931348623157e308, 5e-324]
check('numbers', lambda: is_equal(repr(got(echo.delay(*numbers))[0]), repr(numbers)))
texts = ['é', '\U0001f600', '\x00\x1f\x7f', '\u2028', '"\\/', '\x06\x16']
check('texts', lambda: is_equal(got(echo.delay(*texts, **{'ключ': 'é'})), [texts, {'ключ': 'é'}]))
for value in (float('nan'), float('inf'), -float('inf')):
    check(f'{value} is no value of ours', lambda: is_equal(raised(lambda: got(add.delay(value)))[:2], ['builtins', 'ValueError']))
check('deep', lambda: is_equal(got(echo.delay(json.loads('[' * 150 + ']' * 150)))[1], {}))
check('long', lambda: is_equal(len(got(echo.delay('x' * 300_000))[0][0]), 300_000))

refused = 0
def refuses(name, send):
    global refused
    refused += 1
    check('refused: ' + name, lambda: is_equal([send() and None, until(lambda: letters() == refused), r.llen('celery'), r.hlen('unacked')], [None, True, 0, 0]))
app.conf.accept_content = ['json', 'pickle', 'yaml']
refuses('pickle', lambda: add.apply_async((1, 2), serializer='pickle', task_id='p'))
refuses('yaml', lambda: add.apply_async((1, 2), serializer='yaml', task_id='y'))
refuses('lone surrogate', lambda: add.apply_async(('\ud800',), task_id='s'))
refuses('a lone surrogate as a key', lambda: echo.apply_async((), {'a': {'\udfff': 1}}, task_id='k'))
refuses('a bomb', lambda: echo.apply_async((' ' * (65 << 20),), compression='zlib', task_id='b', argsrepr='-'))
refuses('too deep', lambda: echo.apply_async((json.loads('[' * 300 + ']' * 300),), task_id='d'))
connection = app.connection_for_write()
def publish(body, **more):
    with connection.Producer() as producer: producer.publish(body, routing_key='celery', **more)
headers = {'task': 'tasks.add', 'id': 'raw', 'lang': 'py'}
for type in ('application/x-msgpack', 'application/data', 'application/x-python-serialize', 'text/plain'):
    refuses(type, lambda: publish(b'\x93\x90\x80\xc0', content_type=type, content_encoding='binary', headers=headers))
refuses('no JSON', lambda: publish(b'[[1, 2], {}', content_type='application/json', content_encoding='utf-8', headers=headers))
refuses('no UTF-8', lambda: publish(b'[["\xff"], {}, {}]', content_type='application/json', content_encoding='utf-8', headers=headers))
refuses('no task', lambda: publish({'hello': 'world'}, serializer='json'))
refuses('unknown compression', lambda: publish(b'x', content_type='application/json', content_encoding='utf-8', headers={**headers, 'compression': 'application/x-none'}))
refuses('broken compression', lambda: publish(b'x', content_type='application/json', content_encoding='utf-8', headers={**headers, 'compression': 'application/x-gzip'}))
refuses('kwargs that are a list', lambda: publish([[], [], {}], serializer='json', headers={**headers, 'id': 'kw'}))
check('none of them has a result', lambda: is_equal(r.mget(['celery-task-meta-' + id for id in ('p', 'y', 's', 'k', 'b', 'd', 'raw', 'kw')]), [None] * 8))
check('the good go on', lambda: is_equal(got(add.delay(1, 2)), 3))
r.set('refused', refused)
)py");
  }
  EXPECT_EQ(undecodable, number({"INCRBY", "refused", "0"})) << "each is counted";
  expect_nothing_held();
}

TEST_F(CeleryPythonTest, old_protocol_s_messages_and_immutable_signatures_run) {
  OurWorker worker(url());
  run_checks(R"py(
def past(): return now() - datetime.timedelta(seconds=9)
def first(result):
    got(result)
    return result.children[0]
old = Celery('old', broker=url, backend=url, changes={'task_protocol': 1})
none1 = old.signature('tasks.none')
at = now() + datetime.timedelta(seconds=0.3)
check('arguments', lambda: is_equal(got(old.send_task('tasks.echo', (1, 'é'), {'k': [None]})), [[1, 'é'], {'k': [None]}]))
check('eta', lambda: is_equal([got(old.send_task('tasks.add', (4, 5), eta=at)), now() >= at], [9, True]))
check('expires', lambda: is_equal(raised(lambda: got(old.send_task('tasks.add', (4, 5), expires=past())))[1:], ['TaskRevokedError', 'expired']))
check('retry', lambda: is_equal(got(old.send_task('tasks.flaky')), 'at last'))
check('link', lambda: is_equal(got(first(old.send_task('tasks.add', (4, 5), link=[old.signature('tasks.add', (1,))]))), 10))
old.send_task('tasks.boom', link_error=[old.signature('tasks.note', task_id='old-errback')], task_id='old-boom')
check('link_error', lambda: is_equal(got(old.AsyncResult('old-errback')), 'old-boom'))
for n in range(2): old.send_task('tasks.add', (n, 1), task_id=f'part{n}', group_id='old-group', group_index=n, chord=old.signature('tasks.total', task_id='old-body'))
old.backend.set_chord_size('old-group', 3)
old.send_task('tasks.add', (5, 1), task_id='part2', group_id='old-group', group_index=2, chord=old.signature('tasks.total', task_id='old-body'))
check('chord', lambda: is_equal(got(old.AsyncResult('old-body')), 9))
check('unknown', lambda: is_equal(raised(lambda: got(none1.apply_async())), ['celery.exceptions', 'NotRegistered', 'tasks.none']))
check('immutable link', lambda: is_equal(got(first(add.apply_async((1, 2), link=add.si(7, 7)))), 14))
check('immutable chain', lambda: is_equal(got((add.s(1, 1) | add.si(2, 2) | add.s(3)).delay()), 7))
check('immutable body', lambda: is_equal(got(chord([add.s(1, 1)] * 2)(add.si(20, 1))), 21))
check('keyword arguments of a link', lambda: is_equal(got(first(add.apply_async((1, 2), link=add.s(y=40)))), 43))
)py");
}

// What ends a Python worker when a real message has it (the message is lost, or waits to end the next one).
TEST_F(CeleryPythonTest, messages_that_kill_a_python_worker_are_run_or_refused) {
  run_checks(R"py(
def message(id):
    add.apply_async((1, 2), task_id=id)
    return json.loads(r.lpop('celery'))
def push(id, change):
    changed = message(id)
    made = change(changed)
    changed = changed if made is None else made
    r.lpush('celery', changed if isinstance(changed, bytes) else json.dumps(changed))
def drop(*path):
    def change(m):
        for name in path[:-1]: m = m[name]
        del m[path[-1]]
    return change
def put(value, *path):
    def change(m):
        for name in path[:-1]: m = m[name]
        m[path[-1]] = value
    return change
def body(value): return put(base64.b64encode(json.dumps(value).encode()).decode(), 'body')
def plain(m): m['body'], m['properties']['body_encoding'] = json.dumps([[1, 2], {}, None]), None
empty = {'callbacks': None, 'errbacks': None, 'chain': None, 'chord': None}
runs = {'tag': drop('properties', 'delivery_tag'), 'exchange': drop('properties', 'delivery_info', 'exchange'),
    'routing key': drop('properties', 'delivery_info', 'routing_key'), 'delivery info': drop('properties', 'delivery_info'),
    'priority': drop('properties', 'priority'), 'null priority': put(None, 'properties', 'priority'), 'odd priority': put('high', 'properties', 'priority'),
    'large priority': put(99, 'properties', 'priority'), 'correlation id': drop('properties', 'correlation_id'), 'reply to': drop('properties', 'reply_to'),
    'delivery mode': drop('properties', 'delivery_mode'), 'plain body': plain, 'content encoding': drop('content-encoding'),
    'null embed': body([[1, 2], {}, None]), 'empty embed': body([[1, 2], {}, {}]), 'unknown properties': put(7, 'properties', 'nested'),
    'few headers': lambda m: m.update(headers={'task': 'tasks.add', 'id': m['headers']['id']}), 'good': lambda m: None}
refused = {'text': lambda m: b'garbage', 'list': lambda m: b'[1]', 'number': lambda m: b'7', 'bytes': lambda m: b'\xff\xfe', 'nothing': lambda m: b'',
    'half': lambda m: json.dumps(m).encode()[:200], 'properties': drop('properties'), 'null properties': put(None, 'properties'), 'no base64': put('*', 'body'),
    'no body': drop('body'), 'null type': put(None, 'content-type'), 'no type': drop('content-type'), 'empty body': put('', 'body'), 'two': body([[1, 2], {}]),
    'object body': body({}), 'args': body([5, {}, empty]), 'kwargs': body([[1], [2], empty]), 'no id': drop('headers', 'id'), 'empty id': put('', 'headers', 'id'),
    'id': put(7, 'headers', 'id'), 'null id': put(None, 'headers', 'id'), 'task': put(7, 'headers', 'task'), 'encoding': put('utf-7', 'content-encoding'),
    'headers': put([], 'headers'), 'retries': put('x', 'headers', 'retries'), 'time limit': put('x', 'headers', 'timelimit')}
names = [('run', n) for n in runs] + [('refuse', n) for n in refused]
for n, (kind, name) in enumerate(names):
    push(f'{kind} {name}', (runs if kind == 'run' else refused)[name])
r.hset('expected', mapping={'run': len(runs), 'refused': len(refused)})
)py");
  auto expected = [&](const char* field) { return std::stoi(client.ask({"HGET", "expected", field}).text); };
  {
    OurWorker worker(url());
    EXPECT_TRUE(wait_for([&] { return number({"LLEN", "ran:ours"}) == expected("run"); }));
    EXPECT_TRUE(wait_for([&] { return number({"ZCARD", "segments:dead_letters"}) == expected("refused"); }));
    run_checks("check('it lives', lambda: is_equal(got(add.delay(1, 2)), 3))");
  }
  for (const auto& item : client.ask({"LRANGE", "ran:ours", "0", "-2"}).items)
    EXPECT_TRUE(item.text.starts_with("run ")) << item.text;
  EXPECT_EQ(number({"ZCARD", "segments:dead_letters"}), expected("refused"));
  EXPECT_EQ(number({"LLEN", "celery"}), 0);
  expect_nothing_held();
}

}  // namespace segments::celery

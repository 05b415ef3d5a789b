// Every command that looks, asked by Debian's Celery.
#include "celery_control/test_node.h"

namespace segments::celery {

TEST_F(NodeTest, celery_s_client_gets_every_inspection) {
  TestWorker worker(url(), {.settings = {{"jwt_secret", "hush"}, {"s3_url", "https://me:hush@host/x"}}});
  worker.node->wait_for_peers();
  ASSERT_TRUE(comes_true([&] { return is_joined(); }));
  run_python(R"py(
assert app.control.ping(limit=1, timeout=60) == [{node: {'ok': 'pong'}}]
assert asked(inspect.ping()) == {'ok': 'pong'}
for method in ('active', 'reserved', 'scheduled', 'revoked', 'dump_active', 'dump_reserved', 'dump_schedule', 'dump_revoked'):
    assert control(method) == [], method
assert asked(inspect.registered()) == ['tasks.add', 'tasks.fail', 'tasks.flaky', 'tasks.wait']
assert control('dump_tasks', taskinfoitems=['max_retries', 'time_limit'], builtins=True)[0] == 'tasks.add [max_retries=3 time_limit=60]'

gate = folder + '/gate'
waits = [send('wait', gate, priority=n) for n in (0, 4)]
until(lambda: len(asked(inspect.active())) == 2, 'two run')
active = {info['id']: info for info in asked(inspect.active())}
info = active[waits[1].id]
assert set(info) == {'id', 'name', 'args', 'kwargs', 'type', 'hostname', 'time_start', 'acknowledged', 'delivery_info', 'worker_pid'}, info
assert info['name'] == info['type'] == 'tasks.wait' and info['args'] == [gate] and info['kwargs'] == {} and info['hostname'] == node, info
assert abs(info['time_start'] - time.time()) < 600 and isinstance(info['worker_pid'], int) and info['acknowledged'] is False, info
assert info['delivery_info'] == {'exchange': '', 'routing_key': 'celery', 'priority': 4, 'redelivered': False}, info
safe = asked(inspect.active(safe=True))[0]
assert safe['args'] == repr((gate,)) and safe['kwargs'] == '{}', safe

later = send('add', 1, 2, countdown=3600)
open(gate, 'w').close()
assert [w.get(timeout=60) for w in waits] == ['waited', 'waited']
until(lambda: asked(inspect.scheduled()), 'scheduled')
[item] = asked(inspect.scheduled())
assert set(item) == {'eta', 'priority', 'request'} and item['priority'] == 6, item
assert item['request']['id'] == later.id and item['request']['time_start'] is None and item['request']['worker_pid'] is None, item
import datetime
assert datetime.datetime.fromisoformat(item['eta']).tzinfo is not None
assert asked(inspect.query_task(later.id)) == {}

assert control('rate_limit', task_name='tasks.add', rate_limit='1/h') == {'ok': 'new rate limit set successfully'}
assert asked(inspect.registered())[0] == 'tasks.add [rate_limit=1/h]'
first = send('add', 1, 2)
assert first.get(timeout=60) == 3
second = send('add', 3, 4)
until(lambda: asked(inspect.reserved()), 'reserved')
[info] = asked(inspect.reserved())
assert info['id'] == second.id and info['args'] == [3, 4] and info['time_start'] is None, info
assert asked(inspect.active()) == []
assert asked(inspect.query_task([second.id, 'nobody'])) == {second.id: ['reserved', info]}
gate2 = folder + '/gate2'
third = send('wait', gate2)
until(lambda: asked(inspect.active()), 'third runs')
assert asked(inspect.query_task(third.id))[third.id][0] == 'active'
open(gate2, 'w').close()
assert third.get(timeout=60) == 'waited'

until(lambda: asked(inspect.stats())['total'] == {'tasks.wait': 3, 'tasks.add': 1}, 'counted')
stats = asked(inspect.stats())
assert set(stats) == {'total', 'pid', 'clock', 'uptime', 'pool', 'broker', 'prefetch_count', 'rusage'}, stats
assert isinstance(stats['clock'], str) and int(stats['clock']) > 0 and stats['uptime'] >= 0 and stats['pid'] > 1
assert stats['pool']['max-concurrency'] == 2 and len(stats['pool']['processes']) == 2
assert stats['broker']['transport'] == 'redis' and stats['broker']['hostname'] == '127.0.0.1' and str(stats['broker']['port']) in url
assert stats['rusage']['maxrss'] > 0

[queue] = asked(inspect.active_queues())
from kombu import Queue
real = Queue('celery').as_dict(recurse=True)
assert queue['name'] == queue['routing_key'] == queue['exchange']['name'] == 'celery', queue
assert set(queue) == set(real), set(queue) ^ set(real)

conf = asked(inspect.conf())
assert conf['jwt_secret'] == '********' and conf['s3_url'] == 'https://me:**@host/x', conf
assert 'hush' not in json.dumps(conf) and conf['broker_url'].startswith('redis://127.0.0.1') and conf['worker_concurrency'] == 2
assert control('dump_conf', with_defaults=None) == conf
report = asked(inspect.report())['ok']
assert 'segments' in report and 'hush' not in report
one, two = asked(inspect.clock())['clock'], asked(inspect.clock())['clock']
assert 0 < one < two
assert asked(inspect.hello('py@x', {})).keys() == {'revoked', 'clock'}
assert control('hello', from_node=node, revoked=None) is None
assert control('memsample') is None and control('memdump') is None
assert control('objgraph')['error'].startswith('ImportError')
assert control('xyz') == {'error': "KeyError('xyz')"}
assert control('query_task')['error'].startswith('TypeError('), control('query_task')
)py");
}

TEST_F(NodeTest, celery_s_command_line_shows_the_node) {
  TestWorker worker(url());
  ASSERT_TRUE(comes_true([&] { return is_joined(); }));
  auto celery = [&](const std::string& words) { return run("-m celery -b " + url() + " " + words); };
  auto status = celery(std::string("status -t 60 -d ") + node_name);
  EXPECT_NE(status.find("celery@native: OK"), status.npos) << status;
  EXPECT_NE(status.find("1 node online"), status.npos) << status;
  auto to_node = std::string(" -d ") + node_name + " -t 60 ";
  EXPECT_NE(celery("inspect" + to_node + "active").find("- empty -"), std::string::npos);
  EXPECT_NE(celery("inspect" + to_node + "registered").find("* tasks.flaky"), std::string::npos);
  auto report = celery("inspect" + to_node + "report");
  EXPECT_NE(report.find("software -> segments"), report.npos) << report;
  auto limited = celery("control" + to_node + "rate_limit tasks.add 10/m");
  EXPECT_NE(limited.find("celery@native: OK"), limited.npos) << limited;
  EXPECT_NE(limited.find("new rate limit set successfully"), limited.npos) << limited;
  auto unknown = celery("control" + to_node + "time_limit tasks.none 3 4");
  EXPECT_NE(unknown.find("ERROR"), unknown.npos) << unknown;
  EXPECT_NE(unknown.find("unknown task"), unknown.npos) << unknown;
  EXPECT_NE(celery("control" + to_node + "terminate SIGKILL abc").find("tasks unknown"), std::string::npos);
}

// A client that has gone away is pushed nothing; nodes that are not meant answer nothing.
TEST_F(NodeTest, answers_only_where_somebody_waits) {
  TestWorker worker(url());
  ASSERT_TRUE(comes_true([&] { return is_joined(); }));
  ControlRequest request;
  request.method = "ping";
  request.ticket = "t";
  request.reply_exchange = keys::reply_exchange;
  request.reply_routing_key = "gone";
  client.ask({"PUBLISH", keys::control_channel(0), encode_control_request(request)});
  request.reply_routing_key = "bound";
  auto queue = keys::reply_queue("bound");
  client.ask({"SADD", keys::binding(keys::reply_exchange), keys::binding_member("bound", queue)});
  auto send_to = [&](std::vector<std::string> destination, std::string pattern, std::string matcher) {
    request.destination = std::move(destination);
    request.pattern = std::move(pattern);
    request.matcher = std::move(matcher);
    client.ask({"PUBLISH", keys::control_channel(0), encode_control_request(request)});
  };
  send_to({"celery@other"}, "", "");
  send_to({}, "*@other", "glob");
  send_to({}, "celery@o", "pcre");
  send_to({}, "*@native", "glob");
  send_to({}, "celery@[a-z]+$", "pcre");
  send_to({"celery@other", node_name}, "", "");
  ASSERT_TRUE(ask("ping"));  // what was published before it has been read
  EXPECT_EQ(number({"LLEN", queue}), 3);
  EXPECT_EQ(number({"EXISTS", keys::reply_queue("gone")}), 0);
}

}  // namespace segments::celery

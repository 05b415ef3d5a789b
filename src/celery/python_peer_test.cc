// Messages, results, events and remote control between this room and Debian's own Celery and kombu.
#include <cmath>
#include <map>

#include "celery/arguments.h"
#include "celery/control_message.h"
#include "celery/event.h"
#include "celery/inspection.h"
#include "celery/message.h"
#include "celery/python_repr.h"
#include "celery/python_test.h"
#include "celery/result.h"

namespace segments::celery {
namespace {

TaskMessage message_of(const std::string& raw) {
  auto decoded = decode_message(raw);
  if (auto* fault = std::get_if<MessageFault>(&decoded)) {
    ADD_FAILURE() << fault->sentence << "\n" << raw;
    return {};
  }
  return std::get<TaskMessage>(decoded);
}

// Every other message goes through a restore and a retry first: they mean the same afterwards.
TEST(PythonPeer, ItsMessagesAreRead) {
  auto lines = run_python(R"py(
for i in range(500):
    protocol = 1 if i % 5 == 0 else 2
    app.conf.task_protocol = protocol
    app.amqp.__dict__.pop('create_task_message', None)
    args = [value() for _ in range(rng.randrange(4))]
    kwargs = {'k%d' % n: value() for n in range(rng.randrange(3))}
    options = {}
    if rng.random() < .3: options['eta'] = datetime.datetime(2026, 11, 22, 14, 46, 49, rng.choice([0, 737872, 1000]), tzinfo=datetime.timezone.utc)
    if rng.random() < .3: options['expires'] = 120
    if rng.random() < .3: options['time_limit'] = rng.choice([10, 10.5])
    if rng.random() < .3: options['soft_time_limit'] = 5
    if rng.random() < .3: options['priority'] = rng.randrange(10)
    if rng.random() < .3: options['headers'] = {'mine': value(), 'more': 10**30} if protocol == 2 else {}
    if rng.random() < .5: options['compression'] = rng.choice(['zlib', 'bzip2', 'lzma'])
    if rng.random() < .3: options['link'] = [add.s(1), chain(add.s(2), add.s(3))]
    if rng.random() < .3: options['link_error'] = echo.s(text())
    if protocol == 2 and rng.random() < .3: options['shadow'] = 'shown'
    if protocol == 2 and rng.random() < .3: options['chain'] = [add.s(9), chord([add.s(1), add.s(2)], total.s())]
    retries = rng.randrange(3)
    queue = rng.choice(['celery', 'media'])
    result = echo.apply_async(args, kwargs, queue=queue, retries=retries, **options)
    put(sent.pop(), result.id, args, kwargs, retries, queue, options.get('priority') or 0, options.get('time_limit'),
        options.get('soft_time_limit'), options['eta'].timestamp() if 'eta' in options else None, 'expires' in options, protocol,
        len(options.get('link') or []), options.get('shadow'), len(options.get('chain') or []))
)py");
  ASSERT_EQ(lines.size(), 500u);
  int compressed = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    auto row = read_json(lines[i])->items();
    auto raw = row[0].text();
    compressed += raw.find("application/x-") != raw.npos;
    if (i % 2) raw = encode_retry(message_of(*encode_restored(raw)), 1'000);
    auto message = message_of(raw);
    ASSERT_EQ(message.id, row[1].text());
    ASSERT_EQ(message.task, "tasks.echo");
    ASSERT_EQ(message.args, row[2]) << lines[i];
    ASSERT_EQ(message.kwargs, row[3]) << lines[i];
    ASSERT_EQ(message.retries, *row[4].integer() + static_cast<int>(i % 2));
    ASSERT_EQ(message.routing_key, row[5].text());
    ASSERT_EQ(message.priority, *row[6].integer());
    ASSERT_EQ(message.time_limit.hard_s, row[7].real());
    ASSERT_EQ(message.time_limit.soft_s, row[8].real());
    auto eta = row[9].is_null() ? std::nullopt
                                : std::optional<Millis>(std::llround(std::ceil(*row[9].real() * 1000)));
    ASSERT_EQ(message.eta, i % 2 ? std::optional<Millis>(1'000) : eta);
    ASSERT_EQ(message.expires.has_value(), row[10].boolean());
    ASSERT_EQ(message.protocol, i % 2 ? 2 : *row[11].integer());
    ASSERT_EQ(static_cast<std::int64_t>(message.embed.at("callbacks").items().size()), *row[12].integer());
    ASSERT_EQ(message.shadow, row[13].text());
    ASSERT_EQ(static_cast<std::int64_t>(message.embed.at("chain").items().size()), *row[14].integer());
  }
  EXPECT_GT(compressed, 150);
}

// Celery's own Request is made of each of ours, and of what we retried.
TEST(PythonPeer, ReadsOurMessages) {
  auto values = run_python(
      "for i in range(200): put([value() for _ in range(3)], {'a' + text(): value() for _ in range(3)})\n");
  ASSERT_EQ(values.size(), 200u);
  std::vector<std::string> raws;
  std::vector<TaskMessage> messages;
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto row = read_json(values[i])->items();
    TaskMessage message;
    message.task = "tasks.echo";
    message.id = "id-" + std::to_string(i);
    message.args = row[0];
    message.kwargs = row[1];
    message.routing_key = "celery";
    message.origin = "gen1@host";
    message.priority = static_cast<int>(i % 10);
    message.retries = static_cast<int>(i % 3);
    if (i % 2) message.eta = 1'795'358'809'738 + static_cast<Millis>(i);
    if (i % 3) message.expires = 1'895'358'809'000;
    if (i % 4) message.time_limit = {10.5, 5.0};
    if (i % 5) message.group = "g", message.group_index = static_cast<std::int64_t>(i);
    if (i % 7) message.root_id = "root", message.parent_id = "parent";
    if (i % 2) message.ignore_result = true;
    message.envelope.headers.put("mine", "yours");
    messages.push_back(message);
    if (i % 6 == 0) messages.back().eta = 5'000;
    raws.push_back(i % 6 ? encode_message(message)
                         : encode_retry(message_of(encode_message(message)), 5'000));
  }
  auto lines = run_python(R"py(
from celery.worker.request import Request
for raw in lines:
    message = read_message(raw)
    args, kwargs, embed = message.payload
    r = Request(message, app=app, task=echo)
    p = message.properties
    put(r.id, r.name, args, kwargs, p['priority'], r.request_dict['retries'], r.eta.timestamp() if r.eta else None,
        r.expires.timestamp() if r.expires else None, list(r.time_limits), r.group, r.group_index, r.root_id, r.parent_id,
        r.ignore_result, r.correlation_id, message.delivery_info['routing_key'], embed['chain'], r.request_dict['mine'], bool(message.delivery_tag),
        r.argsrepr == repr(tuple(args)) or len(r.argsrepr) > 1000, r.kwargsrepr == repr(kwargs) or len(r.kwargsrepr) > 1000)
)py",
                          raws);
  ASSERT_EQ(lines.size(), raws.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    auto row = read_json(lines[i])->items();
    const auto& message = messages[i];
    bool is_retry = i % 6 == 0;
    ASSERT_EQ(row[0].text(), message.id);
    ASSERT_EQ(row[1].text(), message.task);
    ASSERT_EQ(row[2], message.args);
    ASSERT_EQ(row[3], message.kwargs);
    ASSERT_EQ(row[4].integer(), message.priority);
    ASSERT_EQ(row[5].integer(), message.retries + is_retry);
    ASSERT_EQ(row[6].is_null(), !message.eta.has_value());
    ASSERT_NEAR(row[6].real().value_or(0) * 1000, static_cast<double>(message.eta.value_or(0)), 0.01);
    ASSERT_EQ(row[7].is_null(), !message.expires.has_value());
    ASSERT_EQ(print_json(row[8]), i % 4 ? "[10.5,5]" : "[null,null]");
    ASSERT_EQ(row[9].text(), message.group);
    ASSERT_EQ(row[10].integer(), message.group_index);
    ASSERT_EQ(row[11].text(), message.root());
    ASSERT_EQ(row[12].text(), is_retry ? message.id : message.parent_id);
    ASSERT_EQ(row[13].boolean(), i % 2 == 1);
    ASSERT_EQ(row[14].text(), message.id);
    ASSERT_EQ(row[15].text(), "celery");
    ASSERT_TRUE(row[16].is_null());
    ASSERT_EQ(row[17].text(), "yours");
    for (int flag : {18, 19, 20}) ASSERT_TRUE(row[flag].boolean()) << flag << raws[i];
  }
}

TEST(PythonPeer, ReadsOurResults) {
  std::vector<ResultMeta> metas{
      make_success("a", *read_json(R"({"x": [1, 2.0, "é", 12345678901234567890123]})"), 1'795'358'809'738),
      make_failure("b", {"ValueError", {Json("boom"), Json(42)}, "builtins"}, "Traceback: é\n",
                   1'795'358'809'738),
      make_retry("c", runtime_error("later"), "Traceback\n"),
      make_revoked("d", "expired", 1'795'358'809'000),
      make_started("e", 77, "celery@host"),
      make_failure("f", not_registered("tasks.x"), "", 0),
      make_failure("g", time_limit_exceeded(10), "", 0),
      make_failure("h", chord_error("dep", {"ValueError", {Json("it's")}, "builtins"}), "", 0)};
  metas[0].children = *read_json(R"([[["child1", [["a", null], null]], null], [["child2", null], null]])");
  metas[0].group_id = "group";
  metas[0].parent_id = "parent";
  std::vector<std::string> lines;
  for (const auto& meta : metas)
    lines.push_back(print_json(Json::array({Json(meta.task_id), Json(encode_result(meta))})));
  auto read = run_python(R"py(
from celery.result import AsyncResult
import billiard.exceptions
for line in lines:
    id, raw = json.loads(line)
    app.backend.set(app.backend.get_key_for_task(id), raw)
    r = AsyncResult(id, app=app)
    value = r.get(propagate=False) if r.state not in ('RETRY', 'STARTED') else r.result
    put(r.state, repr(value) if isinstance(value, Exception) else value, type(value).__module__, r.traceback, [[c.id, c.parent and c.parent.id] for c in r.children or []],
        r.date_done.timestamp() if r.date_done else None, app.backend.get_task_meta(id).get('group_id'), app.backend.get_task_meta(id).get('parent_id'))
)py",
                         lines);
  ASSERT_EQ(read.size(), metas.size());
  std::vector<Json> rows;
  for (const auto& line : read) rows.push_back(*read_json(line));
  auto cell = [&](int row, int column) { return rows[row].items()[column]; };
  for (std::size_t i = 0; i < metas.size(); ++i)
    EXPECT_EQ(cell(static_cast<int>(i), 0).text(), metas[i].status);
  EXPECT_EQ(cell(0, 1), metas[0].result);
  EXPECT_EQ(print_json(cell(0, 4)), R"([["child1","a"],["child2",null]])");
  EXPECT_NEAR(*cell(0, 5).real(), 1'795'358'809.738, 1e-4);
  EXPECT_EQ(cell(0, 6).text(), "group");
  EXPECT_EQ(cell(0, 7).text(), "parent");
  EXPECT_EQ(cell(1, 1).text(), "ValueError('boom', 42)");
  EXPECT_EQ(cell(1, 3).text(), "Traceback: é\n");
  EXPECT_EQ(cell(2, 1).text(), "RuntimeError('later')");
  EXPECT_TRUE(cell(2, 5).is_null());
  EXPECT_EQ(cell(3, 1).text(), "TaskRevokedError('expired')");
  EXPECT_EQ(cell(3, 2).text(), "celery.exceptions");
  EXPECT_EQ(print_json(cell(4, 1)), R"({"pid":77,"hostname":"celery@host"})");
  EXPECT_EQ(cell(5, 1).text(), "Task of kind 'tasks.x' never registered, please make sure it's imported.");
  EXPECT_EQ(cell(6, 2).text(), "billiard.exceptions");
  EXPECT_EQ(cell(7, 1).text(), R"j(ChordError('Dependency dep raised ValueError("it\'s")'))j");
}

TEST(PythonPeer, ItsResultsAreRead) {
  auto lines = run_python(R"py(
from celery.app.task import Context
def context(request):
    children = request.pop('children', [])
    made = Context(request)
    made._children = children
    return made
def meta(id, value, state, **request):
    app.backend.store_result(id, value, state, traceback=request.pop('traceback', None), request=context(request))
    put(app.backend.get(app.backend.get_key_for_task(id)))
app.conf.result_extended = True
child = app.AsyncResult('child', parent=app.AsyncResult('mother', parent=app.AsyncResult('grandmother')))
meta('a', {'x': 1}, 'SUCCESS', group='g', parent_id='p', children=[child, app.GroupResult('gr', [app.AsyncResult('m1'), app.AsyncResult('m2')])], task='tasks.add', args=[1], kwargs={})
meta('b', ValueError('boom', 42), 'FAILURE', traceback='tb')
meta('c', KeyError('k'), 'RETRY', traceback='tb')
meta('d', celery.exceptions.TaskRevokedError('terminated'), 'REVOKED')
meta('e', {'pid': 1, 'hostname': 'h'}, 'STARTED')
meta('f', {'done': 5}, 'PROGRESS')
saved = app.GroupResult('gid', [app.AsyncResult('x'), app.GroupResult('inner', [app.AsyncResult('y')])])
put(app.backend.encode({'result': saved.as_tuple()}))
)py");
  ASSERT_EQ(lines.size(), 7u);
  std::vector<std::string> raws;
  for (const auto& line : lines) raws.push_back(read_json(line)->items()[0].text());
  std::vector<ResultMeta> metas;
  for (std::size_t i = 0; i < 6; ++i) metas.push_back(*decode_result(raws[i]));
  EXPECT_EQ(metas[0].task_status(), TaskStatus::SUCCESS);
  EXPECT_EQ(print_json(metas[0].result), R"({"x":1})");
  EXPECT_EQ(metas[0].group_id, "g");
  EXPECT_EQ(metas[0].parent_id, "p");
  auto told = print_json(metas[0].children);
  for (const char* id : {"child", "mother", "m1", "m2"})
    EXPECT_NE(told.find('"' + std::string(id) + '"'), told.npos) << told;
  EXPECT_TRUE(metas[0].date_done);
  EXPECT_EQ(metas[0].more.text_of("name"), "tasks.add");
  EXPECT_EQ(metas[1].exception()->repr(), "ValueError('boom', 42)");
  EXPECT_EQ(metas[1].exception()->sentence(), "boom");
  EXPECT_EQ(metas[1].traceback, "tb");
  EXPECT_EQ(metas[2].task_status(), TaskStatus::RETRY);
  EXPECT_FALSE(metas[2].date_done);
  EXPECT_EQ(metas[3].exception(), task_revoked("terminated"));
  EXPECT_EQ(metas[4].task_status(), TaskStatus::STARTED);
  EXPECT_FALSE(metas[5].task_status());
  EXPECT_EQ(decode_group(raws[6]), (std::vector<std::string>{"x", "y"}));
}

TEST(PythonPeer, ReadsOurEvents) {
  EventSource source{"celery@cpp", 7, 1, now_ms(), 0};
  WorkerFigures figures{2.0, 1, 5, {0.5, 0, 2}, "segments", "1", "Linux"};
  TaskMessage message;
  message.task = "tasks.echo";
  message.args = *read_json("[1, \"a\"]");
  message.routing_key = "celery";
  std::vector<std::string> raws{encode_event(worker_event(WorkerEvent::online, source, figures))};
  std::vector<Event> events;
  auto with_id = [&](const char* id) -> TaskMessage& { return message.id = id, message; };
  auto next = [&]() -> EventSource& { return ++source.clock, source; };
  events.push_back(task_sent(next(), with_id("sent")));
  for (const char* id : {"received", "started", "succeeded", "failed", "retried", "revoked", "rejected"})
    events.push_back(task_received(next(), with_id(id)));
  events.push_back(task_started(next(), "started"));
  events.push_back(task_succeeded(next(), "succeeded", "'r'", 2.0));
  events.push_back(task_failed(next(), "failed", "ValueError('x')", "tb"));
  events.push_back(task_retried(next(), "retried", "ValueError('x')", "tb"));
  events.push_back(task_revoked(next(), "revoked", true, 15, false));
  events.push_back(task_rejected(next(), "rejected", true));
  raws.push_back(encode_task_multi(events));
  raws.push_back(encode_event(worker_event(WorkerEvent::heartbeat, next(), figures)));
  auto lines = run_python(R"py(
from celery.events.state import State
state = State()
keys = {}
for raw in lines:
    message = read_message(raw)
    body = message.payload
    for event in body if isinstance(body, list) else [body]:
        event['local_received'] = event['timestamp']
        assert isinstance(event['clock'], int) and isinstance(event['utcoffset'], int) and isinstance(event['timestamp'], float)
        assert message.headers['hostname'] == event['hostname']
        keys[event['type']] = sorted(event)
        state.event(event)
    put(message.delivery_info['exchange'], message.delivery_info['routing_key'], message.properties['delivery_mode'])
worker = state.workers['celery@cpp']
put(worker.alive, worker.freq, worker.loadavg, worker.sw_ident, worker.pid)
put({id: [t.state, t.name, t.args, t.result, t.exception, t.runtime, t.worker.hostname if t.worker else None] for id, t in state.tasks.items()})
put(keys)
)py",
                          raws);
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_EQ(lines[0], R"(["celeryev", "worker.online", 1])");
  EXPECT_EQ(lines[1], R"(["celeryev", "task.multi", 1])");
  EXPECT_EQ(lines[3], R"([true, 2.0, [0.5, 0.0, 2.0], "segments", 7])");
  auto tasks = read_json(lines[4])->items()[0];
  std::map<std::string, std::string> states{
      {"sent", "PENDING"},   {"received", "RECEIVED"}, {"started", "STARTED"}, {"succeeded", "SUCCESS"},
      {"failed", "FAILURE"}, {"retried", "RETRY"},     {"revoked", "REVOKED"}, {"rejected", "RECEIVED"}};
  for (const auto& [id, state] : states) EXPECT_EQ(tasks.at(id).items()[0].text(), state);
  EXPECT_EQ(tasks.at("received").items()[2].text(), "(1, 'a')");
  EXPECT_EQ(tasks.at("succeeded").items()[3].text(), "'r'");
  auto keys = read_json(lines[5])->items()[0];
  EXPECT_EQ(
      print_json(keys.at("worker-online")),
      R"(["active","clock","freq","hostname","loadavg","local_received","pid","processed","sw_ident","sw_sys","sw_ver","timestamp","type","utcoffset"])");
  EXPECT_EQ(
      print_json(keys.at("task-revoked")),
      R"(["clock","expired","hostname","local_received","pid","signum","terminated","timestamp","type","utcoffset","uuid"])");
}

TEST(PythonPeer, ItsControlIsReadAndItReadsOurs) {
  ControlRequest request;
  request.method = "ping";
  request.arguments = *read_json(R"({"x": [1]})");
  request.destination = {"celery@py"};
  request.ticket = "ticket";
  request.reply_exchange = "reply.celery.pidbox";
  request.reply_routing_key = "oid";
  request.clock = 9;
  ControlRequest cast = request;
  cast.destination.clear();
  cast.pattern = "celery@p*";
  cast.matcher = "glob";
  cast.reply_routing_key.clear();
  auto reply = encode_control_reply(request, "celery@cpp", ok_reply("pong"), 12);
  auto lines = run_python(R"py(
from kombu.pidbox import Mailbox
from kombu.utils.limits import TokenBucket
from celery.utils.time import rate
mailbox = Mailbox('celery', type='fanout')
got = []
node = mailbox.Node('celery@py', state='state', handlers={'ping': lambda state, **kw: got.append(kw) or {'ok': 'pong'}}, channel=channel)
replies = []
node.reply = lambda data, exchange, routing_key, ticket, **kw: replies.append([data, exchange, routing_key, ticket])
for raw in lines[:2]:
    message = read_message(raw)
    node.handle_message(message.payload, message)
put(got); put(replies)
message = read_message(lines[2])
put(message.payload, message.headers)
memory.Channel._put_fanout = lambda self, exchange, message, routing_key, **kw: sent.append(dumps(message))
memory.Channel._lookup = lambda self, *a, **k: ['q']
sent.clear()
i = app.control.inspect(destination=['celery@cpp'], timeout=0.01)
for call in (i.active, i.registered, lambda: i.query_task('a', 'b'), lambda: app.control.revoke(['x', 'y'], terminate=True),
             lambda: app.control.rate_limit('tasks.add', '10/m'), lambda: app.control.ping(pattern='cel*', matcher='glob', timeout=0.01)):
    call()
put(sent)
put([rate(r) for r in ('10/m', '5/s', '100/h', '7', 7, 0.5, None, 0, '', '1.5/m')])
)py",
                          {encode_control_request(request), encode_control_request(cast), reply});
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[0], R"([[{"x": [1]}, {"x": [1]}]])");
  EXPECT_EQ(lines[1], R"([[[{"celery@py": {"ok": "pong"}}, "reply.celery.pidbox", "oid", "ticket"]]])");
  EXPECT_EQ(lines[2], R"([{"celery@cpp": {"ok": "pong"}}, {"ticket": "ticket", "clock": 12}])");
  std::vector<ControlRequest> requests;
  auto raws = read_json(lines[3])->items()[0].items();
  for (const auto& raw : raws) {
    auto decoded = decode_control_request(raw.text());
    ASSERT_TRUE(std::holds_alternative<ControlRequest>(decoded))
        << raw.text() << std::get<std::string>(decoded);
    requests.push_back(std::get<ControlRequest>(decoded));
  }
  ASSERT_EQ(requests.size(), 6u);
  EXPECT_EQ(requests[0].method, "active");
  EXPECT_TRUE(requests[0].wants_reply());
  EXPECT_TRUE(is_for(requests[0], "celery@cpp"));
  EXPECT_FALSE(is_for(requests[0], "celery@py"));
  EXPECT_EQ(texts_in(requests[2].arguments, "ids"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(requests[3].method, "revoke");
  EXPECT_FALSE(requests[3].wants_reply());
  EXPECT_EQ(texts_in(requests[3].arguments, "task_id"), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(requests[4].arguments.text_of("rate_limit"), "10/m");
  EXPECT_TRUE(is_for(requests[5], "celery@cpp"));
  EXPECT_FALSE(is_for(requests[5], "other@cpp"));
  auto rates = read_json(lines[4])->items()[0].items();
  const char* texts[] = {"\"10/m\"", "\"5/s\"", "\"100/h\"", "\"7\"", "7",
                         "0.5",      "null",    "0",         "\"\"",  "\"1.5/m\""};
  for (std::size_t i = 0; i < rates.size(); ++i)
    EXPECT_DOUBLE_EQ(parse_rate(*read_json(texts[i])).value_or(-1), rates[i].real().value()) << texts[i];
  EXPECT_FALSE(parse_rate(*read_json("\"x\"")));
  EXPECT_FALSE(parse_rate(*read_json("\"5/d\"")));
}

}  // namespace
}  // namespace segments::celery

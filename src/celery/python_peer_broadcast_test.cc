// Events and remote control between this room and Debian's own Celery and kombu.
#include <map>

#include "celery/control_message.h"
#include "celery/event.h"
#include "celery/inspection.h"
#include "celery/message.h"
#include "celery/python_test.h"

namespace segments::celery {
namespace {

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
import time
from celery.events.state import State
state = State()
keys = {}
for raw in lines:
    message = read_message(raw)
    body = message.payload
    for event in body if isinstance(body, list) else [body]:
        event['local_received'] = time.time()
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

// Messages between this room and Debian's own Celery and kombu.
#include <cmath>

#include "celery/message.h"
#include "celery/python_test.h"

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

}  // namespace
}  // namespace segments::celery

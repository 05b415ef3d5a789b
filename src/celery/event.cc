#include "celery/event.h"

#include "celery/iso_time.h"
#include "celery/keys.h"
#include "celery/python_repr.h"

namespace segments::celery {
namespace {

Event begin_event(const char* type, const EventSource& source) {
  return {type, Json::object({
                    {"type", type},
                    {"hostname", source.node},
                    {"pid", source.pid},
                    {"clock", source.clock},
                    {"timestamp", static_cast<double>(source.at) / 1000},
                    {"utcoffset", source.utc_offset_h},
                })};
}

Event task_event(const char* type, const EventSource& source, std::string_view uuid) {
  auto event = begin_event(type, source);
  event.fields.put("uuid", uuid);
  return event;
}

Json time_json(const std::optional<Millis>& time) {
  return time ? Json(format_iso_time(*time)) : Json();
}

void put_task(Json& fields, const TaskMessage& message) {
  fields.put("name", message.shown_name());
  fields.put("args", message.argsrepr.empty() ? python_tuple_repr(message.args) : message.argsrepr);
  fields.put("kwargs", message.kwargsrepr.empty() ? python_repr(message.kwargs) : message.kwargsrepr);
  fields.put("root_id", Json::text_or_null(message.root_id));
  fields.put("parent_id", Json::text_or_null(message.parent_id));
  fields.put("retries", message.retries);
  fields.put("eta", time_json(message.eta));
  fields.put("expires", time_json(message.expires));
}

std::string print_events(const Json& body, std::string_view node, std::string_view type) {
  auto envelope = make_envelope(body, keys::event_exchange, keys::event_routing_key(type), 1);
  envelope.headers.put("hostname", node);
  return print_envelope(envelope);
}

}  // namespace

Event worker_event(WorkerEvent kind, const EventSource& source, const WorkerFigures& figures) {
  const char* type = kind == WorkerEvent::online      ? "worker-online"
                     : kind == WorkerEvent::heartbeat ? "worker-heartbeat"
                                                      : "worker-offline";
  auto event = begin_event(type, source);
  event.fields.put("freq", figures.heartbeat_s);
  event.fields.put("active", figures.active);
  event.fields.put("processed", figures.processed);
  event.fields.put("loadavg",
                   Json::array({Json(figures.load[0]), Json(figures.load[1]), Json(figures.load[2])}));
  event.fields.put("sw_ident", figures.software);
  event.fields.put("sw_ver", figures.version);
  event.fields.put("sw_sys", figures.system);
  return event;
}

Event worker_elect_ack(const EventSource& source, std::string_view election_id) {
  auto event = begin_event("worker-elect-ack", source);
  event.fields.put("id", election_id);
  return event;
}

Event task_sent(const EventSource& source, const TaskMessage& message) {
  auto event = task_event("task-sent", source, message.id);
  put_task(event.fields, message);
  event.fields.put("root_id", message.root());
  event.fields.put("queue", message.routing_key);
  event.fields.put("exchange", message.exchange);
  event.fields.put("routing_key", message.routing_key);
  return event;
}

Event task_received(const EventSource& source, const TaskMessage& message) {
  auto event = task_event("task-received", source, message.id);
  put_task(event.fields, message);
  return event;
}

Event task_started(const EventSource& source, std::string_view uuid) {
  return task_event("task-started", source, uuid);
}

Event task_succeeded(const EventSource& source, std::string_view uuid, std::string_view result_repr,
                     double runtime_s) {
  auto event = task_event("task-succeeded", source, uuid);
  event.fields.put("result", result_repr);
  event.fields.put("runtime", runtime_s);
  return event;
}

Event task_failed(const EventSource& source, std::string_view uuid, std::string_view exception_repr,
                  std::optional<std::string_view> traceback) {
  auto event = task_event("task-failed", source, uuid);
  event.fields.put("exception", exception_repr);
  if (traceback) event.fields.put("traceback", *traceback);
  return event;
}

Event task_retried(const EventSource& source, std::string_view uuid, std::string_view exception_repr,
                   std::string_view traceback) {
  auto event = task_event("task-retried", source, uuid);
  event.fields.put("exception", exception_repr);
  event.fields.put("traceback", traceback);
  return event;
}

Event task_revoked(const EventSource& source, std::string_view uuid, bool terminated,
                   std::optional<int> signal, bool expired) {
  auto event = task_event("task-revoked", source, uuid);
  event.fields.put("terminated", terminated);
  event.fields.put("signum", Json::maybe(signal));
  event.fields.put("expired", expired);
  return event;
}

Event task_rejected(const EventSource& source, std::string_view uuid, bool requeue) {
  auto event = task_event("task-rejected", source, uuid);
  event.fields.put("requeue", requeue);
  return event;
}

std::string encode_event(const Event& event) {
  return print_events(event.fields, event.fields.text_of("hostname"), event.type);
}

std::string encode_task_multi(const std::vector<Event>& events) {
  auto list = Json::array();
  for (const auto& event : events) list.items().push_back(event.fields);
  return print_events(list, events.empty() ? "" : events.front().fields.text_of("hostname"), "task-multi");
}

std::vector<ReceivedEvent> decode_events(std::string_view raw) {
  std::vector<ReceivedEvent> events;
  std::string why;
  auto envelope = read_envelope(raw, why);
  if (!envelope) return events;
  auto body = read_body(*envelope, why);
  if (!body) return events;
  auto take = [&](Json& fields) {
    ReceivedEvent event{
        fields.text_of("type"), fields.text_of("hostname"), fields.at("clock").integer().value_or(0), {}};
    if (event.node.empty()) event.node = envelope->headers.text_of("hostname");
    if (event.type.empty() || event.node.empty()) return;
    event.fields = std::move(fields);
    events.push_back(std::move(event));
  };
  if (body->is_array()) {
    for (auto& item : body->items()) take(item);
  } else {
    take(*body);
  }
  return events;
}

}  // namespace segments::celery

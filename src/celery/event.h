// Events of workers and tasks, with exactly the fields that monitors and other workers expect: one field too
// many in a worker's event kills Python peers.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "celery/json.h"
#include "celery/message.h"

namespace segments::celery {

// What every event carries. `clock` is raised by the sender for each event.
struct EventSource {
  std::string node;  // "celery@host"
  std::int64_t pid = 0;
  std::int64_t clock = 0;
  Millis at = 0;
  int utc_offset_h = 0;  // hours WEST of UTC: UTC+2 is -2
};

struct WorkerFigures {
  double heartbeat_s = 2.0;
  std::int64_t active = 0, processed = 0;
  std::array<double, 3> load{};
  std::string software = "segments", version, system = "Linux";
};
enum class WorkerEvent { online, heartbeat, offline };

// One event: its type ("task-received") and all its fields, `type` among them.
struct Event {
  std::string type;
  Json fields;
};

Event worker_event(WorkerEvent, const EventSource&, const WorkerFigures&);
Event worker_elect_ack(const EventSource&, std::string_view election_id);
Event task_sent(const EventSource&,
                const TaskMessage&);  // node "gen<pid>@host"; of a producer, if it is configured
Event task_received(const EventSource&, const TaskMessage&);
Event task_started(const EventSource&, std::string_view uuid);
Event task_succeeded(const EventSource&, std::string_view uuid, std::string_view result_repr,
                     double runtime_s);
Event task_failed(const EventSource&, std::string_view uuid, std::string_view exception_repr,
                  std::optional<std::string_view> traceback);  // without one the field is left out
Event task_retried(const EventSource&, std::string_view uuid, std::string_view exception_repr,
                   std::string_view traceback);
Event task_revoked(const EventSource&, std::string_view uuid, bool terminated, std::optional<int> signal,
                   bool expired);
Event task_rejected(const EventSource&, std::string_view uuid, bool requeue);

// The bytes to publish on keys::event_channel(db, event.type).
std::string encode_event(const Event&);
// Task events together, for keys::event_channel(db, "task-multi"); in the order they happened.
std::string encode_task_multi(const std::vector<Event>&);

// From other workers and clients; a list of task events gives several. Those without a type or node are left
// out; nothing at all when it is no event's envelope.
struct ReceivedEvent {
  std::string type, node;
  std::int64_t clock = 0;
  Json fields;
};
std::vector<ReceivedEvent> decode_events(std::string_view raw);

}  // namespace segments::celery

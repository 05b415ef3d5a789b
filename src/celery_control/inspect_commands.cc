// Commands that only look.
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "celery/inspection.h"
#include "celery/result.h"
#include "celery/signature_parts.h"
#include "celery_control/commands.h"
#include "celery_control/settings.h"

namespace segments::celery {
namespace {

TaskMessage message_of(const Desk& desk, const LeasedTask& task) {
  if (auto message = desk.queue.message_of(task.fence)) return std::move(*message);
  // It ended after the worker was last looked at.
  TaskMessage message;
  message.id = task.id;
  message.task = task.name;
  message.retries = task.retries;
  if (auto arguments = read_json(task.arguments); arguments && arguments->is_object())
    message.kwargs = std::move(*arguments);
  return message;
}

TaskPosition here(const Desk& desk) {
  TaskPosition position;
  position.node = desk.node();
  return position;
}

Json held_info(const Desk& desk, const HeldTask& held, bool safe) {
  auto position = here(desk);
  if (held.begun_at > 0) position.started = held.begun_at;
  if (held.slot > 0) position.pid = held.slot;
  return task_info(message_of(desk, *held.task), position, safe);
}

// Hundreds of thousands may wait, with large arguments: whoever asks is shown the first of them.
class Listing {
 public:
  static constexpr std::size_t most = 1'000, most_bytes = 8 << 20;

  // False where it is enough.
  bool add(Json item) {
    bytes_ += weigh(item).bytes;
    auto& items = tasks_.items();
    if (items.empty() || bytes_ <= most_bytes) items.push_back(std::move(item));
    return items.size() < most && bytes_ < most_bytes;
  }
  Json take() { return std::move(tasks_); }

 private:
  Json tasks_ = Json::array();
  std::size_t bytes_ = 0;
};

Json active(Desk& desk, const Json& arguments) {
  bool safe = arguments.at("safe").is_true();
  Listing listing;
  for (const auto& held : desk.controls.snapshot().tasks)
    if (held.begun_at > 0 && !listing.add(held_info(desk, held, safe))) break;
  return listing.take();
}

Json reserved(Desk& desk, const Json&) {
  Listing listing;
  for (const auto& held : desk.controls.snapshot().tasks)
    if (held.begun_at == 0 && !listing.add(held_info(desk, held, false))) return listing.take();
  auto limited = desk.queue.parked([](const ParkedTask& parked) { return parked.limited; }, Listing::most);
  desk.queue.read_parked(limited, [&](const ParkedTask&, const TaskMessage& message) {
    return listing.add(task_info(message, here(desk)));
  });
  return listing.take();
}

Json scheduled(Desk& desk, const Json&) {
  Listing listing;
  auto waiting = desk.queue.parked([](const ParkedTask& parked) { return !parked.limited; }, Listing::most);
  desk.queue.read_parked(waiting, [&](const ParkedTask&, const TaskMessage& message) {
    return listing.add(scheduled_item(message, here(desk)));
  });
  return listing.take();
}

Json query_task(Desk& desk, const Json& arguments) {
  required(arguments, "ids");
  auto asked = texts_in(arguments, "ids");
  std::set<std::string> ids(asked.begin(), asked.end());
  auto found = Json::object();
  auto put = [&](const std::string& id, const char* state, Json info) {
    found.put(id, Json::array({Json(state), std::move(info)}));
  };
  auto limited = desk.queue.find_parked(asked);
  std::erase_if(limited, [](const ParkedTask& parked) { return !parked.limited; });
  desk.queue.read_parked(limited, [&](const ParkedTask& parked, const TaskMessage& message) {
    put(parked.id, "reserved", task_info(message, here(desk)));
    return true;
  });
  for (const auto& held : desk.controls.snapshot().tasks)
    if (ids.contains(held.task->id))
      put(held.task->id, held.begun_at > 0 ? "active" : "reserved", held_info(desk, held, false));
  return found;
}

std::string attribute_of(const Desk& desk, const TaskLimits& task, std::string_view name) {
  auto limits = desk.time_limits.find(std::string_view(task.name));
  auto set = limits == desk.time_limits.end() ? TimeLimits{} : limits->second;
  if (name == "name") return task.name;
  if (name == "rate_limit") return desk.hooks.rate_limits.shown(task.name);
  if (name == "max_retries") return std::to_string(task.max_retries);
  if (name == "time_limit") return std::to_string(set.hard_s.value_or(task.time_limit_s));
  if (name == "soft_time_limit" && set.soft_s) return std::to_string(*set.soft_s);
  return "";
}

Json registered(Desk& desk, const Json& arguments) {
  auto asked = texts_in(arguments, "taskinfoitems");
  if (asked.empty()) asked = {"rate_limit"};
  std::set<std::string> lines;
  for (const auto& task : desk.options.tasks) {
    std::string attributes;
    for (const auto& name : asked)
      if (auto value = attribute_of(desk, task, name); !value.empty())
        attributes += (attributes.empty() ? "" : " ") + name + "=" + value;
    lines.insert(attributes.empty() ? task.name : std::string(task.name) + " [" + attributes + "]");
  }
  return Json::texts({lines.begin(), lines.end()});
}

Json stats(Desk& desk, const Json&) {
  auto snapshot = desk.controls.snapshot();
  WorkerStats stats;
  for (const auto& [name, count] : snapshot.started) stats.started[name] = static_cast<std::int64_t>(count);
  stats.pid = getpid();
  stats.clock = desk.clock.value();
  stats.uptime_s = (steady_ms() - desk.started) / 1000;
  stats.prefetch_count = snapshot.slots;
  stats.slot_pids.assign(snapshot.slot_pids.begin(), snapshot.slot_pids.end());
  const auto& url = desk.redis.url();
  stats.redis_host = url.socket_path.empty() ? url.host : url.socket_path;
  stats.redis_port = url.port;
  stats.redis_database = url.db;
  stats.redis_tls = url.tls;
  return stats_payload(stats);
}

Json active_queues(Desk& desk, const Json&) {
  auto queues = Json::array();
  for (const auto& name : desk.queue.queues()) queues.items().push_back(active_queue(name));
  return queues;
}

Json revoked(Desk& desk, const Json&) {
  return Json::texts(desk.hooks.revoked.list());
}
Json ping(Desk&, const Json&) {
  return ok_reply("pong");
}
Json conf(Desk& desk, const Json&) {
  return shown_settings(desk);
}
Json report(Desk& desk, const Json&) {
  return ok_reply(report_text(desk));
}
Json clock(Desk& desk, const Json&) {
  return Json::object({{"clock", desk.clock.value()}});
}
Json nothing(Desk&, const Json&) {
  return {};
}
Json objgraph(Desk&, const Json&) {
  return error_reply(
      PythonException{"ImportError", {Json("Requires the objgraph library")}, "builtins"}.repr());
}

// Another worker begins and tells what it knows; the answer is what we know.
Json hello(Desk& desk, const Json& arguments) {
  auto from = required_text(arguments, "from_node");
  if (from == desk.node()) return {};
  auto ids = texts_in(arguments, "revoked");
  for (const auto& [id, times] : arguments.at("revoked").members()) ids.push_back(id);
  log_info("celery.peer_began", {{"node", from}, {"revoked", ids.size()}});
  desk.hear(ids);
  // A list: in a map Python wants times of its own clock.
  return Json::object({{"revoked", Json::texts(desk.hooks.revoked.list())}, {"clock", desk.clock.forward()}});
}

constexpr ControlCommand inspecting[] = {
    {"ping", ping},
    {"active", active},
    {"dump_active", active},
    {"reserved", reserved},
    {"dump_reserved", reserved},
    {"scheduled", scheduled},
    {"dump_schedule", scheduled},
    {"registered", registered},
    {"dump_tasks", registered},
    {"revoked", revoked},
    {"dump_revoked", revoked},
    {"query_task", query_task},
    {"stats", stats},
    {"active_queues", active_queues},
    {"conf", conf},
    {"dump_conf", conf},
    {"report", report},
    {"clock", clock},
    {"hello", hello},
    {"memsample", nothing},
    {"memdump", nothing},
    {"objgraph", objgraph},
};

}  // namespace

std::span<const ControlCommand> inspect_commands() {
  return inspecting;
}

}  // namespace segments::celery

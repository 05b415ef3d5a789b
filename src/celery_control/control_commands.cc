// Commands that change something.
#include <signal.h>
#include <string.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/log.h"
#include "base/text.h"
#include "celery/result.h"
#include "celery_control/commands.h"

namespace segments::celery {
namespace {

std::string joined(const std::vector<std::string>& texts) {
  std::string line;
  for (const auto& text : texts) line += (line.empty() ? "" : ", ") + text;
  return line;
}

Json value_error(std::string_view sentence) {
  return error_reply(PythonException{"ValueError", {Json(sentence)}, "builtins"}.repr());
}

// "SIGTERM", "term", 15, "15"; absent: SIGTERM.
std::optional<int> read_signal(const Json& value) {
  if (value.is_null() || value.text().empty()) return SIGTERM;
  std::string name = value.text();
  if (auto number = parse_integer(name)) {
    if (*number > 0 && *number <= SIGRTMAX) return static_cast<int>(*number);
    return std::nullopt;
  }
  for (auto& letter : name)
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  if (name.starts_with("SIG")) name.erase(0, 3);
  for (int number = 1; number < SIGRTMIN; ++number)
    if (const char* abbreviation = sigabbrev_np(number); abbreviation && name == abbreviation) return number;
  return std::nullopt;
}

// Those among `ids` that are held, and of these those that wait behind another run.
struct Held {
  std::vector<std::string> all, waiting;
};
Held held_of(const Desk& desk, const std::vector<std::string>& ids) {
  std::set<std::string_view> asked(ids.begin(), ids.end());
  Held held;
  auto snapshot = desk.controls.snapshot();
  for (const auto& task : snapshot.tasks) {
    if (!asked.contains(task.task->id)) continue;
    held.all.push_back(task.task->id);
    if (task.begun_at == 0) held.waiting.push_back(task.task->id);
  }
  return held;
}

Json revoke_ids(Desk& desk, const std::vector<std::string>& ids, bool terminate, const Json& signal_name) {
  auto signal = read_signal(signal_name);
  if (terminate && !signal) return value_error("unknown signal: " + signal_name.text());
  desk.revoke(ids);
  auto held = held_of(desk, ids);
  if (!terminate) {
    // What waits in a slot was taken from its list and is not looked up again.
    if (!held.waiting.empty()) desk.controls.terminate(held.waiting);
    log_info("celery.revoked", {{"tasks", ids.size()}});
    return ok_reply("tasks " + joined(ids) + " flagged as revoked");
  }
  auto found = held.all;
  for (const auto& parked : desk.queue.find_parked(ids)) found.push_back(parked.id);
  // All of them: one may have been taken since the worker was last looked at.
  desk.controls.terminate(ids, *signal);
  log_info("celery.terminated", {{"tasks", found.size()}, {"signal", *signal}});
  return ok_reply("terminate: " + (found.empty() ? "tasks unknown" : joined(found)));
}

std::vector<std::string> ids_in(const Json& arguments) {
  required(arguments, "task_id");
  std::vector<std::string> ids;
  std::set<std::string> seen;
  for (auto& id : texts_in(arguments, "task_id"))
    if (seen.insert(id).second) ids.push_back(std::move(id));
  return ids;
}

Json revoke(Desk& desk, const Json& arguments) {
  return revoke_ids(desk, ids_in(arguments), arguments.at("terminate").is_true(), arguments.at("signal"));
}

Json terminate(Desk& desk, const Json& arguments) {
  required(arguments, "signal");
  return revoke_ids(desk, ids_in(arguments), true, arguments.at("signal"));
}

bool has_stamp(const TaskMessage& message, const Json& wanted) {
  const auto& stamps = message.envelope.headers.at("stamps");
  for (const auto& [header, values] : wanted.members()) {
    auto ours = texts_in(stamps, header), theirs = texts_in(wanted, header);
    for (const auto& value : theirs)
      if (std::find(ours.begin(), ours.end(), value) != ours.end()) return true;
  }
  return false;
}

// Of the tasks that are here now; Celery also remembers the stamps for those that come.
Json revoke_by_stamps(Desk& desk, const Json& arguments) {
  auto wanted = required(arguments, "headers");
  if (wanted.is_array()) {  // ["header=value", …], as the command line sends it
    auto pairs = texts_in(arguments, "headers");
    wanted = Json::object();
    for (const auto& pair : pairs)
      if (auto equals = pair.find('='); equals != pair.npos)
        wanted.put(pair.substr(0, equals), pair.substr(equals + 1));
  }
  std::vector<std::string> ids;
  auto snapshot = desk.controls.snapshot();
  for (const auto& held : snapshot.tasks)
    if (auto message = desk.queue.message_of(held.task->fence); message && has_stamp(*message, wanted))
      ids.push_back(message->id);
  desk.queue.read_parked(desk.queue.parked(), [&](const ParkedTask& parked, const TaskMessage& message) {
    if (has_stamp(message, wanted)) ids.push_back(parked.id);
    return true;
  });
  return revoke_ids(desk, ids, arguments.at("terminate").is_true(), arguments.at("signal"));
}

Json rate_limit(Desk& desk, const Json& arguments) {
  auto task = required_text(arguments, "task_name");
  const auto& limit = required(arguments, "rate_limit");
  auto per_second = parse_rate(limit);
  if (!per_second) {
    PythonException why{"ValueError", {Json("not a rate: " + limit.text())}, "builtins"};
    return error_reply("Invalid rate limit string: " + why.repr());
  }
  if (!desk.is_registered(task)) return error_reply("unknown task");
  desk.hooks.rate_limits.set(task, *per_second, limit.text());
  log_info("celery.rate_limit_set", {{"task", task}, {"per_second", *per_second}});
  return ok_reply(*per_second > 0 ? "new rate limit set successfully" : "rate limit disabled successfully");
}

std::optional<int> limit_in(const Json& arguments, std::string_view name) {
  auto seconds = number_or_none(arguments, name);
  if (!seconds) return std::nullopt;
  if (*seconds < 0) throw ArgumentFault{"argument '" + std::string(name) + "' must not be negative"};
  return static_cast<int>(std::ceil(std::min(*seconds, 1e9)));
}

Json time_limit(Desk& desk, const Json& arguments) {
  auto task = arguments.text_of("task_name");
  if (!desk.is_registered(task)) return error_reply("unknown task");
  TimeLimits limits{.soft_s = limit_in(arguments, "soft"), .hard_s = limit_in(arguments, "hard")};
  desk.controls.set_time_limits(task, limits);
  desk.time_limits[task] = limits;
  log_info("celery.time_limit_set",
           {{"task", task}, {"soft_s", limits.soft_s.value_or(0)}, {"hard_s", limits.hard_s.value_or(0)}});
  return ok_reply("time limits set successfully");
}

Json add_consumer(Desk& desk, const Json& arguments) {
  auto queue = required_text(arguments, "queue");
  desk.queue.add_queue(queue);
  // add_queue() binds the queue to the exchange of its own name.
  auto exchange = arguments.text_of("exchange"), routing_key = arguments.text_of("routing_key");
  if (!exchange.empty() || !routing_key.empty()) {
    if (exchange.empty()) exchange = queue;
    if (routing_key.empty()) routing_key = queue;
    desk.redis.ask({"SADD", keys::binding(exchange), keys::binding_member(routing_key, queue)});
  }
  log_info("celery.consumer_added", {{"queue", queue}});
  return ok_reply("add consumer " + queue);
}

Json cancel_consumer(Desk& desk, const Json& arguments) {
  auto queue = required_text(arguments, "queue");
  desk.queue.cancel_queue(queue);
  log_info("celery.consumer_cancelled", {{"queue", queue}});
  return ok_reply("no longer consuming from " + queue);
}

int count_in(const Json& arguments) {
  return static_cast<int>(std::clamp(number_or_none(arguments, "n").value_or(1), 0.0, double{most_slots}));
}

Json pool_grow(Desk& desk, const Json& arguments) {
  log_info("celery.pool_grows", {{"slots", desk.controls.add_slots(count_in(arguments))}});
  return ok_reply("pool will grow");
}

// One slot stays: a worker without any takes nothing and looks alive.
Json pool_shrink(Desk& desk, const Json& arguments) {
  int by = std::min(count_in(arguments), std::max(0, desk.controls.snapshot().slots - 1));
  log_info("celery.pool_shrinks", {{"slots", desk.controls.add_slots(-by)}});
  return ok_reply("pool will shrink");
}

Json autoscale(Desk&, const Json&) {
  return value_error("Autoscale not enabled");
}
Json pool_restart(Desk&, const Json&) {
  return value_error("Pool restarts not enabled");
}

Json enable_events(Desk& desk, const Json&) {
  return ok_reply(desk.hooks.buffer.want(true) ? "task events already enabled" : "task events enabled");
}
Json disable_events(Desk& desk, const Json&) {
  return ok_reply(desk.hooks.buffer.want(false) ? "task events disabled" : "task events already disabled");
}

Json heartbeat(Desk& desk, const Json&) {
  desk.heartbeat_is_wanted = true;
  return {};
}

// We begin no elections: nothing here is a leader's alone.
Json election(Desk&, const Json& arguments) {
  required(arguments, "id");
  required(arguments, "topic");
  return {};
}

Json shutdown(Desk& desk, const Json&) {
  log_warning("celery.shutdown_asked", {});
  desk.controls.stop();
  desk.is_silent = true;
  return {};
}

constexpr ControlCommand control_rows[] = {
    {"revoke", revoke},
    {"terminate", terminate},
    {"revoke_by_stamped_headers", revoke_by_stamps},
    {"rate_limit", rate_limit},
    {"time_limit", time_limit},
    {"add_consumer", add_consumer},
    {"cancel_consumer", cancel_consumer},
    {"pool_grow", pool_grow},
    {"pool_shrink", pool_shrink},
    {"autoscale", autoscale},
    {"pool_restart", pool_restart},
    {"enable_events", enable_events},
    {"disable_events", disable_events},
    {"heartbeat", heartbeat},
    {"election", election},
    {"shutdown", shutdown},
};

}  // namespace

std::span<const ControlCommand> control_commands() {
  return control_rows;
}

}  // namespace segments::celery

#include "celery/inspection.h"

#include <sys/resource.h>

#include "celery/iso_time.h"
#include "celery/python_repr.h"

namespace segments::celery {
namespace {

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

Json resource_usage() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto json = Json::object({{"utime", seconds_of(usage.ru_utime)}, {"stime", seconds_of(usage.ru_stime)}});
  auto put = [&](const char* name, long value) { json.put(name, static_cast<std::int64_t>(value)); };
  put("maxrss", usage.ru_maxrss);
  put("ixrss", usage.ru_ixrss);
  put("idrss", usage.ru_idrss);
  put("isrss", usage.ru_isrss);
  put("minflt", usage.ru_minflt);
  put("majflt", usage.ru_majflt);
  put("nswap", usage.ru_nswap);
  put("inblock", usage.ru_inblock);
  put("oublock", usage.ru_oublock);
  put("msgsnd", usage.ru_msgsnd);
  put("msgrcv", usage.ru_msgrcv);
  put("nsignals", usage.ru_nsignals);
  put("nvcsw", usage.ru_nvcsw);
  put("nivcsw", usage.ru_nivcsw);
  return json;
}

Json broker_json(const WorkerStats& stats) {
  return Json::object({
      {"hostname", stats.redis_host},
      {"userid", nullptr},
      {"virtual_host", std::to_string(stats.redis_database)},
      {"port", stats.redis_port},
      {"insist", false},
      {"ssl", stats.redis_tls},
      {"transport", "redis"},
      {"connect_timeout", 4},
      {"transport_options", Json::object()},
      {"login_method", nullptr},
      {"uri_prefix", nullptr},
      {"heartbeat", 120.0},
      {"failover_strategy", "round-robin"},
      {"alternates", Json::array()},
  });
}

}  // namespace

Json task_info(const TaskMessage& message, const TaskPosition& position, bool safe) {
  auto args_text = message.argsrepr.empty() ? python_tuple_repr(message.args) : message.argsrepr;
  auto kwargs_text = message.kwargsrepr.empty() ? python_repr(message.kwargs) : message.kwargsrepr;
  return Json::object({
      {"id", message.id},
      {"name", message.shown_name()},
      {"args", safe ? Json(args_text) : message.args},
      {"kwargs", safe ? Json(kwargs_text) : message.kwargs},
      {"type", message.task},
      {"hostname", position.node},
      {"time_start", position.started ? Json(static_cast<double>(*position.started) / 1000) : Json()},
      {"acknowledged", position.acknowledged},
      {"delivery_info", Json::object({{"exchange", message.exchange},
                                      {"routing_key", message.routing_key},
                                      {"priority", message.priority},
                                      {"redelivered", message.redelivered}})},
      {"worker_pid", Json::maybe(position.pid)},
  });
}

Json scheduled_item(const TaskMessage& message, const TaskPosition& position) {
  return Json::object({
      {"eta", format_iso_time(message.eta.value_or(0))},
      {"priority", 6},
      {"request", task_info(message, position)},
  });
}

Json stats_payload(const WorkerStats& stats) {
  auto total = Json::object(), pids = Json::array();
  for (const auto& [task, count] : stats.started) total.put(task, count);
  for (auto pid : stats.slot_pids) pids.items().push_back(pid);
  auto pool = Json::object({
      {"max-concurrency", stats.prefetch_count},  // the slots that are wanted: some may be starting
      {"processes", std::move(pids)},
      {"max-tasks-per-child", "N/A"},
      {"put-guarded-by-semaphore", false},
      {"timeouts", Json::array({Json(0), Json(0)})},
      {"writes", Json::object()},
  });
  return Json::object({
      {"total", std::move(total)},
      {"pid", stats.pid},
      {"clock", std::to_string(stats.clock)},
      {"uptime", stats.uptime_s},
      {"pool", std::move(pool)},
      {"broker", broker_json(stats)},
      {"prefetch_count", stats.prefetch_count},
      {"rusage", resource_usage()},
  });
}

Json active_queue(std::string_view queue) {
  auto exchange = Json::object({
      {"name", queue},
      {"type", "direct"},
      {"arguments", nullptr},
      {"durable", true},
      {"passive", false},
      {"auto_delete", false},
      {"delivery_mode", nullptr},
      {"no_declare", false},
  });
  auto json = Json::object({{"name", queue}, {"exchange", std::move(exchange)}, {"routing_key", queue}});
  for (const char* name : {"queue_arguments", "binding_arguments", "consumer_arguments"})
    json.put(name, nullptr);
  json.put("durable", true);
  for (const char* name : {"exclusive", "auto_delete", "no_ack"}) json.put(name, false);
  json.put("alias", nullptr);
  json.put("bindings", Json::array());
  for (const char* name :
       {"no_declare", "expires", "message_ttl", "max_length", "max_length_bytes", "max_priority"})
    json.put(name, nullptr);
  return json;
}

}  // namespace segments::celery

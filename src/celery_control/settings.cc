#include "celery_control/settings.h"

#include <sys/utsname.h>

#include "base/text.h"

namespace segments::celery {

std::string shown_setting(std::string_view name, std::string_view value) {
  auto lower = lower_ascii(name);
  for (const char* secret : {"api", "token", "key", "secret", "pass", "signature", "credential"})
    if (lower.find(secret) != lower.npos) return "********";
  std::string shown(value);
  auto scheme = shown.find("://");
  if (scheme == shown.npos) return shown;
  auto begin = scheme + 3;
  // A password may have slashes in it that nobody escaped.
  auto at = shown.rfind('@');
  if (at == shown.npos || at < begin) return shown;
  auto colon = shown.find(':', begin);
  if (colon < at) shown.replace(colon + 1, at - colon - 1, "**");
  return shown;
}

Json shown_settings(const Desk& desk) {
  auto url = desk.redis.url().shown();
  auto json = Json::object({
      {"broker_url", url},
      {"result_backend", url},
      {"accept_content", Json::array({Json("json")})},
      {"task_serializer", "json"},
      {"result_serializer", "json"},
      {"task_default_queue", desk.queue.queues().empty() ? Json() : Json(desk.queue.queues().front())},
      {"task_acks_late", true},
      {"result_expires", keys::result_ttl_s},
      {"worker_concurrency", desk.controls.snapshot().slots},
      {"worker_send_task_events", desk.hooks.buffer.are_wanted()},
      {"enable_utc", true},
      {"timezone", "UTC"},
  });
  for (const auto& [name, value] : desk.options.settings) json.put(name, shown_setting(name, value));
  return json;
}

std::string report_text(const Desk& desk) {
  utsname system{};
  uname(&system);
  std::string text = "\nsoftware -> segments:" + desk.options.version + "\nplatform -> system:";
  text.append(system.sysname).append(" ").append(system.release).append(" arch:").append(system.machine);
  text += "\nloader   -> none, tasks are compiled in";
  text += "\nsettings -> transport:redis results:" + desk.redis.url().shown() + "\n";
  auto settings = shown_settings(desk);
  for (const auto& [name, value] : settings.members())
    text += "\n" + name + ": " + (value.is_text() ? value.text() : print_json(value));
  return text + "\n";
}

}  // namespace segments::celery

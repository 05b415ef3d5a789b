#include "celery/follow_up_message.h"

#include <algorithm>
#include <cmath>

#include "celery/iso_time.h"
#include "celery/keys.h"
#include "celery/signature_parts.h"

namespace segments::celery {
namespace {

std::optional<Millis> time_option(const Json& options, const char* name, Millis now) {
  const auto& value = options.at(name);
  if (value.is_null()) return std::nullopt;
  if (auto seconds = value.real(); seconds && std::abs(*seconds) < 1e11)
    return now + static_cast<Millis>(std::llround(*seconds * 1000));
  auto time = value.is_text() ? parse_iso_time(value.text(), std::string_view(name) == "eta") : std::nullopt;
  if (!time) throw UnusableSignature{std::string("A signature's ") + name + " is no time."};
  return time;
}

std::optional<double> seconds_option(const Json& options, const char* name) {
  auto seconds = options.at(name).real();
  return seconds && *seconds > 0 && *seconds < 1e9 ? seconds : std::nullopt;
}

// As Celery's producer: an exchange counts with a routing key alone, and a routing key with an exchange.
void address(TaskMessage& message, const Json& options) {
  message.exchange = options.text_of("exchange");
  message.routing_key = options.text_of("routing_key");
  if (!message.exchange.empty() && !message.routing_key.empty()) return;
  message.exchange.clear();
  message.routing_key = keys::default_queue;
  for (auto name : {options.at("queue").text_of("name"), options.text_of("queue")})
    if (!name.empty()) message.routing_key = name;
}

// The values stand among the options, under the names that stamped_headers lists.
void stamp(Json& headers, const Json& options) {
  const auto& names = options.at("stamped_headers");
  if (!names.is_true()) return;
  auto stamps = options.at("stamps").is_object() ? options.at("stamps") : Json::object();
  for (const auto& name : names.items())
    if (const auto* value = options.find(name.text()); value && name.is_text())
      stamps.put(name.text(), *value);
  headers.put("stamped_headers", names);
  headers.put("stamps", std::move(stamps));
}

}  // namespace

TaskMessage make_follow_up(const Json& signature, const TaskMessage& parent, Millis now) {
  const auto& options = signature.at("options");
  TaskMessage message;
  message.task = signature.text_of("task");
  if (message.task.empty()) throw UnusableSignature{"A signature names no task."};
  message.id = options.text_of("task_id");
  if (message.id.empty()) message.id = make_uuid();
  if (signature.at("args").is_array()) message.args = signature.at("args");
  if (signature.at("kwargs").is_object()) message.kwargs = signature.at("kwargs");
  auto list = [](const Json& value) { return value.is_object() ? Json::array({value}) : value; };
  message.embed = Json::object({{"callbacks", list(options.at("link"))},
                                {"errbacks", list(options.at("link_error"))},
                                {"chain", options.at("chain")},
                                {"chord", options.at("chord")}});
  message.shadow = options.text_of("shadow");
  message.eta = time_option(options, "eta", now);
  if (const auto countdown = time_option(options, "countdown", now)) message.eta = countdown;
  message.expires = time_option(options, "expires", now);
  message.group = options.text_of("group_id");
  message.group_index = options.at("group_index").integer();
  message.time_limit = {seconds_option(options, "time_limit"), seconds_option(options, "soft_time_limit")};
  message.root_id = parent.root();
  message.parent_id = parent.id;
  message.origin = parent.origin;
  message.ignore_result = options.at("ignore_result").is_true();
  message.priority =
      static_cast<int>(std::clamp<std::int64_t>(options.at("priority").integer().value_or(0), 0, 9));
  message.reply_to = options.at("reply_to").is_text() ? options.text_of("reply_to") : parent.reply_to;
  address(message, options);
  message.envelope.headers = options.at("headers").is_object() ? options.at("headers") : Json::object();
  stamp(message.envelope.headers, options);
  return message;
}

}  // namespace segments::celery

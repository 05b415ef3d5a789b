// How a task's message is read.
#include <algorithm>
#include <limits>

#include "base/text.h"
#include "celery/content.h"
#include "celery/iso_time.h"
#include "celery/message.h"

namespace segments::celery {
namespace {

constexpr std::size_t max_name_bytes = 1'000;  // of an id, a task's name, a group's id: they become keys

// Thrown and caught in this file alone.
struct Refusal {
  MessageProblem why;
  std::string sentence;
};

[[noreturn]] void refuse(std::string sentence) {
  throw Refusal{MessageProblem::invalid, std::move(sentence)};
}

std::string required_name(const Json& headers, const char* header) {
  const auto& value = headers.at(header);
  if (!value.is_text() || value.text().empty() || value.text().size() > max_name_bytes)
    refuse(std::string("The task's ") + header + " is no text, or empty or too long.");
  return value.text();
}

std::optional<Millis> time_in(const Json& headers, const char* header) {
  const auto& value = headers.at(header);
  if (value.is_null()) return std::nullopt;
  auto time =
      value.is_text() ? parse_iso_time(value.text(), std::string_view(header) == "eta") : std::nullopt;
  if (!time) refuse(std::string("The task's ") + header + " is no time.");
  return time;
}

std::optional<double> seconds_in(const Json& value) {
  auto seconds = value.real();
  return seconds && *seconds > 0 ? seconds : std::nullopt;
}

TimeLimit time_limit_in(const Json& headers) {
  auto limit = find_time_limit(headers);
  if (!limit) refuse("The task's time limit is no pair of seconds.");
  return *limit;
}

int retries_in(const Json& headers) {
  const auto& value = headers.at("retries");
  if (value.is_null()) return 0;
  auto count = value.integer();
  if (!count || *count < 0 || *count > std::numeric_limits<int>::max() - 1)
    refuse("The task's retries are no count.");
  return static_cast<int>(*count);
}

int priority_in(const Json& properties) {
  auto priority = properties.at("priority").integer().value_or(0);
  return static_cast<int>(std::clamp<std::int64_t>(priority, 0, 9));
}

void read_headers(TaskMessage& message, const Json& headers) {
  message.task = required_name(headers, "task");
  message.id = required_name(headers, "id");
  message.shadow = headers.text_of("shadow");
  message.eta = time_in(headers, "eta");
  message.expires = time_in(headers, "expires");
  if (const auto& group = headers.at("group"); group.is_true())
    message.group = required_name(headers, "group");
  message.group_index = headers.at("group_index").integer();
  message.retries = retries_in(headers);
  message.time_limit = time_limit_in(headers);
  message.root_id = headers.text_of("root_id");
  message.parent_id = headers.text_of("parent_id");
  if (std::max(message.root_id.size(), message.parent_id.size()) > max_name_bytes)
    refuse("The task's root_id or parent_id is too long.");
  message.argsrepr = headers.text_of("argsrepr");
  message.kwargsrepr = headers.text_of("kwargsrepr");
  message.origin = headers.text_of("origin");
  if (const auto& ignore = headers.at("ignore_result"); !ignore.is_null())
    message.ignore_result = ignore.is_true();
}

void read_properties(TaskMessage& message, const Envelope& envelope) {
  const auto& properties = envelope.properties;
  const auto& delivery = properties.at("delivery_info");
  message.priority = priority_in(properties);
  message.correlation_id = properties.text_of("correlation_id");
  message.reply_to = properties.text_of("reply_to");
  message.exchange = delivery.text_of("exchange");
  message.routing_key = delivery.text_of("routing_key");
  message.delivery_tag = properties.text_of("delivery_tag");
  message.redelivered = envelope.headers.at("redelivered").is_true() || delivery.at("redelivered").is_true();
}

void take_arguments(TaskMessage& message, Json&& args, Json&& kwargs) {
  if (!args.is_null() && !args.is_array()) refuse("The task's positional arguments are no list.");
  if (!kwargs.is_null() && !kwargs.is_object()) refuse("The task's keyword arguments are no mapping.");
  if (args.is_array()) message.args = std::move(args);
  if (kwargs.is_object()) message.kwargs = std::move(kwargs);
}

void read_body_2(TaskMessage& message, Json&& body) {
  if (!body.is_array() || body.items().size() != 3) refuse("The task's body is no list of three.");
  auto& parts = body.items();
  if (!parts[2].is_null() && !parts[2].is_object()) refuse("What the task embeds is no mapping.");
  take_arguments(message, std::move(parts[0]), std::move(parts[1]));
  if (parts[2].is_object()) message.embed = std::move(parts[2]);
}

void read_body_1(TaskMessage& message, Json&& body) {
  message.protocol = 1;
  // Later versions name the group twice; the old name wins in Python.
  if (const auto* old = body.find("taskset")) body.put("group", Json(*old));
  read_headers(message, body);
  for (const char* name : {"callbacks", "errbacks", "chord"})
    if (const auto* value = body.find(name)) message.embed.put(name, *value);
  take_arguments(message, Json(body.at("args")), Json(body.at("kwargs")));
}

Json checked_body(const Envelope& envelope) {
  std::string why;
  if (!is_json_content(envelope.content_type) || !is_utf8_content(envelope.content_encoding)) {
    read_body(envelope, why);
    throw Refusal{MessageProblem::content_type, why};
  }
  auto body = read_body(envelope, why);
  if (!body) throw Refusal{MessageProblem::undecodable, why};
  return std::move(*body);
}

TaskMessage read_task(Envelope&& envelope) {
  TaskMessage message;
  read_properties(message, envelope);
  if (envelope.headers.find("task")) {
    read_headers(message, envelope.headers);
    read_body_2(message, checked_body(envelope));
  } else {
    auto body = checked_body(envelope);
    if (!body.is_object() || !body.find("task"))
      throw Refusal{MessageProblem::unknown, "The message is not a task's."};
    read_body_1(message, std::move(body));
  }
  message.envelope = std::move(envelope);
  return message;
}

}  // namespace

std::variant<TaskMessage, MessageFault> decode_message(std::string_view raw) {
  MessageFault fault;
  if (raw.size() > max_message_bytes)
    return MessageFault{MessageProblem::too_large, too_large_sentence, "", ""};
  auto envelope = read_envelope(raw, fault.sentence);
  if (!envelope) return fault;
  fault.task = clean_utf8(envelope->headers.text_of("task"), max_name_bytes);
  fault.id = clean_utf8(envelope->headers.text_of("id"), max_name_bytes);
  try {
    return read_task(std::move(*envelope));
  } catch (Refusal& refusal) {
    fault.why = refusal.why;
    fault.sentence = std::move(refusal.sentence);
    return fault;
  }
}

std::optional<TimeLimit> find_time_limit(const Json& headers) {
  const auto& value = headers.at("timelimit");
  if (value.is_null()) return TimeLimit{};
  if (!value.is_array() || value.items().size() > 2) return std::nullopt;
  const auto& pair = value.items();
  for (const auto& limit : pair)
    if (auto seconds = limit.real(); !limit.is_null() && !(seconds && *seconds >= 0 && *seconds <= 1e9))
      return std::nullopt;
  TimeLimit limit;
  if (!pair.empty()) limit.hard_s = seconds_in(pair[0]);
  if (pair.size() > 1) limit.soft_s = seconds_in(pair[1]);
  return limit;
}

int priority_of(std::string_view raw) {
  auto json = read_json(raw);
  return json ? priority_in(json->at("properties")) : 0;
}

}  // namespace segments::celery

// How a task's message is printed.
#include <algorithm>

#include "celery/content.h"
#include "celery/iso_time.h"
#include "celery/message.h"
#include "celery/python_repr.h"

namespace segments::celery {
namespace {

bool is_same_limit(const TimeLimit& a, const TimeLimit& b) {
  return a.hard_s == b.hard_s && a.soft_s == b.soft_s;
}

// Whole seconds as integers, as they mostly came.
Json seconds_json(const std::optional<double>& seconds) {
  if (!seconds) return {};
  if (*seconds == static_cast<double>(static_cast<std::int64_t>(*seconds)))
    return Json(static_cast<std::int64_t>(*seconds));
  return Json(*seconds);
}

// A time stays in its own words, with its microseconds, while it means the same.
void put_time(Json& headers, const char* header, const std::optional<Millis>& time) {
  const auto& old = headers.at(header);
  if (time && old.is_text() && parse_iso_time(old.text(), std::string_view(header) == "eta") == time) return;
  headers.put(header, time ? Json(format_iso_time(*time)) : Json());
}

void put_time_limit(Json& headers, const TimeLimit& limit) {
  if (headers.find("timelimit"))
    if (auto old = find_time_limit(headers); old && is_same_limit(*old, limit)) return;
  headers.put("timelimit", Json::array({seconds_json(limit.hard_s), seconds_json(limit.soft_s)}));
}

void put_headers(Json& headers, const TaskMessage& message) {
  if (!headers.find("lang")) headers.put("lang", "c++");
  headers.put("task", message.task);
  headers.put("id", message.id);
  headers.put("shadow", Json::text_or_null(message.shadow));
  put_time(headers, "eta", message.eta);
  put_time(headers, "expires", message.expires);
  headers.put("group", Json::text_or_null(message.group));
  headers.put("group_index", Json::maybe(message.group_index));
  headers.put("retries", message.retries);
  put_time_limit(headers, message.time_limit);
  headers.put("root_id", message.root());
  headers.put("parent_id", Json::text_or_null(message.parent_id));
  headers.put("argsrepr", message.argsrepr.empty() ? python_tuple_repr(message.args) : message.argsrepr);
  headers.put("kwargsrepr", message.kwargsrepr.empty() ? python_repr(message.kwargs) : message.kwargsrepr);
  headers.put("origin", message.origin);
  // Absent means the task's own setting to Celery 5.6.
  if (message.ignore_result) headers.put("ignore_result", *message.ignore_result);
  if (message.redelivered)
    headers.put("redelivered", true);
  else
    headers.remove("redelivered");
}

void put_properties(Json& properties, const TaskMessage& message) {
  properties.put("correlation_id", message.correlation_id.empty() ? message.id : message.correlation_id);
  properties.put("reply_to", message.reply_to);
  if (!properties.find("delivery_mode")) properties.put("delivery_mode", 2);
  auto delivery =
      properties.at("delivery_info").is_object() ? properties.at("delivery_info") : Json::object();
  delivery.put("exchange", message.exchange);
  delivery.put("routing_key", message.routing_key);
  if (message.redelivered)
    delivery.put("redelivered", true);
  else
    delivery.remove("redelivered");
  properties.put("delivery_info", std::move(delivery));
  properties.put("priority", std::clamp(message.priority, 0, 9));
  properties.put("delivery_tag", message.delivery_tag.empty() ? make_uuid() : message.delivery_tag);
}

void put_body(Envelope& envelope, const TaskMessage& message) {
  auto embed = message.embed;
  for (const char* name : {"callbacks", "errbacks", "chain", "chord"})
    if (!embed.find(name)) embed.put(name, nullptr);
  std::string body = "[";
  print_json(body, message.args);
  body += ", ";
  print_json(body, message.kwargs);
  body += ", ";
  print_json(body, embed);
  body += "]";
  envelope.body = encode_base64(body);
  envelope.content_type = "application/json";
  envelope.content_encoding = "utf-8";
  envelope.headers.remove("compression");
  envelope.properties.put("body_encoding", "base64");
}

}  // namespace

std::string encode_message(const TaskMessage& message, bool body_changed) {
  Envelope envelope = message.envelope;
  put_headers(envelope.headers, message);
  put_properties(envelope.properties, message);
  if (body_changed || message.protocol != 2 || envelope.body.empty()) put_body(envelope, message);
  return print_envelope(envelope);
}

std::string encode_retry(const TaskMessage& message, Millis eta) {
  TaskMessage next = message;
  ++next.retries;
  next.eta = eta;
  next.parent_id = message.id;
  next.delivery_tag.clear();
  next.redelivered = false;
  return encode_message(next, false);
}

std::optional<std::string> encode_restored(std::string_view raw) {
  auto json = read_json(raw);
  std::string why;
  if (!json || !read_envelope(raw, why)) return std::nullopt;
  auto headers = json->at("headers");
  headers.put("redelivered", true);
  json->put("headers", std::move(headers));
  auto properties = json->at("properties");
  auto delivery =
      properties.at("delivery_info").is_object() ? properties.at("delivery_info") : Json::object();
  delivery.put("redelivered", true);
  properties.put("delivery_info", std::move(delivery));
  json->put("properties", std::move(properties));
  return print_json(*json);
}

}  // namespace segments::celery

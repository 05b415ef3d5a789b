#include "celery/message.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "base/text.h"
#include "celery/content.h"
#include "celery/keys.h"
#include "celery/python_repr.h"

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
  if (value.is_null()) return std::nullopt;
  auto seconds = value.real();
  if (!seconds || !(*seconds >= 0 && *seconds <= 1e9))
    refuse("The task's time limit is no number of seconds.");
  return *seconds == 0 ? std::nullopt : seconds;
}

TimeLimit time_limit_in(const Json& headers) {
  const auto& value = headers.at("timelimit");
  if (value.is_null()) return {};
  if (!value.is_array() || value.items().size() > 2) refuse("The task's timelimit is no pair.");
  TimeLimit limit;
  const auto& pair = value.items();
  if (!pair.empty()) limit.hard_s = seconds_in(pair[0]);
  if (pair.size() > 1) limit.soft_s = seconds_in(pair[1]);
  return limit;
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
  if (headers.find("timelimit")) {
    try {
      if (is_same_limit(time_limit_in(headers), limit)) return;
    } catch (const Refusal&) {  // it is replaced, then
    }
  }
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

std::variant<TaskMessage, MessageFault> decode_message(std::string_view raw) {
  MessageFault fault;
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

int priority_of(std::string_view raw) {
  auto json = read_json(raw);
  return json ? priority_in(json->at("properties")) : 0;
}

namespace {

// Two or more digits at the front of `text`, taken off it; -1 when they are not there.
int take_digits(std::string_view& text, std::size_t count) {
  int number = 0;
  if (text.size() < count) return -1;
  for (char digit : text.substr(0, count)) {
    if (digit < '0' || digit > '9') return -1;
    number = number * 10 + (digit - '0');
  }
  text.remove_prefix(count);
  return number;
}

bool take_char(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// Minutes east of UTC; empty when `text` is no offset or goes on behind it.
std::optional<int> read_offset(std::string_view text) {
  if (text.empty() || text == "Z") return 0;
  bool west = text.front() == '-';
  if (!west && text.front() != '+') return std::nullopt;
  text.remove_prefix(1);
  int hours = take_digits(text, 2);
  take_char(text, ':');
  int minutes = take_digits(text, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || !text.empty()) return std::nullopt;
  return (west ? -1 : 1) * (hours * 60 + minutes);
}

// Milliseconds of a fraction's digits, taken off the front; `rest` tells of more than milliseconds. -1: no
// digits.
int take_fraction(std::string_view& text, bool& rest) {
  int millis = 0, count = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    int digit = text.front() - '0';
    if (count < 3)
      millis = millis * 10 + digit;
    else
      rest = rest || digit != 0;
    ++count;
    text.remove_prefix(1);
  }
  if (count == 0) return -1;
  for (; count < 3; ++count) millis *= 10;
  return millis;
}

}  // namespace

std::optional<Millis> parse_iso_time(std::string_view text, bool up) {
  int year = take_digits(text, 4);
  bool dashed = take_char(text, '-');
  int month = take_digits(text, 2);
  if (dashed != take_char(text, '-')) return std::nullopt;
  int day = take_digits(text, 2);
  std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                   std::chrono::day(static_cast<unsigned>(day))};
  if (!dashed || year < 1 || month < 1 || day < 1 || !date.ok()) return std::nullopt;
  int hour = 0, minute = 0, second = 0, millis = 0;
  bool rest = false;
  if (!text.empty()) {
    if (text.front() != 'T' && text.front() != ' ') return std::nullopt;
    text.remove_prefix(1);
    hour = take_digits(text, 2);
    bool colon = take_char(text, ':');
    minute = take_digits(text, 2);
    if (!colon || hour < 0 || hour > 23 || minute < 0 || minute > 59) return std::nullopt;
    if (take_char(text, ':')) {
      second = take_digits(text, 2);
      if (second < 0 || second > 59) return std::nullopt;
      if (take_char(text, '.')) millis = take_fraction(text, rest);
      if (millis < 0) return std::nullopt;
    }
  }
  auto offset = read_offset(text);
  if (!offset) return std::nullopt;
  Millis days = std::chrono::sys_days(date).time_since_epoch().count();
  return ((days * 24 + hour) * 60 + minute - *offset) * 60'000 + second * 1'000 + millis + (up && rest);
}

std::string format_iso_time(Millis at) {
  using namespace std::chrono;
  auto clamped = std::clamp<Millis>(at, -62'135'596'800'000, 253'402'300'799'999);  // years 1 to 9999
  sys_time<milliseconds> time{milliseconds(clamped)};
  auto day = floor<days>(time);
  year_month_day date(day);
  hh_mm_ss clock(time - day);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03d000+00:00",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
                static_cast<int>(clock.subseconds().count()));
  return text;
}

}  // namespace segments::celery

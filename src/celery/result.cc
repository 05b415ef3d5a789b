#include "celery/result.h"

#include <algorithm>
#include <array>

#include "celery/iso_time.h"
#include "celery/message.h"
#include "celery/python_repr.h"
#include "describe/encode.h"

namespace segments::celery {
namespace {

constexpr const char* celery_exceptions = "celery.exceptions";

// The ids of tasks in results of Celery's nested form: [[id, parent], null] or [id, null], and of a group
// [[id, parent], [member, …]].
void collect_ids(const Json& node, std::vector<std::string>& out, int depth) {
  if (!node.is_array() || depth > 100) return;
  const auto& items = node.items();
  if (items.size() == 2 && items[0].is_text()) {
    out.push_back(items[0].text());
  } else if (items.size() == 2 && items[0].is_array() && items[1].is_array()) {
    for (const auto& item : items[1].items()) collect_ids(item, out, depth + 1);
  } else if (!items.empty()) {
    collect_ids(items[0], out, depth + 1);
  }
}

constexpr std::array known_members{"status",    "result",   "traceback", "children",
                                   "date_done", "group_id", "parent_id", "task_id"};

}  // namespace

Json PythonException::json() const {
  return Json::object({{"exc_type", type}, {"exc_message", Json::array(arguments)}, {"exc_module", module}});
}

std::string PythonException::repr() const {
  if (arguments.size() == 1) return type + "(" + python_repr(arguments[0]) + ")";
  return type + python_tuple_repr(Json::array(arguments));
}

std::string PythonException::sentence() const {
  for (const auto& argument : arguments)
    if (argument.is_text() && !argument.text().empty()) return argument.text();
  return repr();
}

PythonException not_registered(std::string_view task) {
  return {"NotRegistered", {Json(task)}, celery_exceptions};
}
PythonException task_revoked(std::string_view why) {
  return {"TaskRevokedError", {Json(why)}, celery_exceptions};
}
PythonException time_limit_exceeded(double seconds) {
  auto whole = static_cast<std::int64_t>(seconds);
  bool is_whole = static_cast<double>(whole) == seconds;
  return {"TimeLimitExceeded", {is_whole ? Json(whole) : Json(seconds)}, "billiard.exceptions"};
}
PythonException soft_time_limit_exceeded() {
  return {"SoftTimeLimitExceeded", {}, "billiard.exceptions"};
}
PythonException worker_lost(std::string_view sentence) {
  return {"WorkerLostError", {Json(sentence)}, "billiard.exceptions"};
}
PythonException chord_error(std::string_view dependency_id, const PythonException& cause) {
  return {"ChordError",
          {Json("Dependency " + std::string(dependency_id) + " raised " + cause.repr())},
          celery_exceptions};
}
PythonException runtime_error(std::string_view sentence) {
  return {"RuntimeError", {Json(sentence)}, "builtins"};
}

std::optional<PythonException> read_exception(const Json& json) {
  const auto& type = json.at("exc_type");
  if (!type.is_text() || type.text().empty()) return std::nullopt;
  PythonException exception{type.text(), {}, json.text_of("exc_module")};
  const auto& message = json.at("exc_message");
  if (message.is_array())
    exception.arguments = message.items();
  else if (!message.is_null())
    exception.arguments.push_back(message);
  return exception;
}

std::optional<TaskStatus> ResultMeta::task_status() const {
  return enum_from<TaskStatus>(status);
}

ResultMeta make_success(std::string_view task_id, Json result, Millis done) {
  ResultMeta meta;
  meta.task_id = task_id;
  meta.status = "SUCCESS";
  meta.result = std::move(result);
  meta.date_done = done;
  return meta;
}
ResultMeta make_failure(std::string_view task_id, const PythonException& exception,
                        std::string_view traceback, Millis done) {
  auto meta = make_success(task_id, exception.json(), done);
  meta.status = "FAILURE";
  meta.traceback = traceback;
  return meta;
}
ResultMeta make_retry(std::string_view task_id, const PythonException& exception,
                      std::string_view traceback) {
  auto meta = make_failure(task_id, exception, traceback, 0);
  meta.status = "RETRY";
  meta.date_done.reset();
  return meta;
}
ResultMeta make_revoked(std::string_view task_id, std::string_view why, Millis done) {
  auto meta = make_failure(task_id, task_revoked(why), "", done);
  meta.status = "REVOKED";
  return meta;
}
ResultMeta make_started(std::string_view task_id, std::int64_t pid, std::string_view node) {
  auto meta = make_success(task_id, Json::object({{"pid", pid}, {"hostname", node}}), 0);
  meta.status = "STARTED";
  meta.date_done.reset();
  return meta;
}

// One for each task: printed as it stands.
std::string encode_result(const ResultMeta& meta) {
  std::string out;
  auto name = [&](std::string_view text) -> std::string& {
    out += out.empty() ? '{' : ',';
    encode_string(out, text);
    return out += ':';
  };
  auto text_or_null = [&](std::string_view text) {
    text.empty() ? void(out += "null") : encode_string(out, text);
  };
  encode_string(name("status"), meta.status);
  print_json(name("result"), meta.result);
  name("traceback");
  text_or_null(meta.traceback);
  print_json(name("children"), meta.children);
  name("date_done");
  text_or_null(meta.date_done ? format_iso_time(*meta.date_done) : "");
  encode_string(name("task_id"), meta.task_id);
  if (!meta.group_id.empty()) encode_string(name("group_id"), meta.group_id);
  if (!meta.parent_id.empty()) encode_string(name("parent_id"), meta.parent_id);
  for (const auto& [other, value] : meta.more.members())
    if (std::find(known_members.begin(), known_members.end(), other) == known_members.end())
      print_json(name(other), value);
  return out += '}';
}

std::optional<ResultMeta> decode_result(std::string_view text, std::string* why) {
  auto json = read_json(text, why);
  if (!json) return std::nullopt;
  if (!json->is_object() || json->text_of("status").empty()) {
    if (why) *why = "The result has no status.";
    return std::nullopt;
  }
  ResultMeta meta;
  meta.task_id = json->text_of("task_id");
  meta.status = json->text_of("status");
  meta.result = json->at("result");
  meta.traceback = json->text_of("traceback");
  if (json->at("children").is_array()) meta.children = json->at("children");
  meta.date_done = parse_iso_time(json->text_of("date_done"));
  meta.group_id = json->text_of("group_id");
  meta.parent_id = json->text_of("parent_id");
  for (auto& member : json->members())
    if (std::find(known_members.begin(), known_members.end(), member.first) == known_members.end())
      meta.more.members().push_back(std::move(member));
  return meta;
}

std::string encode_chord_part(const ChordPart& part) {
  return print_json(Json::array({Json(1), Json(part.task_id), Json(part.status), part.result}));
}

std::optional<ChordPart> decode_chord_part(std::string_view text) {
  auto json = read_json(text);
  if (!json || json->items().size() != 4) return std::nullopt;
  const auto& items = json->items();
  if (!items[1].is_text() || !items[2].is_text()) return std::nullopt;
  return ChordPart{items[1].text(), items[2].text(), items[3]};
}

ChordOutcome join_chord(const std::vector<std::string>& parts) {
  ChordOutcome outcome;
  for (const auto& text : parts) {
    auto part = decode_chord_part(text);
    if (!part) {
      outcome.error =
          PythonException{"ChordError", {Json("A part of the chord cannot be read")}, celery_exceptions};
      return outcome;
    }
    if (part->status != "SUCCESS") {
      auto cause = read_exception(part->result);
      outcome.error =
          chord_error(part->task_id, cause.value_or(PythonException{"Exception", {part->result}, ""}));
      return outcome;
    }
    outcome.results.push_back(std::move(part->result));
  }
  return outcome;
}

std::optional<std::vector<std::string>> decode_group(std::string_view text) {
  auto json = read_json(text);
  if (!json || !json->at("result").is_array()) return std::nullopt;
  const auto& result = json->at("result").items();
  if (result.size() != 2 || !result[1].is_array()) return std::nullopt;
  std::vector<std::string> ids;
  for (const auto& member : result[1].items()) collect_ids(member, ids, 0);
  return ids;
}

}  // namespace segments::celery

// What the result backend keeps of a task (celery-task-meta-<id>), of a group and of a chord's parts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "celery/json.h"
#include "queue/task_queue.h"

namespace segments::celery {

// An exception as Python's client builds it: the class `module`.`type` called with `arguments`.
struct PythonException {
  std::string type = "Exception";
  std::vector<Json> arguments;
  std::string module = "builtins";

  Json json() const;             // {"exc_type", "exc_message", "exc_module"}
  std::string repr() const;      // ValueError('boom', 42)
  std::string sentence() const;  // the first text among its arguments, else the repr

  bool operator==(const PythonException&) const = default;
};

PythonException not_registered(std::string_view task);
PythonException task_revoked(std::string_view why);  // "revoked", "expired", "terminated"
PythonException time_limit_exceeded(double seconds);
PythonException soft_time_limit_exceeded();
PythonException worker_lost(std::string_view sentence);
PythonException chord_error(std::string_view dependency_id, const PythonException&);
PythonException runtime_error(std::string_view sentence);  // of our tasks' own failures
// Reads what PythonException::json() wrote, and Python's own forms (exc_message a text; exc_module null).
// Empty for others.
std::optional<PythonException> read_exception(const Json&);

struct ResultMeta {
  std::string task_id;
  std::string status =
      "PENDING";                  // SUCCESS FAILURE RETRY REVOKED STARTED, or what a custom Python task wrote
  Json result;                    // with FAILURE, RETRY and REVOKED an exception's JSON
  std::string traceback;          // "" none
  Json children = Json::array();  // as Celery nests them: see frozen_result.h
  std::optional<Millis> date_done;  // with SUCCESS, FAILURE and REVOKED
  std::string group_id, parent_id;  // "" none
  Json more = Json::object();  // name, args, kwargs, worker, retries, queue of extended results, and others

  bool is_final() const { return status == "SUCCESS" || status == "FAILURE" || status == "REVOKED"; }
  std::optional<TaskStatus> task_status() const;  // empty for a status of somebody's own
  std::optional<PythonException> exception() const { return read_exception(result); }
};

ResultMeta make_success(std::string_view task_id, Json result, Millis done);
ResultMeta make_failure(std::string_view task_id, const PythonException&, std::string_view traceback,
                        Millis done);
ResultMeta make_retry(std::string_view task_id, const PythonException&, std::string_view traceback);
ResultMeta make_revoked(std::string_view task_id, std::string_view why, Millis done);
ResultMeta make_started(std::string_view task_id, std::int64_t pid, std::string_view node);

std::string encode_result(const ResultMeta&);
// Empty when it is no JSON object with a text `status`; then `why` is one plain sentence. Other fields of a
// wrong kind are read as absent.
std::optional<ResultMeta> decode_result(std::string_view text, std::string* why = nullptr);

// A member of <group>.j: [1, id, state, result or exception].
struct ChordPart {
  std::string task_id;
  std::string status;
  Json result;
};
std::string encode_chord_part(const ChordPart&);
std::optional<ChordPart> decode_chord_part(std::string_view text);
// All results in their order, or the ChordError of the first part that failed or cannot be read.
struct ChordOutcome {
  std::vector<Json> results;
  std::optional<PythonException> error;
};
ChordOutcome join_chord(const std::vector<std::string>& parts);

// The ids of a saved group (celery-taskset-meta-<id>), nested ones flattened. Empty when it cannot be read.
std::optional<std::vector<std::string>> decode_group(std::string_view text);

}  // namespace segments::celery

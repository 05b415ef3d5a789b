// Positional and named arguments of a message to the one JSON object that our tasks take, bound as Python
// would bind them to a function's parameters; and Python's typed JSON (kombu 5.3 and later) to plain values.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "celery/json.h"
#include "celery/result.h"

namespace segments::celery {

struct Parameter {
  std::string name;
  bool required = true;
};
struct TaskSignature {
  std::string task;  // "tasks.process_video_task"
  std::vector<Parameter> parameters;
};

// Of our four tasks; clients/python/tasks.py says the same.
std::span<const TaskSignature> task_signatures();
const TaskSignature* find_task_signature(std::string_view task);

// The JSON object for NewTask.arguments, members in the order of the parameters, typed JSON made plain.
// Otherwise the exception that Python would raise, with Python's own words: TypeError("process_video_task()
// missing 1 required positional argument: 'job_id'"); ValueError for NaN, an infinity, or bytes that are not
// text.
std::variant<std::string, PythonException> bind_arguments(const TaskSignature&, const Json& args,
                                                          const Json& kwargs);
// For messages of our own: everything as kwargs. Throws Error{malformed} when it is not a JSON object.
Json kwargs_of(std::string_view arguments_json);

// {"__type__": T, "__value__": V} at any depth becomes text: datetime, date, time and decimal as they are
// written, uuid as "xxxxxxxx-xxxx-…", bytes as text, base64 decoded where that is text. Unknown types and
// broken values stay objects.
Json plain_json(const Json&);

}  // namespace segments::celery

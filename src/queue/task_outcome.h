// How a run of a task ended, as the task tells it and as a slot passes it on to its worker.
#pragma once

#include <boost/describe.hpp>
#include <string>

namespace segments {

enum class TaskEnding { success, retry, failure };
BOOST_DESCRIBE_ENUM(TaskEnding, success, retry, failure)

struct TaskOutcome {
  TaskEnding ending = TaskEnding::success;
  std::string result = "null";  // JSON, with success
  std::string error = {};       // one plain sentence otherwise; internal detail is in the log alone
  int retry_after_s = 0;        // 0: the worker's own back-off
};
BOOST_DESCRIBE_STRUCT(TaskOutcome, (), (ending, result, error, retry_after_s))

}  // namespace segments

#include "tasks/run_task.h"

#include <exception>
#include <new>

#include "base/log.h"
#include "tasks/registry.h"

namespace segments {
namespace {

constexpr const char* internal_sentence = "The task failed for an internal reason; the log says more.";

TaskOutcome outcome_of(const Error& error) {
  TaskOutcome outcome;
  switch (error.kind()) {
    case ErrorKind::unavailable:
    case ErrorKind::rate_limited:
    case ErrorKind::internal:
      outcome.ending = TaskEnding::retry;
      break;
    default:
      outcome.ending = TaskEnding::failure;
  }
  outcome.error = error.kind() == ErrorKind::internal ? internal_sentence : error.what();
  // The sentence of several faults only counts them: a task's caller sees nothing but this sentence.
  if (error.faults().size() > 1)
    for (const auto& fault : error.faults()) outcome.error += " " + fault.pointer + ": " + fault.detail;
  outcome.retry_after_s = error.retry_after_s();
  return outcome;
}

TaskOutcome internal_failure() {
  return {.ending = TaskEnding::retry, .error = internal_sentence};
}

}  // namespace

TaskOutcome run_task(const LeasedTask& task, Services& services, const std::string& work_dir) {
  TaskOutcome outcome;
  std::string detail;
  try {
    const auto* definition = find_task_definition(task.name);
    if (!definition)
      throw Error(ErrorKind::invalid, "There is no task named " + task.name.substr(0, 200) + ".");
    outcome.result =
        definition->run(task.arguments, services, {task.id, task.retries, task.max_retries, work_dir});
  } catch (const Error& error) {
    outcome = outcome_of(error);
    detail = error.what();
  } catch (const std::bad_alloc& error) {
    // A slot's memory is limited: what was too much for it once would be so again.
    outcome = outcome_of(Error(ErrorKind::too_large, "The task needs more memory than is allowed."));
    detail = error.what();
  } catch (const std::exception& error) {
    outcome = internal_failure();
    detail = error.what();
  }
  // The worker tells how each run ended; only what the user does not get to see is told here.
  if (!detail.empty() && detail != outcome.error)
    log_error("task.threw", {{"task", task.name}, {"error", detail}});
  return outcome;
}

void give_up_task(const LeasedTask& task, Services& services, const std::string& error, bool revoked) {
  LogScope scope("task_id", task.id);
  const auto* definition = find_task_definition(task.name);
  if (!definition || !definition->give_up) return;
  try {
    definition->give_up(task.arguments, services, error, revoked);
  } catch (const Error& fault) {
    // Arguments that cannot be read name nothing that could be marked, now or later.
    if (fault.kind() != ErrorKind::invalid && fault.kind() != ErrorKind::malformed) throw;
    log_warning("task.give_up_refused", {{"task", task.name}, {"error", fault.what()}});
  }
}

}  // namespace segments

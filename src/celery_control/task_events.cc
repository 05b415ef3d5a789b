#include "celery_control/task_events.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "celery/python_repr.h"
#include "celery/result.h"

namespace segments::celery {

namespace {

std::string repr_of_result(const std::string& result_json) {
  auto result = read_json(result_json);
  return python_repr(result ? *result : Json(result_json));
}

PythonException exception_of(const LeasedTask& task, const RunEnd& end) {
  if (end.ending == RunEnding::time_limit) return time_limit_exceeded(task.time_limit_s);
  if (end.ending == RunEnding::soft_time_limit) return soft_time_limit_exceeded();
  if (end.ending == RunEnding::worker_lost) return worker_lost(end.error);
  return runtime_error(end.error);
}

// The last line of what Python would print; our tasks tell no more.
std::string traceback_of(const PythonException& exception) {
  return "Traceback (most recent call last):\n" + exception.type + ": " + exception.sentence() + "\n";
}

// How long the producer's own descriptions of its arguments are is up to it, and events wait in memory.
Event with_short_texts(Event event) {
  constexpr std::size_t most = 8'192;
  for (auto& [name, value] : event.fields.members())
    if (value.is_text() && value.text().size() > most) value = Json(clean_utf8(value.text(), most) + "...");
  return event;
}

// An event that cannot be made is no reason to disturb the queue.
template <class Make>
void add_event(EventBuffer& buffer, Make make) {
  if (!buffer.are_wanted()) return;
  try {
    buffer.add(make());
  } catch (const std::exception& error) {
    log_error("celery.event_failed", {{"detail", std::string_view(error.what())}});
  }
}

}  // namespace

int utc_offset_hours() {
  time_t now = time(nullptr);
  tm local{};
  localtime_r(&now, &local);
  long west = -local.tm_gmtoff;
  return static_cast<int>(west >= 0 ? west / 3600 : -((-west + 3599) / 3600));
}

TaskEvents::TaskEvents(std::string node, EventBuffer& buffer, const RevokedIds& revoked)
    : node_(std::move(node)),
      pid_(getpid()),
      buffer_(buffer),
      revoked_(revoked),
      utc_offset_h_(utc_offset_hours()) {}

// The clock is set by who publishes it.
EventSource TaskEvents::source(Millis at) const {
  return {.node = node_, .pid = pid_, .clock = 0, .at = at, .utc_offset_h = utc_offset_h_};
}

void TaskEvents::run_started(const LeasedTask& task, pid_t, Millis begun_at) {
  add_event(buffer_, [&] { return task_started(source(begun_at), task.id); });
}

void TaskEvents::run_ended(const LeasedTask& task, const RunEnd& end) {
  if (!buffer_.are_wanted()) return;
  if (end.ending == RunEnding::revoked || end.ending == RunEnding::terminated || end.recorded) {
    send_ending(task, end);
  } else if (end.ending != RunEnding::lost && end.ending != RunEnding::handed_back &&
             revoked_.contains(task.id)) {
    // It ended while it was being revoked, and the revocation came first.
    add_event(buffer_, [&] { return task_revoked(source(now_ms()), task.id, false, std::nullopt, false); });
  }
}

void TaskEvents::send_ending(const LeasedTask& task, const RunEnd& end) {
  add_event(buffer_, [&]() -> Event {
    auto from = source(now_ms());
    bool has_run = end.runtime_s > 0;
    switch (end.ending) {
      case RunEnding::success:
        return task_succeeded(from, task.id, repr_of_result(end.result), end.runtime_s);
      case RunEnding::retry: {
        auto exception = runtime_error(end.error);
        return task_retried(from, task.id, exception.repr(), traceback_of(exception));
      }
      case RunEnding::terminated:
        return task_revoked(from, task.id, true, end.signal, false);
      case RunEnding::revoked:
        return task_revoked(from, task.id, has_run, has_run ? std::optional(SIGTERM) : std::nullopt, false);
      case RunEnding::handed_back:
      case RunEnding::lost:
        return task_rejected(from, task.id, true);
      default:
        break;
    }
    auto exception = exception_of(task, end);
    return task_failed(from, task.id, exception.repr(), traceback_of(exception));
  });
}

// What is handed back is told by run_ended(), which knows whether it was revoked.
QueueObserver TaskEvents::queue_observer() {
  QueueObserver observer;
  observer.received = [this](const TaskMessage& message) {
    add_event(buffer_, [&] { return with_short_texts(task_received(source(now_ms()), message)); });
  };
  observer.revoked = [this](const TaskMessage& message, bool expired) {
    add_event(buffer_,
              [&] { return task_revoked(source(now_ms()), message.id, false, std::nullopt, expired); });
  };
  observer.refused = [this](const TaskMessage& message, const PythonException& exception) {
    add_event(buffer_,
              [&] { return task_failed(source(now_ms()), message.id, exception.repr(), std::nullopt); });
  };
  return observer;
}

}  // namespace segments::celery

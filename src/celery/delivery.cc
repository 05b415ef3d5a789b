#include "celery/delivery.h"

#include <algorithm>
#include <cmath>

#include "celery/arguments.h"
#include "queue/task_names.h"

namespace segments::celery {

std::string tag_of(std::int64_t fence) {
  return "segments-" + std::to_string(fence);
}

Json encode_own_header(const OwnHeader& own) {
  return Json::object(
      {{"user_id", own.user_id}, {"parent_id", own.parent_id}, {"max_retries", own.max_retries}});
}

std::optional<OwnHeader> find_own_header(const TaskMessage& message) {
  const auto* json = message.envelope.headers.find("segments");
  if (!json || !json->is_object()) return std::nullopt;
  auto retries = std::clamp<std::int64_t>(json->at("max_retries").integer().value_or(3), 0, 1'000'000);
  return OwnHeader{json->text_of("user_id"), json->text_of("parent_id"), static_cast<int>(retries)};
}

std::string Delivery::user_id() const {
  return own ? own->user_id : message.kwargs.text_of("user_id");
}

LeasedTask Delivery::task() const {
  const auto* limits = find_task_limits(message.task);
  auto seconds = [](const std::optional<double>& limit, int otherwise) {
    return limit ? std::max(1, static_cast<int>(std::ceil(*limit))) : otherwise;
  };
  LeasedTask task;
  task.id = message.id;
  task.name = message.task;
  task.arguments = arguments;
  task.user_id = user_id();
  task.retries = message.retries;
  task.max_retries = own ? own->max_retries : limits ? limits->max_retries : task.max_retries;
  task.time_limit_s = seconds(message.time_limit.hard_s, limits ? limits->time_limit_s : task.time_limit_s);
  task.soft_time_limit_s = seconds(message.time_limit.soft_s, 0);
  task.fence = fence;
  return task;
}

TaskMessage make_message(const NewTask& task, const std::string& queue, const std::string& node, Millis now) {
  TaskMessage message;
  message.task = task.name;
  message.id = task.id;
  message.kwargs = kwargs_of(task.arguments);
  if (task.not_before > now) message.eta = task.not_before;
  if (task.expires > 0) message.expires = task.expires;
  message.time_limit.hard_s = task.time_limit_s;
  if (task.soft_time_limit_s > 0) message.time_limit.soft_s = task.soft_time_limit_s;
  message.parent_id = task.parent_id;
  message.origin = node;
  message.ignore_result = false;
  message.priority = task.priority;
  message.routing_key = queue;
  message.envelope.headers.put("segments",
                               encode_own_header({task.user_id, task.parent_id, task.max_retries}));
  return message;
}

}  // namespace segments::celery

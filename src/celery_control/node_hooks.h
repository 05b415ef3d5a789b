// What the queue and the worker call while they run, and the node answers from: made before the three of them
// and outliving them.
#pragma once

#include <string>

#include "celery_control/rate_limits.h"
#include "celery_control/task_events.h"

namespace segments::celery {

struct NodeHooks {
  explicit NodeHooks(std::string node_name, Metrics* metrics = nullptr)
      : node(std::move(node_name)), buffer(bell, metrics), events(node, buffer, revoked) {}

  // For the queue that the node works on. The worker's observer is `events`.
  void attach(CeleryQueueOptions& options) {
    options.node = node;
    options.observer = events.queue_observer();
    options.limit = [this](const std::string& task) { return rate_limits.wait(task, steady_ms()); };
  }

  const std::string node;  // "celery@host"
  Bell bell;
  RateLimits rate_limits;
  RevokedIds revoked;
  EventBuffer buffer;
  TaskEvents events;
};

}  // namespace segments::celery

// Where remote control's commands work: what they may look at and change, and what they leave to be done.
// Used on the control thread alone.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "celery/celery_queue.h"
#include "celery_control/lamport_clock.h"
#include "celery_control/node_hooks.h"
#include "celery_control/node_options.h"
#include "redis/client.h"
#include "worker/worker_controls.h"

namespace segments::celery {

struct Desk {
  const NodeOptions& options;
  redis::Client& redis;  // of the control thread: answers soon or not at all
  CeleryQueue& queue;
  WorkerControls& controls;
  NodeHooks& hooks;
  Millis started = steady_ms();
  LamportClock clock = {};
  std::map<std::string, TimeLimits, std::less<>> time_limits = {};  // as operators set them

  // Left by commands.
  std::vector<std::string> to_drop = {};  // ids whose messages the queue is to drop when they come
  std::vector<std::string> heard = {};    // the same, as peers remember them
  bool heartbeat_is_wanted = false;
  bool is_silent = false;  // the command is one that nobody answers

  const std::string& node() const { return hooks.node; }
  bool has_revoked() const { return !to_drop.empty() || !heard.empty(); }
  bool is_registered(std::string_view task) const;
  void revoke(const std::vector<std::string>& ids);  // remembered, and left to be dropped
  void hear(const std::vector<std::string>& ids);    // that peers had them revoked at some time
};

}  // namespace segments::celery

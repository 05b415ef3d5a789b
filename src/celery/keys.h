// Names of Celery's keys and channels with default options (no prefix, separator 06 16, steps 0 3 6 9), and
// of our own data beside them. All in the broker's database but for results.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "queue/task_queue.h"

namespace segments::celery::keys {

inline constexpr std::string_view separator = "\x06\x16";
inline constexpr std::array<int, 4> priority_steps{0, 3, 6, 9};  // see priority_step()
inline constexpr int result_ttl_s = 86'400;
inline constexpr int visibility_timeout_s = 3'600;

inline constexpr const char* unacked = "unacked";  // hash: tag -> [message, exchange, routing key]
inline constexpr const char* unacked_index = "unacked_index";  // zset: tag -> seconds when taken or renewed
inline constexpr const char* unacked_mutex = "unacked_mutex";  // whose sweep it is
inline constexpr const char* default_queue = "celery";

// The list that holds a queue's messages of a priority.
inline std::string queue_list(std::string_view queue, int priority) {
  std::string key(queue);
  if (int step = priority_step(priority)) key.append(separator).append(std::to_string(step));
  return key;
}

inline std::string binding(std::string_view exchange) {
  return "_kombu.binding." + std::string(exchange);
}
// A member of a binding's set.
inline std::string binding_member(std::string_view routing_key, std::string_view queue,
                                  std::string_view pattern = "") {
  std::string member(routing_key);
  return member.append(separator).append(pattern).append(separator).append(queue);
}

inline std::string task_meta(std::string_view task_id) {  // a key and a channel
  return "celery-task-meta-" + std::string(task_id);
}
inline std::string group_meta(std::string_view group_id) {
  return "celery-taskset-meta-" + std::string(group_id);
}
inline std::string chord_parts(std::string_view group_id) {
  return group_meta(group_id) + ".j";
}
inline std::string chord_size(std::string_view group_id) {
  return group_meta(group_id) + ".s";
}
inline std::string chord_size_difference(std::string_view group_id) {
  return group_meta(group_id) + ".t";
}

inline constexpr const char* control_exchange = "celery.pidbox";
inline constexpr const char* reply_exchange = "reply.celery.pidbox";
inline constexpr const char* event_exchange = "celeryev";
inline std::string control_channel(int database) {
  return "/" + std::to_string(database) + ".celery.pidbox";
}
inline std::string control_queue(std::string_view node) {  // bound while the node listens; never a key
  return std::string(node) + ".celery.pidbox";
}
inline std::string reply_queue(std::string_view oid) {
  return std::string(oid) + ".reply.celery.pidbox";
}
// "worker-heartbeat" goes to "/0.celeryev/worker.heartbeat", a list of task events to ".../task.multi".
inline std::string event_routing_key(std::string_view type) {
  std::string key(type);
  std::replace(key.begin(), key.end(), '-', '.');
  return key;
}
inline std::string event_channel(int database, std::string_view type) {
  return "/" + std::to_string(database) + ".celeryev/" + event_routing_key(type);
}
inline std::string worker_event_pattern(int database) {  // what gossip subscribes to
  return "/" + std::to_string(database) + ".celeryev/worker.*";
}
inline std::string event_pattern(int database) {
  return "/" + std::to_string(database) + ".celeryev/*";
}

// Ours.
inline std::string task(std::string_view task_id) {
  return "segments:task:" + std::string(task_id);
}
inline std::string children(std::string_view parent_id) {
  return "segments:children:" + std::string(parent_id);
}
inline constexpr const char* leases = "segments:leases";
inline constexpr const char* revoked = "segments:revoked";
inline constexpr const char* given_up = "segments:given_up";
inline constexpr const char* given_up_items = "segments:given_up:items";
inline constexpr const char* dead_letters = "segments:dead_letters";
inline constexpr const char* dead_letter_items = "segments:dead_letters:items";
inline constexpr const char* waiting = "segments:waiting";
inline constexpr const char* running = "segments:running";
inline constexpr const char* totals = "segments:totals";
inline constexpr const char* workers = "segments:workers";
inline constexpr const char* holders = "segments:holders";  // zset: who leases tasks -> when it was last seen
inline constexpr const char* delayed = "segments:delayed";
inline constexpr const char* expiring = "segments:expiring";
inline constexpr const char* garbage = "segments:garbage";
inline constexpr const char* dead_letter_ids = "segments:dead_letters:ids";

}  // namespace segments::celery::keys

#include "celery/celery_queue.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/text.h"
#include "celery/control_message.h"
#include "celery/ending.h"
#include "celery/scripts.h"
#include "celery/task_record.h"
#include "celery/unacked.h"

namespace segments::celery {

using redis::Command;

namespace {

// A queue's name stands as it is in what `unacked` keeps, and a script reads it there.
constexpr Millis week_ms = 7 * 24 * 3'600'000;  // how long a revocation is kept

void check_queue_name(const std::string& name) {
  if (name.empty() || name.size() > 255 || !is_utf8(name) || has_control(name) ||
      name.find_first_of("\"\\") != name.npos)
    throw Error(ErrorKind::invalid,
                "A queue's name is 1 to 255 bytes of text without quotation marks, backslashes and control "
                "characters.");
}

}  // namespace

CeleryQueue::CeleryQueue(redis::Client& redis, CeleryQueueOptions options)
    : redis_(redis), options_(std::move(options)), server_clock_(redis), holder_(make_id()) {
  check_queue_name(options_.queue);
  set_queues(options_.consumed.empty() ? std::vector{options_.queue} : options_.consumed);
}

CeleryQueue::~CeleryQueue() = default;

std::string CeleryQueue::index_score(Millis at) const {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", static_cast<double>(at) / 1000);
  return text;
}

// As kombu does it, so that tools which publish through the exchange of a queue's name find the queue.
void CeleryQueue::declare(const std::string& queue) {
  {
    std::lock_guard lock(mutex_);
    if (declared_.contains(queue)) return;
  }
  redis_.ask({"SADD", keys::binding(queue), keys::binding_member(queue, queue)});
  std::lock_guard lock(mutex_);
  declared_.insert(queue);
}

std::string CeleryQueue::enqueue(const NewTask& task) {
  NewTask named = task;
  if (named.id.empty()) named.id = make_id();
  enqueue_all({&named, 1});
  return named.id;
}

void CeleryQueue::enqueue_all(std::span<const NewTask> tasks) {
  if (tasks.empty()) return;
  Millis at = now();
  // Where a Python worker that acknowledges early is at work for longer, the task is done twice.
  constexpr Millis looked_for_after_ms = 3 * 3'600'000;
  ScriptCall call;
  call.add(at).add(at - Millis{keys::result_ttl_s} * 1000).add(at - looked_for_after_ms).add(options_.queue);
  call.add(static_cast<Millis>(tasks.size()));
  for (const auto& task : tasks) {
    NewTask named = task;
    if (named.id.empty()) named.id = make_id();
    auto message = make_message(named, options_.queue, options_.node, at);
    call.add(named.id).add(keys::queue_list(options_.queue, named.priority)).add(encode_message(message));
    call.add(named.name).add(named.user_id).add(std::max(named.not_before, at)).add(named.parent_id);
    call.add(named.expires).add(Millis{0});
  }
  declare(options_.queue);
  auto reply = call.run(redis_, enqueue_script());
  if (!reply.text.empty()) throw misused_list(reply.text);
  for (const auto& id : reply.items)
    log_warning("celery.message_was_gone", {{"task_id", std::string_view(id.text)}});
}

std::optional<TaskState> CeleryQueue::find_task(std::string_view task_id) {
  if (task_id.empty()) return std::nullopt;
  auto replies = redis_.ask_all(std::vector<Command>{
      {"HGETALL", keys::task(task_id)},
      {"GET", keys::task_meta(task_id)},
      {"HMGET", keys::children(task_id), "total", "done"},
  });
  return join_task(task_id, replies[0], replies[1], replies[2], now());
}

bool CeleryQueue::revoke(std::string_view task_id) {
  return revoke_tasks(std::vector{std::string(task_id)}, false, now()) == 1;
}

// What its owner is told is in a task's message, which is kept beside a task that can expire.
std::vector<std::string> CeleryQueue::given_up_by_expiry(std::span<const std::string> task_ids) {
  std::vector<Command> asks;
  for (const auto& id : task_ids) asks.push_back({"HGET", keys::task(id), "message"});
  std::vector<std::string> items;
  for (const auto& raw : redis_.ask_all(asks)) {
    auto message = decode_message(raw.text);
    auto& item = items.emplace_back();
    auto* task = std::get_if<TaskMessage>(&message);
    if (!task) continue;
    Delivery delivery;
    delivery.own = find_own_header(*task);
    if (auto bound = bind(*task); auto* text = std::get_if<std::string>(&bound)) delivery.arguments = *text;
    delivery.message = std::move(*task);
    item = encode_given_up(delivery.task(), expired_sentence, false);
  }
  return items;
}

std::size_t CeleryQueue::revoke_tasks(std::span<const std::string> task_ids, bool expired, Millis at) {
  if (task_ids.empty()) return 0;
  std::vector<std::string> given(task_ids.size());
  if (expired) given = given_up_by_expiry(task_ids);
  ScriptCall call;
  call.add(at).add(Millis{options_.result_ttl_s}).add(expired ? expired_sentence : "");
  call.add(expired ? "1" : "0").add(expired ? "" : keys::control_channel(redis_.url().db)).add(at + week_ms);
  call.add(static_cast<Millis>(task_ids.size()));
  for (std::size_t i = 0; i < task_ids.size(); ++i) {
    const auto& id = task_ids[i];
    ControlRequest request;
    request.method = "revoke";
    request.arguments = Json::object({{"task_id", id}, {"terminate", true}, {"signal", "SIGTERM"}});
    call.add(id).add(encode_result(make_revoked(id, expired ? "expired" : "revoked", at)));
    call.add(encode_result(make_revoked(id, "terminated", at))).add(given[i]);
    call.add(expired ? "" : encode_control_request(request));
  }
  return static_cast<std::size_t>(call.run(redis_, revoke_script()).integer);
}

void CeleryQueue::drop_later(std::span<const std::string> task_ids) {
  if (task_ids.empty()) return;
  Millis until = now() + week_ms;
  Command command("ZADD");
  command.add(keys::revoked);
  for (const auto& id : task_ids) command.add(until).add(id);
  redis_.ask(command);
}

void CeleryQueue::drop_unknown_later(std::span<const std::string> task_ids) {
  std::vector<Command> asks;
  for (const auto& id : task_ids) asks.push_back({"EXISTS", keys::task(id)});
  auto known = redis_.ask_all(asks);
  std::vector<std::string> unknown;
  for (std::size_t i = 0; i < task_ids.size(); ++i)
    if (known[i].integer == 0) unknown.push_back(task_ids[i]);
  drop_later(unknown);
}

std::vector<std::string> CeleryQueue::revoked_tasks(const std::vector<std::string>& task_ids) {
  std::vector<std::string> revoked;
  if (task_ids.empty()) return revoked;
  for (auto& item : redis_.run(revoked_script(), {}, task_ids).items) revoked.push_back(std::move(item.text));
  return revoked;
}

void CeleryQueue::beat(std::string_view worker) {
  ScriptCall().add(now()).add(worker).add(holder_).run(redis_, beat_script());
}

bool CeleryQueue::put_task_progress(std::string_view task_id, double progress, std::string_view message) {
  double percent = std::isnan(progress) ? 0 : std::clamp(progress, 0.0, 100.0);
  ScriptCall call;
  call.add(task_id).add(print_json(Json(percent))).add(message);
  return call.run(redis_, progress_script()).integer == 1;
}

QueueHealth CeleryQueue::health() {
  Millis at = now();
  auto replies = redis_.ask_all(std::vector<Command>{
      {"HGETALL", keys::totals},
      {"HVALS", keys::running},
      {"ZRANGE", keys::waiting, "0", "0", "WITHSCORES"},
      {"ZCARD", keys::dead_letters},
      {"ZRANGE", keys::workers, "-1", "-1", "WITHSCORES"},
  });
  auto health = read_health(replies, at);
  try {
    health.danger = danger_in(redis_.ask({"INFO", "memory"}).text);
  } catch (const Error&) {
    // Users of Redis with few rights may not ask; what they may is told all the same.
  }
  return health;
}

std::optional<TaskMessage> CeleryQueue::message_of(std::int64_t fence) const {
  std::lock_guard lock(mutex_);
  auto found = deliveries_.find(fence);
  if (found == deliveries_.end()) return std::nullopt;
  return found->second->message;
}

std::vector<ParkedTask> CeleryQueue::parked(const std::function<bool(const ParkedTask&)>& wanted,
                                            std::size_t most) const {
  return parked_.list(now(), wanted, most);
}

std::vector<ParkedTask> CeleryQueue::find_parked(std::span<const std::string> task_ids) const {
  return parked_.find(now(), task_ids);
}

void CeleryQueue::read_parked(std::span<const ParkedTask> tasks,
                              const std::function<bool(const ParkedTask&, const TaskMessage&)>& visit) const {
  std::vector<std::string> tags;
  for (const auto& task : tasks) tags.push_back(tag_of(task.fence));
  for_each_unacked(redis_, tags, [&](std::size_t i, const redis::Reply& value) {
    auto entry = read_unacked(value.text);
    if (!entry) return true;
    auto message = decode_message(entry->raw);
    const auto* task = std::get_if<TaskMessage>(&message);
    return !task || visit(tasks[i], *task);
  });
}

std::vector<std::string> CeleryQueue::queues() const {
  std::lock_guard lock(mutex_);
  return queues_;
}

void CeleryQueue::set_queues(std::vector<std::string> names) {
  std::vector<std::string> queues;
  for (auto& name : names) {
    check_queue_name(name);
    if (std::find(queues.begin(), queues.end(), name) == queues.end()) queues.push_back(std::move(name));
  }
  std::lock_guard lock(mutex_);
  queues_ = std::move(queues);
}

bool CeleryQueue::add_queue(const std::string& name) {
  check_queue_name(name);
  declare(name);
  std::lock_guard lock(mutex_);
  if (std::find(queues_.begin(), queues_.end(), name) != queues_.end()) return false;
  queues_.push_back(name);
  return true;
}

bool CeleryQueue::cancel_queue(const std::string& name) {
  std::lock_guard lock(mutex_);
  return std::erase(queues_, name) > 0;
}

}  // namespace segments::celery

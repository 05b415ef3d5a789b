// How messages are taken from the lists and handed out.
#include <unistd.h>

#include <algorithm>

#include "celery/celery_queue.h"
#include "celery/content.h"
#include "celery/judgement.h"
#include "celery/plain_message.h"
#include "celery/scripts.h"

namespace segments::celery {

namespace {

// Of one fetch. The worker has leases to renew meanwhile.
constexpr Millis looked_at_once = 256, bytes_at_once = 4 << 20;

// Whether the script has recorded this very task as begun.
bool is_begun_one(std::string_view raw, const TaskMessage& message) {
  auto names = cut_plain(raw);
  return !names || *names == PlainNames{message.task, message.id};
}

}  // namespace

redis::Reply CeleryQueue::fetch(std::string_view worker, int most, Millis at, int lease_ms) {
  ScriptCall call;
  // In whole seconds, up: never restored too soon, and Redis keeps whole numbers in small sets as such. Of
  // fractions it would read the digits of each member again with each that is added.
  constexpr Millis second = 1000;
  auto score = index_score((at + second - 1) / second * second);
  call.add(at).add(most).add(at + lease_ms).add(score).add(worker).add(holder_);
  call.add(looked_at_once).add(bytes_at_once).add(Millis{max_message_bytes}).add(Millis{max_body_values});
  if (most > 0) {
    auto names = queues();
    // A worker's list has to be found by who publishes through its exchange, though nobody has queued here
    // yet.
    for (const auto& name : names) declare(name);
    if (!names.empty()) std::rotate(names.begin(), names.begin() + turn_++ % names.size(), names.end());
    for (int step : keys::priority_steps)
      for (const auto& name : names) call.add(name).add(keys::queue_list(name, step));
  }
  return call.run(redis_, fetch_script());
}

bool CeleryQueue::is_ended(const redis::Reply& reply) {
  return !reply.items.empty() && reply.items[0].text == "ended";
}

void CeleryQueue::settle(Judgement& judged, std::string_view worker, Millis at) {
  std::vector<DeliveryPtr> owned;  // by users that only the message's body names
  for (const auto& delivery : judged.begun)
    if (!delivery->own && !delivery->user_id().empty()) owned.push_back(delivery);
  if (!judged.late.empty() || !judged.parked.empty() || !owned.empty()) {
    ScriptCall call;
    call.add(at).add(worker).add(holder_);
    auto add_task = [&](const Delivery& delivery) {
      call.add(tag_of(delivery.fence)).add(delivery.message.id).add(delivery.message.task);
      call.add(delivery.message.retries);
    };
    call.add(static_cast<Millis>(judged.late.size()));
    for (const auto& delivery : judged.late) add_task(*delivery);
    call.add(static_cast<Millis>(judged.parked.size()));
    for (const auto& [delivery, due] : judged.parked) {
      constexpr Millis two_days_ms = 2 * 24 * 3'600'000;
      add_task(*delivery);
      // So that a Python peer's sweep restores it when it is due, and not before.
      call.add(due).add(index_score(due - Millis{options_.visibility_timeout_s} * 1000));
      call.add(delivery->own ? 0 : due - at + two_days_ms).add(delivery->user_id());
    }
    call.add(static_cast<Millis>(owned.size()));
    for (const auto& delivery : owned) call.add(delivery->message.id).add(delivery->user_id());
    call.run(redis_, settle_script());
  }
  if (!judged.dropped.empty()) end(judged.dropped, at);
  if (options_.track_started && !judged.begun.empty()) store_started(judged.begun, worker);
  for (const auto& [delivery, due] : judged.parked)
    parked_.add({.id = delivery->message.id,
                 .name = delivery->message.task,
                 .due = due,
                 .fence = delivery->fence,
                 .limited = delivery->message.eta != due});
  // Others of the cluster may have taken what was due.
  parked_.prune(at - 60'000);
  std::lock_guard lock(mutex_);
  for (const auto& delivery : judged.begun) deliveries_[delivery->fence] = delivery;
}

void CeleryQueue::store_started(const std::vector<DeliveryPtr>& deliveries, std::string_view worker) {
  ScriptCall call;
  call.add(options_.result_ttl_s);
  std::vector<const Delivery*> stored;
  for (const auto& delivery : deliveries)
    if (!delivery->message.ignore_result.value_or(false)) stored.push_back(delivery.get());
  call.add(static_cast<Millis>(stored.size()));
  for (const auto* delivery : stored) {
    auto meta = make_started(delivery->message.id, getpid(), options_.node.empty() ? worker : options_.node);
    meta.group_id = delivery->message.group;
    meta.parent_id = delivery->message.parent_id;
    call.add(delivery->message.id).add(encode_result(meta));
  }
  call.run(redis_, store_script());
}

std::set<std::string> CeleryQueue::succeeded(const std::vector<std::string>& task_ids) {
  std::set<std::string> done;
  if (task_ids.empty()) return done;
  redis::Command command("MGET");
  for (const auto& id : task_ids) command.add(keys::task_meta(id));
  auto metas = redis_.ask(command);
  for (std::size_t i = 0; i < task_ids.size() && i < metas.items.size(); ++i) {
    auto meta = metas.items[i].is_nil() ? std::nullopt : decode_result(metas.items[i].text);
    if (meta && meta->status == "SUCCESS") done.insert(task_ids[i]);
  }
  return done;
}

// nullptr where it cannot be read: it is a dead letter then.
std::shared_ptr<Delivery> CeleryQueue::decode_fetched(std::int64_t fence, const std::string& queue,
                                                      std::string raw, Sight sight, Millis at) {
  auto delivery = std::make_shared<Delivery>();
  MessageFault fault;
  bool is_garbage = sight >= Sight::garbage;
  if (sight == Sight::garbage) fault.sentence = "The message is not one that Redis can read.";
  if (sight == Sight::too_large) fault = {MessageProblem::too_large, too_large_sentence, "", ""};
  if (sight == Sight::too_many_values) fault = {MessageProblem::too_large, too_many_values_sentence, "", ""};
  auto thrown = fault_of([&] {
    if (sight > Sight::garbage) return;
    auto decoded = decode_message(raw);
    if (auto* why = std::get_if<MessageFault>(&decoded)) fault = std::move(*why);
    if (auto* message = std::get_if<TaskMessage>(&decoded)) delivery->message = std::move(*message);
    if (sight == Sight::begun && fault.sentence.empty() && !is_begun_one(raw, delivery->message))
      fault = {MessageProblem::invalid, "The message names a task twice.", "", ""};
    delivery->fence = fence;
    delivery->queue = queue;
    delivery->own = find_own_header(delivery->message);
  });
  if (thrown) fault = std::move(*thrown);
  if (fault.sentence.empty()) {
    delivery->raw = std::move(raw);
    return delivery;
  }
  bury(fault, raw, queue, is_garbage ? "" : tag_of(fence), is_garbage ? std::to_string(fence) : "", "", at);
  return nullptr;
}

void CeleryQueue::take_fetched(redis::Reply reply, std::string_view worker, Millis at,
                               std::vector<LeasedTask>& out) {
  std::vector<std::pair<std::shared_ptr<Delivery>, Sight>> held;
  std::vector<std::string> again;
  if (reply.items.size() != 6) return;
  auto first = reply.items[2].integer;
  const auto& sights = reply.items[3].text;
  const auto& queues = reply.items[4].items;
  auto& raws = reply.items[5].items;
  std::size_t of_queue = 0;
  for (std::size_t i = 0, queue = 0; i < raws.size() && i < sights.size(); ++i) {
    for (; queue + 2 < queues.size() && of_queue == static_cast<std::size_t>(queues[queue + 1].integer);
         queue += 2)
      of_queue = 0;
    ++of_queue;
    auto sight = static_cast<Sight>(sights[i] - '0');
    auto delivery = decode_fetched(first + static_cast<std::int64_t>(i), queues[queue].text,
                                   std::move(raws[i].text), sight, at);
    if (!delivery) continue;
    if (delivery->message.redelivered) again.push_back(delivery->message.id);
    held.emplace_back(std::move(delivery), sight);
  }
  auto done = succeeded(again);
  Judgement judged;
  for (const auto& [delivery, sight] : held) {
    auto fault = fault_of([&, &delivery = delivery, &sight = sight] {
      // Delivered twice, and made good by the other run.
      if (delivery->message.redelivered && done.contains(delivery->message.id))
        judged.dropped.push_back(drop_done(delivery));
      else
        judge(delivery, sight, at, judged);
    });
    if (!fault) continue;
    fault->task = delivery->message.task;
    fault->id = delivery->message.id;
    bury(*fault, delivery->raw, delivery->queue, tag_of(delivery->fence), "", "", at);
  }
  settle(judged, worker, at);
  for (const auto& delivery : judged.begun) out.push_back(delivery->task());
}

// What was parked or dropped is made up for once. More is the caller's turn: it has leases to renew.
std::vector<LeasedTask> CeleryQueue::lease_tasks(std::string_view worker, int most, int lease_ms) {
  constexpr int most_fetches = 2, most_restores = 2;
  std::vector<LeasedTask> tasks;
  auto wanted = [&] { return most - static_cast<int>(tasks.size()); };
  bool is_more = most > 0;
  for (int fetches = 0, restores = 0; is_more && wanted() > 0;) {
    if (fetches == most_fetches || restores == most_restores) break;
    Millis at = now();
    auto reply = fetch(worker, wanted(), at, lease_ms);
    if (is_ended(reply)) {
      restore_ended(reply, at);
      ++restores;
      continue;
    }
    is_more = reply.items.size() > 1 && reply.items[1].integer == 1;
    take_fetched(std::move(reply), worker, at, tasks);
    ++fetches;
  }
  is_more_waiting_ = is_more && wanted() > 0;
  return tasks;
}

}  // namespace segments::celery

// How messages are taken from the lists, judged and handed out.
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "celery/arguments.h"
#include "celery/celery_queue.h"
#include "celery/ending.h"
#include "celery/scripts.h"

namespace segments::celery {

// What becomes of the messages of one fetch.
struct CeleryQueue::Fetched {
  struct Parked {
    DeliveryPtr delivery;
    Millis due;
  };
  std::vector<DeliveryPtr> begun;  // in their order
  std::vector<DeliveryPtr> late;   // of these: those whose beginning is yet to be recorded
  std::vector<Parked> parked;
  std::vector<Ending> dropped;
};

namespace {

// "Not run" as an outcome: unknown tasks and wrong arguments.
Ending refuse(DeliveryPtr delivery, const PythonException& exception, Millis now) {
  Ending ending{std::move(delivery)};
  ending.kind = Ending::Kind::drop;
  ending.status = "FAILURE";
  ending.error = exception.sentence();
  ending.registered = exception.type != "NotRegistered";
  follow(ending, exception, now);
  put_meta(ending, make_failure(ending.delivery->message.id, exception, "", now));
  return ending;
}

Ending make_done(DeliveryPtr delivery) {
  Ending ending{std::move(delivery)};
  ending.kind = Ending::Kind::drop;
  ending.status = "SUCCESS";
  return ending;
}

Ending drop_revoked(DeliveryPtr delivery, bool expired, Millis now) {
  const char* why = expired ? "expired" : "revoked";
  Ending ending{std::move(delivery)};
  ending.kind = Ending::Kind::drop;
  ending.status = "REVOKED";
  ending.error = expired ? expired_sentence : "";
  put_meta(ending, make_revoked(ending.delivery->message.id, why, now));
  // Its owner is told of what nobody revoked.
  if (expired) ending.given = encode_given_up(ending.delivery->task(), expired_sentence, false);
  add_chord(ending, ending.delivery->message, "REVOKED", task_revoked(why).json());
  return ending;
}

}  // namespace

std::variant<std::string, PythonException> CeleryQueue::bind(const TaskMessage& message) const {
  if (options_.bind) return options_.bind(message);
  const auto* signature = find_task_signature(message.task);
  if (!signature) return not_registered(message.task);
  return bind_arguments(*signature, message.args, message.kwargs);
}

redis::Reply CeleryQueue::fetch(std::string_view worker, int most, Millis at, int lease_ms) {
  ScriptCall call;
  // In whole seconds, up: never restored too soon, and Redis keeps whole numbers in small sets as such. Of
  // fractions it would read the digits of each member again with each that is added.
  constexpr Millis second = 1000;
  auto score = index_score((at + second - 1) / second * second);
  call.add(at).add(most).add(at + lease_ms).add(score).add(worker).add(holder_);
  if (most > 0) {
    auto names = queues();
    if (!names.empty()) std::rotate(names.begin(), names.begin() + turn_++ % names.size(), names.end());
    for (int step : keys::priority_steps)
      for (const auto& name : names) call.add(name).add(keys::queue_list(name, step));
  }
  return call.run(redis_, fetch_script());
}

void CeleryQueue::note_received(const Delivery& delivery) {
  {
    std::lock_guard lock(mutex_);
    // One that was parked here comes again when it is due.
    if (parked_.erase(delivery.message.id) > 0) return;
  }
  if (options_.observer.received) options_.observer.received(delivery.message);
}

// In Celery's order: known? expired or revoked? received; eta; rate limit.
void CeleryQueue::judge(std::shared_ptr<Delivery> delivery, int flag, Millis at, Fetched& fetched) {
  constexpr int begun = 0, revoked = 2;
  const auto& message = delivery->message;
  auto bound = bind(message);
  if (auto* arguments = std::get_if<std::string>(&bound)) delivery->arguments = std::move(*arguments);
  if (auto* exception = std::get_if<PythonException>(&bound)) {
    log_warning("celery.task_refused",
                {{"task", message.task}, {"task_id", message.id}, {"error", exception->repr()}});
    if (options_.observer.refused) options_.observer.refused(message, *exception);
    fetched.dropped.push_back(refuse(std::move(delivery), *exception, at));
    return;
  }
  bool expired = message.expires && at > *message.expires;
  if (expired || flag == revoked) {
    if (options_.observer.revoked) options_.observer.revoked(message, expired && flag != revoked);
    fetched.dropped.push_back(drop_revoked(std::move(delivery), expired && flag != revoked, at));
    return;
  }
  note_received(*delivery);
  if (message.eta && *message.eta > at) {
    fetched.parked.push_back({std::move(delivery), *message.eta});
  } else if (Millis wait = options_.limit ? options_.limit(message.task) : 0; wait > 0) {
    fetched.parked.push_back({std::move(delivery), at + wait});
  } else {
    fetched.begun.push_back(delivery);
    if (flag != begun) fetched.late.push_back(std::move(delivery));
  }
}

void CeleryQueue::settle(Fetched& fetched, std::string_view worker, Millis at) {
  std::vector<DeliveryPtr> owned;  // by users that only the message's body names
  for (const auto& delivery : fetched.begun)
    if (!delivery->own && !delivery->user_id().empty()) owned.push_back(delivery);
  if (!fetched.late.empty() || !fetched.parked.empty() || !owned.empty()) {
    ScriptCall call;
    call.add(at).add(worker).add(holder_);
    auto add_task = [&](const Delivery& delivery) {
      call.add(tag_of(delivery.fence)).add(delivery.message.id).add(delivery.message.task);
      call.add(delivery.message.retries);
    };
    call.add(static_cast<Millis>(fetched.late.size()));
    for (const auto& delivery : fetched.late) add_task(*delivery);
    call.add(static_cast<Millis>(fetched.parked.size()));
    for (const auto& [delivery, due] : fetched.parked) {
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
  if (!fetched.dropped.empty()) end(fetched.dropped, at);
  if (options_.track_started && !fetched.begun.empty()) store_started(fetched.begun, worker);
  std::lock_guard lock(mutex_);
  for (const auto& delivery : fetched.begun) deliveries_[delivery->fence] = delivery;
  for (const auto& [delivery, due] : fetched.parked)
    parked_[delivery->message.id] = {delivery->message, due, delivery->fence, delivery->message.eta != due};
  // Others of the cluster may have taken what was due.
  std::erase_if(parked_, [&](const auto& entry) { return entry.second.due + 60'000 < at; });
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

std::size_t CeleryQueue::take_fetched(const redis::Reply& reply, std::string_view worker, Millis at,
                                      std::vector<LeasedTask>& out) {
  struct Held {
    std::shared_ptr<Delivery> delivery;
    int flag;
  };
  std::vector<Held> held;
  std::size_t count = 0;
  for (std::size_t i = 1; i + 3 < reply.items.size(); i += 4, ++count) {
    const auto& fence = reply.items[i].text;
    const auto& queue = reply.items[i + 1].text;
    const auto& raw = reply.items[i + 2].text;
    int flag = static_cast<int>(reply.items[i + 3].integer);
    constexpr int garbage = 3;
    auto decoded = decode_message(raw);
    auto* message = std::get_if<TaskMessage>(&decoded);
    if (flag == garbage || !message) {
      MessageFault fault;
      if (message) fault.sentence = "The message is not one that Redis can read.";
      if (!message) fault = std::get<MessageFault>(decoded);
      bury(fault, raw, queue, flag == garbage ? "" : "segments-" + fence, flag == garbage ? fence : "", "",
           at);
      continue;
    }
    auto delivery = std::make_shared<Delivery>();
    delivery->fence = std::strtoll(fence.c_str(), nullptr, 10);
    delivery->queue = queue;
    delivery->raw = raw;
    delivery->own = find_own_header(*message);
    delivery->message = std::move(*message);
    held.push_back({std::move(delivery), flag});
  }
  std::vector<std::string> again;
  for (const auto& [delivery, flag] : held)
    if (delivery->message.redelivered) again.push_back(delivery->message.id);
  auto done = succeeded(again);
  Fetched fetched;
  for (auto& [delivery, flag] : held) {
    // Delivered twice, and made good by the other run.
    if (delivery->message.redelivered && done.contains(delivery->message.id))
      fetched.dropped.push_back(make_done(std::move(delivery)));
    else
      judge(std::move(delivery), flag, at, fetched);
  }
  settle(fetched, worker, at);
  for (const auto& delivery : fetched.begun) out.push_back(delivery->task());
  return count;
}

std::vector<LeasedTask> CeleryQueue::lease_tasks(std::string_view worker, int most, int lease_ms) {
  std::vector<LeasedTask> tasks;
  while (static_cast<int>(tasks.size()) < most) {
    Millis at = now();
    int wanted = most - static_cast<int>(tasks.size());
    auto reply = fetch(worker, wanted, at, lease_ms);
    if (reply.items.empty()) break;
    if (reply.items[0].text == "ended") {
      restore_ended(reply, at);
      continue;
    }
    // Fewer than were asked for: the lists are empty. Otherwise those that were parked or dropped are made up
    // for.
    if (take_fetched(reply, worker, at, tasks) < static_cast<std::size_t>(wanted)) break;
  }
  return tasks;
}

}  // namespace segments::celery

// How runs end.
#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "celery/celery_queue.h"
#include "celery/ending.h"
#include "celery/exchange.h"
#include "celery/scripts.h"
#include "celery/unacked.h"

namespace segments::celery {

namespace {

PythonException exception_of(const LeaseEnd& end, const std::string& text) {
  switch (end.ending) {
    case LeaseEnding::time_limit:
      return time_limit_exceeded(end.task.time_limit_s);
    case LeaseEnding::soft_time_limit:
      return soft_time_limit_exceeded();
    case LeaseEnding::worker_lost:
      return worker_lost(text);
    default:
      return runtime_error(text);
  }
}

Ending make_ending(const LeaseEnd& end, DeliveryPtr delivery, Millis now) {
  Ending ending{std::move(delivery)};
  const auto& held = *ending.delivery;
  const auto& id = held.message.id;
  const auto text = clean_utf8(end.text);
  switch (end.ending) {
    case LeaseEnding::finish: {
      auto result = read_json(end.text);
      if (!result) throw Error(ErrorKind::internal, "A task's result is not JSON.");
      ending.status = "SUCCESS";
      follow(ending, *result, now);
      put_meta(ending, make_success(id, std::move(*result), now));
      break;
    }
    case LeaseEnding::retry:
      ending.kind = Ending::Kind::retry;
      ending.status = "RETRY";
      ending.error = text;
      ending.ready = std::max(end.not_before, now);
      ending.back = encode_retry(held.message, ending.ready);
      put_meta(ending, make_retry(id, runtime_error(text), text));
      break;
    case LeaseEnding::hand_back:
      return make_return(ending.delivery, Ending::Kind::back);
    case LeaseEnding::fail:
    case LeaseEnding::time_limit:
    case LeaseEnding::soft_time_limit:
    case LeaseEnding::worker_lost:
      fail(ending, exception_of(end, text), text, now);
  }
  return ending;
}

}  // namespace

DeliveryPtr CeleryQueue::read_delivery(std::int64_t fence, std::string_view unacked_value) const {
  auto entry = read_unacked(unacked_value);
  if (!entry) return nullptr;
  auto message = decode_message(entry->raw);
  auto* task = std::get_if<TaskMessage>(&message);
  if (!task) return nullptr;
  auto delivery = std::make_shared<Delivery>();
  delivery->fence = fence;
  delivery->queue = entry->routing_key;
  delivery->raw = std::move(entry->raw);
  delivery->own = find_own_header(*task);
  if (auto bound = bind(*task); auto* text = std::get_if<std::string>(&bound)) delivery->arguments = *text;
  delivery->message = std::move(*task);
  return delivery;
}

// Of leases that another object took the messages are read again. nullptr: no such lease.
std::vector<DeliveryPtr> CeleryQueue::deliveries_of(std::span<const LeaseEnd> ends) const {
  std::vector<DeliveryPtr> deliveries(ends.size());
  std::vector<std::size_t> unknown;
  {
    std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < ends.size(); ++i) {
      auto found = deliveries_.find(ends[i].task.fence);
      if (found != deliveries_.end())
        deliveries[i] = found->second;
      else
        unknown.push_back(i);
    }
  }
  if (unknown.empty()) return deliveries;
  redis::Command command("HMGET");
  command.add(keys::unacked);
  for (auto i : unknown) command.add(tag_of(ends[i].task.fence));
  auto values = redis_.ask(command);
  for (std::size_t k = 0; k < unknown.size() && k < values.items.size(); ++k) {
    const auto& task = ends[unknown[k]].task;
    if (values.items[k].is_nil()) continue;
    auto delivery = read_delivery(task.fence, values.items[k].text);
    if (delivery && delivery->message.id == task.id) deliveries[unknown[k]] = std::move(delivery);
  }
  return deliveries;
}

// One round trip, and more only where a chord was completed at the same time.
std::vector<bool> CeleryQueue::end(std::vector<Ending>& endings, Millis at) {
  std::vector<bool> taken(endings.size());
  std::vector<std::size_t> open(endings.size());
  for (std::size_t i = 0; i < open.size(); ++i) open[i] = i;
  constexpr int attempts_at_chords = 10;
  for (int attempt = 0; !open.empty(); ++attempt) {
    // The part before the last one may have come just now; else what is kept of the chord is damaged.
    if (attempt == attempts_at_chords)
      for (auto i : open) {
        log_error("celery.chord_damaged", {{"task_id", endings[i].delivery->message.id}});
        for (auto& chord : endings[i].chords) chord.planned = chord.recorded_only = true;
      }
    // What is planned holds for this attempt only.
    auto others =
        std::stable_partition(open.begin(), open.end(), [&](auto i) { return endings[i].is_plain(); });
    auto plain = others - open.begin();
    std::vector<Ending> planned;
    for (auto i : open) planned.push_back(endings[i].chords.empty() ? std::move(endings[i]) : endings[i]);
    std::vector<Ending*> with_chords;
    for (auto& ending : planned)
      if (!ending.chords.empty()) with_chords.push_back(&ending);
    if (!with_chords.empty()) plan_chords(redis_, with_chords, at);
    for (auto& ending : planned) resolve_exchanges(redis_, ending.follow_ups.messages);
    ScriptCall call;
    call.add(at).add(Millis{options_.result_ttl_s}).add(Millis{plain});
    for (auto ending = planned.begin(); ending != planned.begin() + plain; ++ending)
      ending->print_plain(call);
    call.add(static_cast<Millis>(planned.size()) - plain);
    for (auto ending = planned.begin() + plain; ending != planned.end(); ++ending) ending->print(call, at);
    auto codes = call.run(redis_, end_script());
    std::vector<std::size_t> again;
    for (std::size_t k = 0; k < open.size() && k < codes.items.size(); ++k) {
      taken[open[k]] = codes.items[k].integer == 1;
      if (codes.items[k].integer == 2) again.push_back(open[k]);
    }
    open = std::move(again);
  }
  return taken;
}

std::vector<bool> CeleryQueue::end_leases(std::span<const LeaseEnd> ends) {
  std::vector<bool> taken(ends.size());
  if (ends.empty()) return taken;
  Millis at = now();
  auto deliveries = deliveries_of(ends);
  // What is handed back goes in front: the last one handed back would be the next one served.
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < ends.size(); ++i)
    if (deliveries[i]) order.push_back(i);
  if (std::all_of(order.begin(), order.end(),
                  [&](auto i) { return ends[i].ending == LeaseEnding::hand_back; }))
    std::reverse(order.begin(), order.end());
  std::vector<Ending> endings;
  for (auto i : order) endings.push_back(make_ending(ends[i], deliveries[i], at));
  auto answers = end(endings, at);
  for (std::size_t k = 0; k < order.size(); ++k) taken[order[k]] = answers[k];
  {
    std::lock_guard lock(mutex_);
    for (const auto& end : ends) deliveries_.erase(end.task.fence);
  }
  if (!options_.observer.rejected) return taken;
  for (std::size_t i = 0; i < ends.size(); ++i)
    if (taken[i] && ends[i].ending == LeaseEnding::hand_back)
      options_.observer.rejected(deliveries[i]->message, true);
  return taken;
}

bool CeleryQueue::finish(const LeasedTask& task, std::string_view result_json) {
  return end_leases(std::vector<LeaseEnd>{{task, LeaseEnding::finish, std::string(result_json)}})[0];
}
bool CeleryQueue::retry(const LeasedTask& task, std::string_view error, Millis not_before) {
  return end_leases(std::vector<LeaseEnd>{{task, LeaseEnding::retry, std::string(error), not_before}})[0];
}
bool CeleryQueue::fail(const LeasedTask& task, std::string_view error) {
  return end_leases(std::vector<LeaseEnd>{{task, LeaseEnding::fail, std::string(error)}})[0];
}
bool CeleryQueue::hand_back(const LeasedTask& task) {
  return end_leases(std::vector<LeaseEnd>{{task, LeaseEnding::hand_back}})[0];
}

std::vector<bool> CeleryQueue::renew_all(std::span<const LeasedTask> tasks, int lease_ms) {
  std::vector<bool> kept(tasks.size());
  if (tasks.empty()) return kept;
  Millis at = now();
  ScriptCall call;
  call.add(at + lease_ms).add(index_score(at)).add(static_cast<Millis>(tasks.size()));
  for (const auto& task : tasks) call.add(tag_of(task.fence)).add(task.id);
  auto answers = call.run(redis_, renew_script());
  for (std::size_t i = 0; i < kept.size() && i < answers.items.size(); ++i)
    kept[i] = answers.items[i].integer == 1;
  return kept;
}

bool CeleryQueue::renew(const LeasedTask& task, int lease_ms) {
  return renew_all({&task, 1}, lease_ms)[0];
}

}  // namespace segments::celery

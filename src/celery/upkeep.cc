// What is put right in passing and by sweeps: leases that ended, what peers abandoned or did, what is too
// old.
#include <algorithm>

#include "base/ids.h"
#include "base/log.h"
#include "celery/celery_queue.h"
#include "celery/ending.h"
#include "celery/exchange.h"
#include "celery/judgement.h"
#include "celery/scripts.h"
#include "celery/unacked.h"

namespace segments::celery {

using redis::Command;

namespace {

constexpr int deaths_allowed = 5;
constexpr Millis day_ms = 24 * 3'600'000;
const MessageFault unreadable{MessageProblem::not_an_envelope, "What was left in unacked cannot be read.", "",
                              ""};

}  // namespace

// Of each: how many workers it has killed, this one included; 0 where this one did not die of it: it was not
// begun, or who held it lives and only its lease has ended.
std::vector<int> CeleryQueue::deaths_with(const std::vector<DeliveryPtr>& deliveries, Millis at) {
  constexpr Millis longest_silence_ms = 5'000;
  std::vector<Command> asked;
  for (const auto& delivery : deliveries) {
    asked.push_back({"HMGET", keys::task(delivery->message.id), "deaths", "tag"});
    asked.push_back({"HGET", keys::running, tag_of(delivery->fence)});
  }
  auto known = redis_.ask_all(asked);
  Command seen("ZMSCORE");
  seen.add(keys::holders);
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    const auto& run = known[2 * i + 1].text;
    auto bar = run.rfind(keys::separator);
    seen.add(bar == run.npos ? "" : std::string_view(run).substr(bar + keys::separator.size()));
  }
  auto beats = redis_.ask(seen);
  std::vector<int> deaths;
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    const auto& task = known[2 * i].items;
    bool begun = !known[2 * i + 1].is_nil() && task[1].text == tag_of(deliveries[i]->fence);
    auto beat = static_cast<Millis>(std::strtod(beats.items.at(i).text.c_str(), nullptr));
    bool died = begun && at - beat > longest_silence_ms;
    deaths.push_back(died ? static_cast<int>(std::strtol(task[0].text.c_str(), nullptr, 10)) + 1 : 0);
  }
  return deaths;
}

// `ended`: {"ended", tag, what `unacked` has under it ("" where a peer has restored it), …}. Each is given
// back to its list.
void CeleryQueue::restore_ended(const redis::Reply& ended, Millis at) {
  std::vector<DeliveryPtr> deliveries;
  std::vector<std::string> lost;
  for (std::size_t i = 1; i + 1 < ended.items.size(); i += 2) {
    const auto& tag = ended.items[i].text;
    const auto& value = ended.items[i + 1].text;
    auto dash = tag.rfind('-');
    auto fence = std::strtoll(tag.c_str() + (dash == tag.npos ? 0 : dash + 1), nullptr, 10);
    if (value.empty()) {
      lost.push_back(tag);
      continue;
    }
    DeliveryPtr delivery;
    auto fault = fault_of([&] { delivery = read_delivery(fence, value); });
    if (delivery)
      deliveries.push_back(std::move(delivery));
    else
      bury(fault.value_or(unreadable), value, options_.queue, tag, "", value, at);
  }
  if (!lost.empty()) {
    ScriptCall call;
    call.add(at);
    for (const auto& tag : lost) call.add(tag);
    call.run(redis_, lose_script());
  }
  if (deliveries.empty()) return;
  auto deaths = deaths_with(deliveries, at);
  std::vector<Ending> endings;
  // The first of them is to be served first again.
  for (std::size_t i = deliveries.size(); i-- > 0;) {
    const auto& delivery = deliveries[i];
    log_warning(
        "celery.lease_ended",
        {{"task_id", delivery->message.id}, {"task", delivery->message.task}, {"died", deaths[i] > 0}});
    bool poison = deaths[i] >= deaths_allowed;
    auto fault = fault_of([&] {
      endings.push_back(poison ? make_poisoned(delivery, deaths_allowed, at)
                               : make_return(delivery, deaths[i] ? Ending::Kind::died : Ending::Kind::back));
      endings.back().guarded = true;
    });
    if (fault) bury(*fault, delivery->raw, delivery->queue, tag_of(delivery->fence), "", "", at);
  }
  end(endings, at);
}

std::string CeleryQueue::list_of(const UnackedEntry& entry) {
  std::string queue = entry.routing_key.empty() ? options_.queue : entry.routing_key;
  // Where no binding leads anywhere kombu would let the message vanish.
  if (!entry.exchange.empty())
    if (auto bound = find_bound_queues(redis_, entry.exchange, entry.routing_key); !bound.empty())
      queue = bound.back();
  return keys::queue_list(queue, priority_of(entry.raw));
}

// What peers, Python's or ours, hold for longer than the visibility timeout.
void CeleryQueue::restore_abandoned(Millis at) {
  constexpr int page = 100, most_pages = 10;
  auto cutoff = index_score(at - Millis{options_.visibility_timeout_s} * 1000);
  for (int i = 0; i < most_pages; ++i) {
    auto held = redis_.ask(
        {"ZRANGEBYSCORE", keys::unacked_index, "-inf", cutoff, "LIMIT", "0", std::to_string(page)});
    if (held.items.empty()) return;
    Command delayed("ZMSCORE");
    delayed.add(keys::delayed);
    for (const auto& tag : held.items) delayed.add(tag.text);
    auto scores = redis_.ask(delayed);
    std::vector<std::string> tags;
    // One that is due goes back by lease_tasks, as it came.
    for (std::size_t k = 0; k < held.items.size(); ++k)
      if (scores.items[k].is_nil()) tags.push_back(held.items[k].text);
    for_each_unacked(redis_, tags, [&](std::size_t k, const redis::Reply& value) {
      restore_peers(tags[k], value, cutoff, at);
      return true;
    });
    if (tags.empty() || held.items.size() < page) return;
  }
}

void CeleryQueue::restore_peers(const std::string& tag, const redis::Reply& value, const std::string& cutoff,
                                Millis at) {
  std::optional<UnackedEntry> entry;
  std::optional<std::string> restored;
  auto fault = fault_of([&] {
    entry = read_unacked(value.text);
    if (entry) restored = encode_restored(entry->raw);
  });
  // Python's sweeps end at what cannot be read; without it they go on.
  if (!value.is_nil() && !restored)
    return bury(fault.value_or(unreadable), value.text, options_.queue, tag, "", value.text, at);
  ScriptCall call;
  call.add(at).add(tag).add(value.text).add(cutoff);
  call.add(entry ? list_of(*entry) : "").add(restored.value_or(""));
  if (call.run(redis_, restore_script()).integer == 1) log_warning("celery.restored", {{"tag", tag}});
}

void CeleryQueue::expire_waiting(Millis at) {
  constexpr int most_rounds = 20;  // of a hundred
  for (int i = 0; i < most_rounds; ++i) {
    auto expired =
        redis_.ask({"ZRANGEBYSCORE", keys::expiring, "-inf", "(" + std::to_string(at), "LIMIT", "0", "100"});
    std::vector<std::string> ids;
    for (auto& id : expired.items) ids.push_back(std::move(id.text));
    revoke_tasks(ids, true, at);
    if (ids.size() < 100) return;
  }
}

// Of a Python worker we see nothing but the results that it writes. Each sweep looks at some of those that
// wait, where the last one ended, and in time at all of them.
void CeleryQueue::adopt_outcomes(Millis at) {
  constexpr std::size_t most = 5'000;
  std::size_t seen = 0;
  std::string cursor;
  {
    std::lock_guard lock(mutex_);
    cursor = adopted_to_;
  }
  do {
    auto page = redis_.ask({"ZSCAN", keys::waiting, cursor, "COUNT", "500"});
    if (page.items.size() != 2) return;
    cursor = page.items[0].text;
    adopt(page.items[1], at);
    seen += page.items[1].items.size() / 2;
  } while (seen < most && cursor != "0");
  std::lock_guard lock(mutex_);
  adopted_to_ = cursor;
}

// `waiting`: ids and since when they wait.
void CeleryQueue::adopt(const redis::Reply& waiting, Millis at) {
  constexpr Millis forgotten_after_ms = 30 * day_ms;
  if (waiting.items.empty()) return;
  Command get("MGET");
  for (std::size_t i = 0; i + 1 < waiting.items.size(); i += 2)
    get.add(keys::task_meta(waiting.items[i].text));
  auto metas = redis_.ask(get);
  ScriptCall call;
  std::vector<std::pair<std::string, std::optional<ResultMeta>>> ended;
  for (std::size_t i = 0; i < metas.items.size(); ++i) {
    auto meta = metas.items[i].is_nil() ? std::nullopt : decode_result(metas.items[i].text);
    bool forgotten = std::strtod(waiting.items[2 * i + 1].text.c_str(), nullptr) + forgotten_after_ms < at;
    if (meta && meta->is_final())
      ended.emplace_back(waiting.items[2 * i].text, std::move(meta));
    else if (forgotten)
      ended.emplace_back(waiting.items[2 * i].text, std::nullopt);
  }
  if (ended.empty()) return;
  call.add(static_cast<Millis>(ended.size()));
  for (const auto& [id, meta] : ended) {
    auto exception = meta ? meta->exception() : std::nullopt;
    call.add(id).add(meta ? meta->status : "").add(meta ? meta->date_done.value_or(at) : at);
    call.add(exception ? exception->sentence() : "");
  }
  call.run(redis_, adopt_script());
}

// Where the messages are of tasks that somebody asked for, and that wait for hours.
void CeleryQueue::seek_messages(Millis at) {
  constexpr int most_rounds = 5;
  constexpr Millis seen_at_once = 1'000, bytes_at_once = 4 << 20;
  ScriptCall call;
  call.add(at).add(options_.queue).add(seen_at_once).add(bytes_at_once);
  for (int i = 0; i < most_rounds; ++i)
    if (call.run(redis_, search_script()).integer == 0) return;
}

// Left between two scripts by a process that died.
void CeleryQueue::bury_garbage(Millis at) {
  auto garbage = redis_.ask({"HSCAN", keys::garbage, "0", "COUNT", "100"});
  if (garbage.items.size() != 2) return;
  const auto& pairs = garbage.items[1].items;
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
    const auto& value = pairs[i + 1].text;
    auto line = std::min(value.find('\n'), value.size() - 1);
    MessageFault fault;
    fault.sentence = "The message is no envelope.";
    if (pairs[i].text.starts_with("misplaced"))
      fault = {MessageProblem::misplaced, "The key of its queue holds no list.", "", ""};
    bury(fault, std::string_view(value).substr(line + 1), value.substr(0, line), "", pairs[i].text, "", at);
  }
}

bool CeleryQueue::may_leases_end(Millis at) {
  return ScriptCall().add(at).add("").add("").run(redis_, beat_script()).integer == 1;
}

// Leases that ended, and what is due.
void CeleryQueue::put_back(Millis at) {
  constexpr int most_rounds = 20;  // of fifty
  constexpr std::size_t most_bytes = 8 << 20;
  std::size_t bytes = 0;
  for (int i = 0; i < most_rounds && bytes < most_bytes; ++i) {
    auto reply = fetch("", 0, at, 0);
    if (!is_ended(reply)) return;
    for (const auto& item : reply.items) bytes += item.text.size();
    restore_ended(reply, at);
  }
}

void CeleryQueue::sweep() {
  constexpr int most_revoked = 100'000;
  Millis at = now();
  put_back(at);
  expire_waiting(at);
  adopt_outcomes(at);
  seek_messages(at);
  bury_garbage(at);
  auto old = redis_.ask(
      {"ZRANGEBYSCORE", keys::dead_letters, "-inf", std::to_string(at - 30 * day_ms), "LIMIT", "0", "1000"});
  if (!old.items.empty()) {
    ScriptCall call;
    for (const auto& id : old.items) call.add(id.text);
    call.run(redis_, remove_letter_script());
  }
  redis_.ask_all(std::vector<Command>{
      {"ZREMRANGEBYSCORE", keys::revoked, "-inf", std::to_string(at)},
      {"ZREMRANGEBYRANK", keys::revoked, "0", std::to_string(-most_revoked - 1)},
      {"ZREMRANGEBYSCORE", keys::workers, "-inf", std::to_string(at - day_ms)},
      {"ZREMRANGEBYSCORE", keys::holders, "-inf", std::to_string(at - day_ms)},
  });
  // What lives and was held for longer than that because Redis was away is not abandoned.
  if (!may_leases_end(at)) return;
  // kombu's own lock: one sweep at a time, Python's or ours.
  auto token = make_id();
  if (redis_.ask({"SET", keys::unacked_mutex, token, "NX", "PX", "300000"}).is_nil()) return;
  try {
    restore_abandoned(at);
  } catch (...) {
    ScriptCall().add(token).run(redis_, unlock_script());
    throw;
  }
  ScriptCall().add(token).run(redis_, unlock_script());
}

}  // namespace segments::celery

// What ended without success: who is told, and what is kept of it.
#include <algorithm>

#include "base/crypto.h"
#include "base/log.h"
#include "base/text.h"
#include "celery/celery_queue.h"
#include "celery/scripts.h"
#include "celery/task_record.h"

namespace segments::celery {

using redis::Command;

namespace {

// Of what cannot be decoded: anybody may push anything.
constexpr std::size_t kept_bytes = 1 << 20, cut_bytes = 64 << 10;
constexpr int kept_undecodable = 1'000;

std::string shown_arguments(std::string_view raw) {
  constexpr std::size_t shown_bytes = 4'096;
  bool whole = raw.size() <= shown_bytes;
  return print_json(Json::object({{"message", clean_utf8(raw.substr(0, shown_bytes))}, {"whole", whole}}));
}

}  // namespace

void CeleryQueue::bury(const MessageFault& fault, std::string_view raw, const std::string& queue,
                       const std::string& tag, const std::string& garbage, std::string_view unacked_value,
                       Millis at) {
  KeptLetter kept;
  kept.letter.task_id = "undecodable-" + encode_hex(sha256(raw)).substr(0, 16);
  kept.letter.name = clean_utf8(fault.task, 256);
  kept.letter.arguments = shown_arguments(raw);
  kept.letter.error = fault.sentence;
  kept.letter.died_at = format_time(at);
  kept.queue = queue;
  kept.undecodable = true;
  kept.cut = raw.size() > kept_bytes && fault.why != MessageProblem::misplaced;
  kept.raw = raw.substr(0, kept.cut ? cut_bytes : raw.size());
  ScriptCall call;
  call.add(at).add(kept_undecodable).add(kept.letter.task_id).add(encode_letter(kept)).add(tag).add(garbage);
  call.add(unacked_value);
  if (call.run(redis_, bury_script()).integer != 1) return;
  log_error("celery.message_undecodable", {{"queue", queue},
                                           {"problem", name_of(fault.why)},
                                           {"error", fault.sentence},
                                           {"task", kept.letter.name},
                                           {"dead_letter", kept.letter.task_id},
                                           {"bytes", raw.size()}});
  if (options_.metrics)
    options_.metrics
        ->counter("segments_undecodable_messages_total", "Messages that could not be read, by problem.",
                  {{"problem", std::string(name_of(fault.why))}})
        .add();
  if (options_.observer.undecodable) options_.observer.undecodable(fault);
}

std::vector<GivenUpTask> CeleryQueue::lease_given_up(int most, int lease_ms) {
  std::vector<GivenUpTask> tasks;
  if (most <= 0) return tasks;
  Millis at = now();
  ScriptCall call;
  call.add(at).add(at + lease_ms).add(most);
  auto reply = call.run(redis_, lease_given_up_script());
  if (reply.items.size() == 1) {
    put_back(at);
    reply = call.run(redis_, lease_given_up_script());
  }
  for (std::size_t i = 0; i + 2 < reply.items.size(); i += 3) {
    auto given = decode_given_up(reply.items[i + 2].text);
    if (!given) continue;
    given->task.fence = std::strtoll(reply.items[i + 1].text.c_str(), nullptr, 10);
    tasks.push_back(std::move(*given));
  }
  return tasks;
}

bool CeleryQueue::settle_given_up(const LeasedTask& task) {
  ScriptCall call;
  call.add(task.id).add(task.fence);
  return call.run(redis_, settle_given_up_script()).integer == 1;
}

std::vector<DeadLetter> CeleryQueue::list_dead_letters(std::string_view after, std::size_t limit) {
  std::vector<DeadLetter> letters;
  auto from = after.empty() ? "-" : "(" + std::string(after);
  auto count = std::to_string(std::min<std::size_t>(limit, 10'000));
  auto ids = redis_.ask({"ZRANGEBYLEX", keys::dead_letter_ids, from, "+", "LIMIT", "0", count});
  if (ids.items.empty()) return letters;
  Command get("HMGET");
  get.add(keys::dead_letter_items);
  for (const auto& id : ids.items) get.add(id.text);
  for (const auto& item : redis_.ask(get).items)
    if (auto kept = decode_letter(item.text)) letters.push_back(std::move(kept->letter));
  return letters;
}

bool CeleryQueue::requeue(const ScriptCall& call) {
  auto reply = call.run(redis_, requeue_script());
  if (!reply.text.empty()) throw misused_list(reply.text);
  return reply.integer == 1;
}

bool CeleryQueue::requeue_dead_letter(std::string_view task_id) {
  auto item = redis_.ask({"HGET", keys::dead_letter_items, task_id});
  auto kept = decode_letter(item.text);
  if (!kept || kept->cut) return false;
  ScriptCall call;
  call.add(now()).add(task_id).add(item.text);
  if (kept->undecodable) {
    call.add(kept->queue).add(kept->raw);
    for (int i = 0; i < 5; ++i) call.add("");
    return requeue(call);
  }
  auto decoded = decode_message(kept->raw);
  auto* message = std::get_if<TaskMessage>(&decoded);
  if (!message) return false;
  // As new: it may run whenever, and all its retries are before it.
  message->retries = 0;
  message->eta.reset();
  message->expires.reset();
  message->redelivered = false;
  message->delivery_tag.clear();
  auto own = find_own_header(*message);
  call.add(keys::queue_list(kept->queue, message->priority)).add(encode_message(*message, false));
  call.add(message->id).add(message->task);
  call.add(own ? own->user_id : message->kwargs.text_of("user_id")).add(own ? own->parent_id : "");
  call.add(own ? "1" : "0");
  return requeue(call);
}

bool CeleryQueue::remove_dead_letter(std::string_view task_id) {
  return ScriptCall().add(task_id).run(redis_, remove_letter_script()).integer == 1;
}

}  // namespace segments::celery

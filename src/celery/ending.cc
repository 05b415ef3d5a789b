#include "celery/ending.h"

#include <iterator>

#include "base/log.h"
#include "celery/keys.h"

namespace segments::celery {

namespace {

std::string kind_name(Ending::Kind kind) {
  switch (kind) {
    case Ending::Kind::drop:
      return "drop";
    case Ending::Kind::retry:
      return "retry";
    case Ending::Kind::back:
      return "back";
    case Ending::Kind::died:
      return "died";
    case Ending::Kind::end:
      break;
  }
  return "end";
}

}  // namespace

std::string chord_score(const TaskMessage& message) {
  return message.group_index ? std::to_string(*message.group_index) : "+inf";
}

// Its result, and nothing else that anybody has to be told of.
bool Ending::is_plain() const {
  return kind == Kind::end && status == "SUCCESS" && registered && !guarded &&
         delivery->message.retries == 0 && delivery->batch().empty() && chords.empty() &&
         follow_ups.messages.empty() && follow_ups.chord_sizes.empty() && others.empty();
}

void Ending::print_plain(ScriptCall& call) const {
  const auto& message = delivery->message;
  call.add(tag_of(delivery->fence)).add(message.id).add(message.task).add(delivery->user_id()).add(meta);
}

void Ending::print(ScriptCall& call, Millis now) const {
  const auto& message = delivery->message;
  bool goes_back = !back.empty();
  int retries = message.retries + (kind == Kind::retry ? 1 : 0);
  call.add(tag_of(delivery->fence)).add(message.id).add(message.task);
  call.add(registered ? message.task : "(unknown)").add(kind_name(kind)).add(status).add(retries).add(error);
  call.add(ready)
      .add(delivery->batch())
      .add(delivery->own ? "1" : "0")
      .add(delivery->user_id())
      .add(meta)
      .add(back);
  call.add(goes_back ? keys::queue_list(delivery->queue, message.priority) : "").add(letter).add(given);
  call.add(guarded ? std::to_string(now) : "");
  auto count = [](const auto& list) { return static_cast<std::int64_t>(list.size()); };
  call.add(count(chords));
  for (const auto& chord : chords) {
    call.add(chord.message.group).add(chord_score(chord.message)).add(encode_chord_part(chord.part));
    call.add(std::to_string(chord.seen)).add(chord.size);
    call.add(chord.recorded_only ? "record" : chord.complete ? "complete" : "");
  }
  call.add(count(follow_ups.messages));
  for (const auto& next : follow_ups.messages)
    call.add(keys::queue_list(next.routing_key, next.priority)).add(encode_message(next));
  call.add(count(follow_ups.chord_sizes));
  for (const auto& chord : follow_ups.chord_sizes) call.add(chord.group_id).add(chord.size);
  call.add(count(others));
  for (const auto& [id, meta_of_other] : others) call.add(id).add(meta_of_other);
}

void add_chord(Ending& ending, const TaskMessage& message, std::string_view status, const Json& result) {
  if (message.group.empty() || !message.embed.at("chord").is_true()) return;
  ending.chords.push_back({message, {message.id, std::string(status), result}});
}

void merge(FollowUps& into, FollowUps&& more) {
  auto append = [](auto& to, auto& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  append(into.messages, more.messages);
  append(into.chord_sizes, more.chord_sizes);
  append(into.children.items(), more.children.items());
  append(into.skipped, more.skipped);
  append(into.faults, more.faults);
}

namespace {

void log_faults(const Ending& ending) {
  for (const auto& fault : ending.follow_ups.faults)
    log_warning("celery.follow_up_refused", {{"task_id", ending.delivery->message.id}, {"error", fault}});
}

}  // namespace

void fail_skipped(Ending& ending, const PythonException& exception, Millis now) {
  for (const auto& skipped : ending.follow_ups.skipped) {
    auto meta = make_failure(skipped.message.id, exception, "", now);
    meta.group_id = skipped.message.group;
    meta.parent_id = skipped.message.parent_id;
    ending.others.emplace_back(skipped.message.id, encode_result(meta));
    add_chord(ending, skipped.message, "FAILURE", exception.json());
  }
  ending.follow_ups.skipped.clear();
}

void follow(Ending& ending, const Json& result, Millis now) {
  const auto& message = ending.delivery->message;
  if (!message.embed.members().empty()) ending.follow_ups = follow_success(message, result, now);
  log_faults(ending);
  add_chord(ending, message, "SUCCESS", result);
}

void follow(Ending& ending, const PythonException& exception, Millis now) {
  const auto& message = ending.delivery->message;
  if (!message.embed.members().empty()) ending.follow_ups = follow_failure(message, now);
  log_faults(ending);
  fail_skipped(ending, exception, now);
  add_chord(ending, message, ending.status, exception.json());
}

Ending make_return(DeliveryPtr delivery, Ending::Kind kind) {
  Ending ending{std::move(delivery)};
  const auto& held = *ending.delivery;
  ending.kind = kind;
  ending.guarded = kind == Ending::Kind::died;
  ending.back = encode_restored(held.raw).value_or(held.raw);
  // Where it was revoked meanwhile it does not wait: its owner is told, and its chord does not wait for it.
  ending.given = encode_given_up(held.task(), revoked_sentence, true);
  add_chord(ending, held.message, "REVOKED", task_revoked("terminated").json());
  return ending;
}

void fail(Ending& ending, const PythonException& exception, const std::string& sentence, Millis now) {
  const auto& held = *ending.delivery;
  const auto& message = held.message;
  ending.status = "FAILURE";
  ending.error = sentence;
  follow(ending, exception, now);
  put_meta(ending, make_failure(message.id, exception, sentence, now));
  KeptLetter letter;
  letter.letter = {message.id, message.task, held.arguments, sentence, format_time(now), message.retries};
  letter.queue = held.queue;
  letter.raw = held.raw;
  ending.letter = encode_letter(letter);
  ending.given = encode_given_up(held.task(), sentence, false);
}

void put_meta(Ending& ending, ResultMeta meta) {
  const auto& message = ending.delivery->message;
  if (message.ignore_result.value_or(false)) return;
  meta.children = ending.follow_ups.children;
  meta.group_id = message.group;
  meta.parent_id = message.parent_id;
  ending.meta = encode_result(meta);
}

Ending make_poisoned(DeliveryPtr delivery, int deaths, Millis now) {
  Ending ending{std::move(delivery)};
  ending.guarded = true;
  auto sentence = "The worker died " + std::to_string(deaths) + " times while running it.";
  fail(ending, worker_lost(sentence), sentence, now);
  return ending;
}

}  // namespace segments::celery

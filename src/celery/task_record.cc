#include "celery/task_record.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "celery/content.h"
#include "celery/keys.h"
#include "celery/result.h"

namespace segments::celery {

namespace {

class Fields {
 public:
  explicit Fields(const redis::Reply& pairs) {
    for (std::size_t i = 0; i + 1 < pairs.items.size(); i += 2)
      fields_.emplace(pairs.items[i].text, pairs.items[i + 1].text);
  }
  bool empty() const { return fields_.empty(); }
  const std::string& text(std::string_view name) const {
    static const std::string none;
    auto found = fields_.find(name);
    return found == fields_.end() ? none : found->second;
  }
  std::optional<std::string> filled(std::string_view name) const {
    const auto& value = text(name);
    return value.empty() ? std::nullopt : std::optional(value);
  }
  Millis number(std::string_view name) const {
    return static_cast<Millis>(parse_number(text(name)).value_or(0));
  }
  const auto& all() const { return fields_; }

 private:
  std::map<std::string, std::string, std::less<>> fields_;
};

bool is_final(TaskStatus status) {
  return status == TaskStatus::SUCCESS || status == TaskStatus::FAILURE || status == TaskStatus::REVOKED;
}

// Of a worker that writes results only: Python's.
void show_meta(TaskState& state, Millis& finished, const ResultMeta& meta) {
  auto status = meta.task_status();
  if (!status) return;
  if (!meta.is_final()) {
    // A RETRY that stays in the backend while the next run goes on is not newer than our own.
    bool newer = state.status == TaskStatus::PENDING || *status == TaskStatus::STARTED;
    if (newer && !is_final(state.status)) state.status = *status;
    return;
  }
  if (*status == TaskStatus::SUCCESS) {
    state.result = RawJson{print_json(meta.result)};
    state.progress = 100;
  } else if (state.status != *status) {
    auto exception = meta.exception();
    state.error = exception ? exception->sentence() : "The task failed.";
  }
  if (state.status != *status || !finished) finished = meta.date_done.value_or(finished);
  state.status = *status;
}

}  // namespace

Error misused_list(std::string_view key) {
  constexpr int retry_after_s = 30;
  std::string shown;
  for (char one : key)
    if (one == keys::separator[0])
      shown += "\\x06";
    else if (one == keys::separator[1])
      shown += "\\x16";
    else
      shown += one;
  return Error(ErrorKind::unavailable,
               "The key " + clean_utf8(shown) +
                   " in Redis holds no list of tasks: nothing can be queued until it is removed.",
               {}, retry_after_s);
}

std::optional<TaskState> join_task(std::string_view task_id, const redis::Reply& hash,
                                   const redis::Reply& meta, const redis::Reply& children, Millis now) {
  Fields fields(hash);
  auto outcome = meta.is_nil() ? std::nullopt : decode_result(meta.text);
  if (fields.empty() && !outcome) return std::nullopt;
  TaskState state;
  state.task_id = task_id;
  state.name = fields.text("name");
  state.user_id = fields.text("user_id");
  state.status = enum_from<TaskStatus>(fields.text("status")).value_or(TaskStatus::PENDING);
  state.progress = parse_number(fields.text("progress")).value_or(0);
  state.message = fields.filled("message_shown");
  state.error = fields.filled("error");
  state.retries = static_cast<int>(fields.number("retries"));
  state.worker = fields.filled("worker");
  state.parent_id = fields.filled("parent_id");
  Millis created = fields.number("created_at"), started = fields.number("started_at");
  Millis finished = fields.number("finished_at"), ready = fields.number("ready_at");
  if (outcome) show_meta(state, finished, *outcome);
  if (state.name.empty() && outcome) state.name = outcome->more.text_of("name");
  if (state.status == TaskStatus::SUCCESS || state.status == TaskStatus::STARTED ||
      state.status == TaskStatus::PENDING)
    state.error.reset();
  // Its keys have a life of their own in Redis; by our clock it may be over before.
  if (is_final(state.status) && finished && finished <= now - Millis{keys::result_ttl_s} * 1000)
    return std::nullopt;
  if (!created) created = started ? started : ready ? ready : finished;
  state.created_at = format_time(created);
  if (started) state.started_at = format_time(started);
  if (finished && is_final(state.status)) state.finished_at = format_time(finished);
  bool waits = state.status == TaskStatus::PENDING || state.status == TaskStatus::RETRY;
  if (waits && ready > now) state.next_attempt_at = format_time(ready);
  if (children.items.size() == 2) {
    state.children = parse_integer(children.items[0].text).value_or(0);
    state.children_done = parse_integer(children.items[1].text).value_or(0);
  }
  return state;
}

std::string danger_in(std::string_view info) {
  constexpr std::string_view name = "maxmemory_policy:";
  auto at = info.find(name);
  if (at == info.npos) return "";
  auto policy = info.substr(at + name.size());
  policy = policy.substr(0, policy.find_first_of("\r\n"));
  if (policy == "noeviction" || policy.starts_with("volatile-")) return "";
  return "Redis may evict tasks: its maxmemory-policy is " + std::string(policy) + ", set noeviction.";
}

QueueHealth read_health(std::span<const redis::Reply> replies, Millis now) {
  QueueHealth health;
  Fields totals(replies[0]);
  for (const auto& [field, amount] : totals.all()) {
    auto bar = field.rfind('|');
    auto status = bar == field.npos ? std::nullopt : enum_from<TaskStatus>(field.substr(bar + 1));
    auto count = parse_integer(amount).value_or(0);
    if (status && count > 0) health.counts.push_back({field.substr(0, bar), *status, count});
  }
  std::map<std::string, std::int64_t> running;
  for (const auto& entry : replies[1].items)
    ++running[entry.text.substr(0, entry.text.find(keys::separator))];
  for (const auto& [name, count] : running) health.counts.push_back({name, TaskStatus::STARTED, count});
  auto score = [](const redis::Reply& reply) {
    return reply.items.size() == 2 ? static_cast<Millis>(parse_number(reply.items[1].text).value_or(0)) : 0;
  };
  health.oldest_waiting = score(replies[2]) <= now ? score(replies[2]) : 0;
  health.dead_letters = replies[3].integer;
  health.newest_worker_heartbeat = score(replies[4]);
  return health;
}

std::string encode_given_up(const LeasedTask& task, std::string_view error, bool revoked) {
  return print_json(Json::object({{"id", task.id},
                                  {"name", task.name},
                                  {"arguments", task.arguments},
                                  {"user_id", task.user_id},
                                  {"retries", task.retries},
                                  {"max_retries", task.max_retries},
                                  {"time_limit_s", task.time_limit_s},
                                  {"soft_time_limit_s", task.soft_time_limit_s},
                                  {"error", error},
                                  {"revoked", revoked}}));
}

std::optional<GivenUpTask> decode_given_up(std::string_view item) {
  auto json = read_json(item);
  if (!json || !json->is_object()) return std::nullopt;
  auto number = [&](const char* name) { return static_cast<int>(json->at(name).integer().value_or(0)); };
  GivenUpTask given;
  given.task.id = json->text_of("id");
  given.task.name = json->text_of("name");
  given.task.arguments = json->text_of("arguments");
  given.task.user_id = json->text_of("user_id");
  given.task.retries = number("retries");
  given.task.max_retries = number("max_retries");
  given.task.time_limit_s = number("time_limit_s");
  given.task.soft_time_limit_s = number("soft_time_limit_s");
  given.error = json->text_of("error");
  given.revoked = json->at("revoked").boolean();
  return given;
}

std::string encode_letter(const KeptLetter& kept) {
  auto json = Json::object({{"task_id", kept.letter.task_id},
                            {"name", kept.letter.name},
                            {"arguments", kept.letter.arguments},
                            {"error", kept.letter.error},
                            {"died_at", kept.letter.died_at},
                            {"retries", kept.letter.retries},
                            {"queue", kept.queue},
                            {"undecodable", kept.undecodable},
                            {"cut", kept.cut}});
  if (is_utf8(kept.raw))
    json.put("raw", kept.raw);
  else
    json.put("raw_base64", encode_base64(kept.raw));
  return print_json(json);
}

std::optional<KeptLetter> decode_letter(std::string_view item) {
  auto json = read_json(item);
  if (!json || !json->is_object()) return std::nullopt;
  KeptLetter kept;
  kept.letter = {json->text_of("task_id"),   json->text_of("name"),
                 json->text_of("arguments"), json->text_of("error"),
                 json->text_of("died_at"),   static_cast<int>(json->at("retries").integer().value_or(0))};
  kept.queue = json->text_of("queue");
  kept.undecodable = json->at("undecodable").boolean();
  kept.cut = json->at("cut").boolean();
  kept.raw = json->find("raw_base64") ? decode_base64(json->text_of("raw_base64")).value_or("")
                                      : json->text_of("raw");
  return kept;
}

}  // namespace segments::celery

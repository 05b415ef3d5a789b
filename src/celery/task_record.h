// What is kept of a task beside its message: what is shown of it, and the small JSON items of given up tasks
// and dead letters.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "celery/delivery.h"
#include "queue/task_queue.h"
#include "redis/client.h"

namespace segments::celery {

// The arguments of a script, which names its keys itself.
class ScriptCall {
 public:
  ScriptCall& add(std::string_view text) {
    arguments_.emplace_back(text);
    return *this;
  }
  ScriptCall& add(std::int64_t number) { return add(std::to_string(number)); }
  redis::Reply run(redis::Client& redis, const redis::Script& script) const {
    return redis.run(script, {}, arguments_);
  }

 private:
  std::vector<std::string> arguments_;
};

inline constexpr const char* expired_sentence = "The task was not begun before it expired.";
inline constexpr const char* revoked_sentence = "The task was revoked.";

// Error{unavailable}: a key of a queue's is in use for something else.
Error misused_list(std::string_view key);

// Our hash, the result backend's text and the counts of children, as Redis answered. What the backend has as
// final is what is shown, so that the outcome of a Python worker is, too.
std::optional<TaskState> join_task(std::string_view task_id, const redis::Reply& hash,
                                   const redis::Reply& meta, const redis::Reply& children, Millis now);
// Replies in the order of CeleryQueue::health().
QueueHealth read_health(std::span<const redis::Reply>, Millis now);
// Of INFO memory: a Redis that is full and evicts loses tasks without a word. "" where it does not.
std::string danger_in(std::string_view info);

std::string encode_given_up(const LeasedTask&, std::string_view error, bool revoked);
std::optional<GivenUpTask> decode_given_up(std::string_view item);

// A dead letter as it is kept: of a task, with its message; or of bytes that nobody can read.
struct KeptLetter {
  DeadLetter letter;
  std::string queue;
  std::string raw;  // what came; the beginning of it when it is cut
  bool undecodable = false;
  bool cut = false;  // too large to be kept whole: it cannot be queued again
};
std::string encode_letter(const KeptLetter&);
std::optional<KeptLetter> decode_letter(std::string_view item);

}  // namespace segments::celery

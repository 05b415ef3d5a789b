// What a message asks to be published when its task has ended: link, link_error, chain, and the body of a
// chord. Signatures are Python's dicts: {"task", "args", "kwargs", "options", "subtask_type", "immutable"}.
// Tasks, chains, groups and chords are taken, nested at will; an expansion is bounded.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "celery/message.h"
#include "celery/result.h"

namespace segments::celery {

inline constexpr std::size_t max_follow_ups = 10'000;  // messages that one task's end may publish

// A chord that begins: store <size> at keys::chord_size(group_id) (SETEX result_ttl_s).
struct ChordSize {
  std::string group_id;
  std::int64_t size = 0;
};
// A failure to store for a task that will never run (the rest of a chain), in its chord, too.
struct SkippedTask {
  TaskMessage message;  // id, group, group_index, root_id, parent_id, embed.chord
};

struct FollowUps {
  std::vector<TaskMessage> messages;  // to publish, each to message.routing_key's list of message.priority
  std::vector<ChordSize> chord_sizes;
  Json children = Json::array();     // for the result of the task that ended
  std::vector<SkippedTask> skipped;  // after a failure: store the exception for each
  std::vector<std::string>
      faults;  // one sentence for each signature that is refused; the others are published
};

// After SUCCESS: callbacks with [result] before their own args, and the next of the chain with the rest of
// it.
FollowUps follow_success(const TaskMessage&, const Json& result, Millis now);
// After FAILURE, for good: errbacks with [id]; what is left of the chain will not run.
FollowUps follow_failure(const TaskMessage&, Millis now);
// When a chord's last part has ended. `results`: of all parts, in order. The body's callback.
FollowUps follow_chord(const TaskMessage& last_part, std::vector<Json> results, Millis now);
// When one of the parts failed. ChordError is to be stored for each of `skipped`, as after any failure: for
// the body, the first, which may itself be part of an outer chord, and for what was to come after it. The
// body's errbacks get its id.
struct ChordFailure {
  std::string body_id;  // "" where the signature has none
  FollowUps follow_ups;
};
ChordFailure follow_chord_failure(const TaskMessage& last_part, Millis now);

}  // namespace segments::celery

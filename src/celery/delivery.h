// A message that was taken from a queue's list and is in `unacked` under a tag of our own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "celery/message.h"
#include "queue/task_queue.h"

namespace segments::celery {

// One tag for each delivery: a message that is delivered again keeps its producer's tag, and a slow first
// holder would acknowledge it for the second.
std::string tag_of(std::int64_t fence);

// What our own producers say in a header of their own, named "segments".
struct OwnHeader {
  std::string user_id;
  std::string parent_id;  // of the batch it belongs to
  int max_retries = 3;
};
Json encode_own_header(const OwnHeader&);
std::optional<OwnHeader> find_own_header(const TaskMessage&);

struct Delivery {
  std::int64_t fence = 0;
  std::string queue;  // that it was taken from, and goes back to
  std::string raw;
  TaskMessage message;
  std::optional<OwnHeader> own;  // empty: of another producer
  std::string arguments = "{}";

  std::string user_id() const;  // "" unknown
  std::string batch() const { return own ? own->parent_id : ""; }
  LeasedTask task() const;
};
using DeliveryPtr = std::shared_ptr<const Delivery>;

// The message as a task that is queued for the first time: no retries, no times.
TaskMessage make_message(const NewTask&, const std::string& queue, const std::string& node, Millis now);

}  // namespace segments::celery

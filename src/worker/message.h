// What the worker and its slots say to each other over a stream socket: four bytes of length (little-endian),
// then as many bytes of JSON.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "describe/decode.h"
#include "queue/task_outcome.h"
#include "queue/task_queue.h"
#include "worker/worker.h"

namespace segments {

inline constexpr std::size_t max_message_bytes = 64 << 20;

// To a slot: a task to run.
struct RunOrder {
  std::string id = {}, name = {}, arguments = {}, user_id = {};
  int retries = 0, max_retries = 0, time_limit_s = 0, soft_time_limit_s = 0;
  std::int64_t fence = 0;
  std::string work_dir = {};
};
BOOST_DESCRIBE_STRUCT(RunOrder, (),
                      (id, name, arguments, user_id, retries, max_retries, time_limit_s, soft_time_limit_s,
                       fence, work_dir))

// From a slot: how a run ended; once, at first, without an outcome, when it says that it is ready.
struct RunReport {
  std::uint64_t order = 0;  // the first that was sent is 1, and so on
  std::int64_t runtime_us = 0;
  std::optional<TaskOutcome> outcome = {};
};
BOOST_DESCRIBE_STRUCT(RunReport, (), (order, runtime_us, outcome))

constexpr Rule rule_of(Describes<RunOrder>, std::string_view) {
  return {.max_length = max_message_bytes, .one_line = false};
}
constexpr Rule rule_of(Describes<TaskOutcome>, std::string_view) {
  return {.max_length = max_message_bytes, .one_line = false};
}

RunOrder make_order(const LeasedTask&, std::string work_dir);
LeasedTask task_of(const RunOrder&);
RunReport make_report(std::uint64_t order, std::int64_t runtime_us, TaskOutcome);

// Behind what is in `bytes` already; false, and nothing done, for one that is too large.
bool append_message(std::string& bytes, std::string_view json);
// Block (as long as the socket's send timeout); false when the other side is gone or does not read.
bool send_bytes(int socket, std::string_view bytes);
bool send_message(int socket, std::string_view json);

// Messages out of the bytes that come in.
class MessageReader {
 public:
  explicit MessageReader(int socket) : socket_(socket) {}

  // The next whole message. std::nullopt: none yet (with `wait` false), or the stream is at its end.
  std::optional<std::string> read(bool wait);
  bool at_end() const { return at_end_; }  // also after a length that cannot be

 private:
  std::optional<std::string> take();

  int socket_;
  std::string bytes_;
  std::size_t taken_ = 0;  // of these bytes
  bool at_end_ = false;
};

}  // namespace segments

// A task as Celery sends it (protocol 2, and the old protocol 1): read from the bytes of a queue's list
// element, printed for one. Times are milliseconds since 1970 in UTC.
#pragma once

#include <boost/describe.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/time.h"
#include "celery/envelope.h"
#include "celery/json.h"

namespace segments::celery {

struct TimeLimit {
  std::optional<double> hard_s, soft_s;
};

struct TaskMessage {
  std::string task;  // registered name
  std::string id;    // not empty
  Json args = Json::array();
  Json kwargs = Json::object();
  Json embed = Json::object();  // callbacks, errbacks, chain, chord and what else came; see signature.h

  std::string shadow;  // shown in place of the name; "" none
  std::optional<Millis> eta, expires;
  std::string group;  // "" none
  std::optional<std::int64_t> group_index;
  int retries = 0;
  TimeLimit time_limit;
  std::string root_id, parent_id;    // "" unknown
  std::string argsrepr, kwargsrepr;  // Python's repr, display only
  std::string origin;                // "gen<pid>@<host>"
  std::optional<bool> ignore_result;
  int priority = 0;  // 0..9, 0 is served first

  std::string correlation_id, reply_to;
  std::string exchange, routing_key;  // routing_key: the queue's name, with the exchange ""
  std::string delivery_tag;           // the producer's; a redelivered message keeps it
  bool redelivered = false;
  int protocol = 2;

  // The envelope it came in, with whatever headers and properties it had; of a message of our own: more
  // headers and properties to send. What the members above say goes over these.
  Envelope envelope;

  const std::string& shown_name() const { return shadow.empty() ? task : shadow; }
  const std::string& root() const { return root_id.empty() ? id : root_id; }
};

// Of an element that is run: reading it holds up all else that the worker's thread does, its heartbeats too.
// With max_body_values of content.h that is a second.
inline constexpr std::size_t max_message_bytes = 16 << 20;
// Of one that a peer held, and that goes back to its list as it was.
inline constexpr std::size_t max_restored_bytes = 64 << 20;

// Why an element of a queue's list is not run. In each case: log, count, keep as a dead letter, acknowledge.
enum class MessageProblem {
  not_an_envelope,  // no JSON object, or none with properties and a body: Python dies of it
  undecodable,      // bad base64, compression, UTF-8, JSON
  content_type,     // pickle, yaml and others that are never decoded
  unknown,          // an envelope, but no task's
  invalid,          // a task with a field of the wrong kind (id, eta, kwargs …)
  too_large,        // more bytes or values than are read, or more than there is memory for
  misplaced,        // could be read, but its queue's key holds no list
};
BOOST_DESCRIBE_ENUM(MessageProblem, not_an_envelope, undecodable, content_type, unknown, invalid, too_large,
                    misplaced)

struct MessageFault {
  MessageProblem why = MessageProblem::not_an_envelope;
  std::string sentence;
  std::string task, id;  // as far as they could be read; "" otherwise
};

inline constexpr const char* too_many_values_sentence = "The message has more than 250,000 values.";
inline constexpr const char* too_large_sentence = "The message is larger than 16 MiB.";
std::variant<TaskMessage, MessageFault> decode_message(std::string_view raw);

// The list element, protocol 2, base64 body. "" members are sent as null where Python sends null; argsrepr
// and kwargsrepr are made where they are ""; a delivery tag where it is "". The body of a message that was
// decoded from protocol 2 goes out as it came, byte for byte, unless `body_changed`.
std::string encode_message(const TaskMessage&, bool body_changed = true);

// The same message for its next attempt: retries + 1, eta, parent_id its own id, a fresh delivery tag;
// everything else, also what we do not know, as it came (big numbers and NaN too). Goes to the same queue and
// priority.
std::string encode_retry(const TaskMessage&, Millis eta);

// The element that goes back to its list: the same with `redelivered` set in the headers and in
// delivery_info. Empty when it is not an envelope (and then it must not go back).
std::optional<std::string> encode_restored(std::string_view raw);
// The `priority` property of an element, clamped to 0..9; 0 where there is none. For choosing the list to
// restore to.
int priority_of(std::string_view raw);
// Of a task's headers: no limits where they say nothing; empty where what they say is no pair of seconds.
std::optional<TimeLimit> find_time_limit(const Json& headers);

}  // namespace segments::celery

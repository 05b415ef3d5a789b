// Remote control over pidbox: requests and replies.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "celery/json.h"

namespace segments::celery {

struct ControlRequest {
  std::string method;
  Json arguments = Json::object();
  std::vector<std::string> destination;  // node names; empty: see pattern
  std::string pattern, matcher;          // matcher "glob" or "pcre"; "" all nodes
  std::string ticket;
  std::string reply_exchange, reply_routing_key;  // both "": a cast, to which nobody replies
  std::int64_t clock = 0;

  bool wants_reply() const { return !reply_routing_key.empty(); }
};

// A sentence when it is no request (then it is logged and nothing is done). Any `arguments` that is no object
// is {}.
std::variant<ControlRequest, std::string> decode_control_request(std::string_view raw);
// Whether the node acts on it. An unknown matcher, or a pattern that is none, matches nobody.
bool is_for(const ControlRequest&, std::string_view node);
std::string encode_control_request(const ControlRequest&);  // for PUBLISH on keys::control_channel(db)

struct ControlReply {
  std::string ticket;
  std::int64_t clock = 0;
  std::vector<std::pair<std::string, Json>> nodes;  // each node's payload; normally one
};
// For LPUSH to every queue that is bound to the request's reply_routing_key, and to none where nobody is.
std::string encode_control_reply(const ControlRequest&, std::string_view node, const Json& payload,
                                 std::int64_t clock);
std::optional<ControlReply> decode_control_reply(std::string_view raw);

// Payloads.
Json ok_reply(Json value);                                                     // {"ok": …}
Json error_reply(std::string_view sentence);                                   // {"error": …}
Json unknown_method_reply(std::string_view method);                            // KeyError('x')
Json bad_arguments_reply(std::string_view method, std::string_view sentence);  // TypeError("x() …")

// Reading arguments: clients send a text or a list of texts for ids, numbers as numbers or texts, null for
// absent.
std::vector<std::string> texts_in(const Json& arguments, std::string_view name);
std::optional<double> number_in(const Json& arguments, std::string_view name);

// "10/m", "5/s", "100/h", "7", 7 as runs in a second; 0: no limit (also null and ""). Empty for others.
std::optional<double> parse_rate(const Json&);

}  // namespace segments::celery

// kombu's envelope, one JSON object, around every message: tasks, events, remote control and its replies.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "celery/json.h"

namespace segments::celery {

struct Envelope {
  Json headers = Json::object();
  Json properties = Json::object();
  std::string content_type = "application/json";
  std::string content_encoding = "utf-8";
  std::string body;  // as it stands in the envelope: base64 when properties.body_encoding says so
};

// Empty when it is no JSON object with objects `headers` and `properties` (absent or null headers are empty
// ones) and a text `body`; then `why` is one plain sentence. A content type that is null is "".
std::optional<Envelope> read_envelope(std::string_view raw, std::string& why);
std::string print_envelope(const Envelope&);

// The body's JSON. Empty when it is not JSON by its content type, is too large, or broken; then `why` is one
// sentence.
std::optional<Json> read_body(const Envelope&, std::string& why);
// An envelope with a base64 body, a fresh delivery tag and the given address; delivery_mode 2 is durable, 1
// is not.
Envelope make_envelope(const Json& body, std::string_view exchange, std::string_view routing_key,
                       int delivery_mode);

std::string
make_uuid();  // version 4, "3f0b…-…"; for delivery tags, tickets and ids of tasks as Python makes them

}  // namespace segments::celery

// The request target (RFC 9112, 3.2): its path and its query, from whatever bytes a client sent.
#pragma once

#include <string>
#include <string_view>

#include "http/request.h"

namespace segments::http {

// Fills path and query of request.target. Throws Error{malformed} for what cannot be decoded.
void parse_target(Request&);
// Percent-decoded; throws Error{malformed} unless the result is UTF-8 without NUL.
std::string decode_component(std::string_view, bool plus_is_space);
// Decoding it as a part of the path gives the same.
bool is_plain_component(std::string_view);

}  // namespace segments::http

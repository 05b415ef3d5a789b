#include "redis/error_reply.h"

#include <algorithm>

#include "base/text.h"

namespace segments::redis {

namespace {

constexpr std::size_t most_shown_bytes = 300;

std::string_view code_of(const Reply& error) {
  return std::string_view(error.text).substr(0, error.text.find(' '));
}

// Redis before 7 puts the error that ended a script into a sentence of its own: "ERR Error running script
// (call to f_…): @user_script:1: @user_script: 1: -OOM command not allowed …".
std::string_view inner_code_of(const Reply& error) {
  std::string_view text = error.text;
  if (!text.starts_with("ERR Error running script")) return code_of(error);
  auto at = text.find(": -");
  return at == text.npos ? code_of(error) : text.substr(at + 3, text.find(' ', at + 3) - at - 3);
}

bool is_full(const Reply& error) {
  return error.text.starts_with("ERR max number of clients");
}

}  // namespace

Error error_of(const Reply& error, std::string_view command) {
  static constexpr std::string_view passing[] = {"BUSY",       "CLUSTERDOWN", "DENIED",  "LOADING",
                                                 "MASTERDOWN", "MISCONF",     "NOAUTH",  "NOREPLICAS",
                                                 "OOM",        "READONLY",    "TRYAGAIN"};
  std::string what = "refused " + std::string(command) + ": " + shown_error(error);
  if (is_full(error) || std::ranges::find(passing, inner_code_of(error)) != std::end(passing))
    return Error(ErrorKind::unavailable, "Redis " + what, {}, 1);
  return Error(ErrorKind::internal, "Redis " + what);
}

bool wants_new_connection(const Reply& reply) {
  if (!reply.is_error()) return false;
  auto code = code_of(reply);
  return code == "READONLY" || code == "MASTERDOWN" || code == "NOAUTH" || code == "DENIED" || is_full(reply);
}

std::string shown_error(const Reply& error) {
  auto text = clean_utf8(error.text, most_shown_bytes);
  while (text.ends_with('.')) text.pop_back();  // the sentence that it becomes part of has its own
  return text;
}

}  // namespace segments::redis

// One HTTP request as handlers see it. Bodies of JSON routes are whole (1 MiB at most); uploads are streamed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"

namespace segments {

struct Request {
  std::string method;
  std::string target;  // as sent
  std::string path;    // of target, as sent: segments of it are decoded one by one for path()
  std::vector<std::pair<std::string, std::string>> query;    // percent-decoded, in order
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::vector<std::pair<std::string, std::string>> path_parameters;
  std::string body;
  std::string remote_address;
  std::string request_id;
  std::optional<std::int64_t> content_length;  // of an upload

  // Set by the router's `admit` hook:
  std::string user;         // whose request it is
  bool trusted = false;     // auth mode `none`: ownership is not checked
  bool user_named = false;  // auth mode `none`: the request itself names the user

  std::string_view header(std::string_view lower_case_name) const;  // "" when absent
  std::string_view path_parameter(std::string_view name) const;     // decoded; asserts that the route has it
  std::optional<std::string_view> query_parameter(std::string_view name) const;
};

}  // namespace segments

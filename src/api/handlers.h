// What all handlers share: whose request it is, and how bodies, queries and ids in paths are read. A handler
// is
//   Response get_noun(const Request&, Services&);
// declared in its noun's header together with the described structs of its body, query and answer: the route
// table takes the OpenAPI document from them. Bodies and queries are decoded first, then things are looked
// up.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "describe/decode.h"
#include "describe/query.h"
#include "http/request.h"
#include "http/response.h"
#include "services/services.h"

namespace segments {

// The user whose things a request may touch, as the store's verbs take it: "" (anybody's) in auth mode
// `none`.
std::string_view owner_of(const Request&);
// Whether a thing of `user_id` may be shown to the caller; where not, it is reported as absent.
bool may_see(const Request&, std::string_view user_id);
// The user a new thing belongs to. Token: the token's; Error{forbidden} when the body names another one.
// Auth mode `none`: of the query, else of the body, else "anonymous". Error{invalid} for what cannot be a
// user's id.
std::string user_for(const Request&, const std::optional<std::string>& user_id_in_body);
// nullptr, or what is allowed: 1-200 bytes of UTF-8 without control characters.
const char* fault_of_user_id(std::string_view);

// The id in the path. Error{not_found}, without repeating it, for what can be no id (empty, not UTF-8,
// control characters, above 300 bytes).
std::string_view path_id(const Request&, std::string_view parameter, std::string_view what);

// A query struct may leave out `user_id`, which every route tolerates.
template <Described T>
T read_query(const Request& request) {
  bool takes_user = false;
  for_each_member<T>(
      [&](const char* name, auto) { takes_user = takes_user || std::string_view(name) == "user_id"; });
  QueryParameters parameters;
  for (const auto& parameter : request.query)
    if (takes_user || parameter.first != "user_id") parameters.push_back(parameter);
  return decode_query<T>(parameters);
}
struct NoQuery {};
BOOST_DESCRIBE_STRUCT(NoQuery, (), ())

// Error{unsupported_media} when the body is declared to be anything but JSON.
void check_is_json(const Request&);
template <Described T>
T read_body(const Request& request) {
  check_is_json(request);
  return decode<T>(std::string_view(request.body));
}
// The same where the body may be left out.
template <Described T>
T read_optional_body(const Request& request) {
  return request.body.empty() ? T{} : read_body<T>(request);
}

template <class T>
Response answer(const T& value, int status = 200) {
  return json_response(encode(value), status);
}

}  // namespace segments

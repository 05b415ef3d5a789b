#include "api/handlers.h"

#include "base/text.h"

namespace segments {

std::string_view owner_of(const Request& request) {
  return request.trusted ? std::string_view() : std::string_view(request.user);
}

bool may_see(const Request& request, std::string_view user_id) {
  return request.trusted || request.user == user_id;
}

const char* fault_of_user_id(std::string_view text) {
  bool is_allowed = !text.empty() && text.size() <= 200 && is_utf8(text) && !has_control(text);
  return is_allowed ? nullptr : "A user's id has 1 to 200 bytes of UTF-8 and no control characters.";
}

std::string user_for(const Request& request, const std::optional<std::string>& user_id_in_body) {
  // A cleared value is an absent one, as in queries.
  bool is_named = user_id_in_body && !user_id_in_body->empty();
  if (!request.trusted) {
    if (is_named && *user_id_in_body != request.user)
      throw Error(ErrorKind::forbidden, "The user_id of the body is not the user of the token.");
    return request.user;
  }
  if (request.user_named || !is_named) return request.user;
  if (const char* fault = fault_of_user_id(*user_id_in_body))
    throw invalid_input({{"/user_id", "format", fault}});
  return *user_id_in_body;
}

std::string_view path_id(const Request& request, std::string_view parameter, std::string_view what) {
  std::string_view id = request.path_parameter(parameter);
  if (id.empty() || id.size() > 300 || !is_utf8(id) || has_control(id))
    throw Error(ErrorKind::not_found, "There is no " + std::string(what) + " with such an id.");
  return id;
}

void check_is_json(const Request& request) {
  std::string type = lower_ascii(request.header("content-type"));
  std::string_view essence = trim(std::string_view(type).substr(0, type.find(';')));
  bool is_json =
      essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
  if (!essence.empty() && !is_json)
    throw Error(ErrorKind::unsupported_media, "The body is taken as application/json only.");
}

}  // namespace segments

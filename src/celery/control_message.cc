#include "celery/control_message.h"

#include <algorithm>

#include "base/text.h"
#include "celery/envelope.h"
#include "celery/keys.h"
#include "celery/name_match.h"
#include "celery/python_repr.h"
#include "celery/result.h"

namespace segments::celery {

std::variant<ControlRequest, std::string> decode_control_request(std::string_view raw) {
  std::string why;
  auto envelope = read_envelope(raw, why);
  if (!envelope) return why;
  auto body = read_body(*envelope, why);
  if (!body) return why;
  if (!body->is_object()) return "The control message is no object.";
  ControlRequest request;
  request.method = body->text_of("method");
  if (request.method.empty()) return "The control message names no method.";
  if (const auto& arguments = body->at("arguments"); arguments.is_object()) request.arguments = arguments;
  request.destination = texts_in(*body, "destination");
  // Meant for others, who are not named in a way that could be read.
  if (body->at("destination").is_true() && request.destination.empty())
    return "The control message's destination is no list of nodes.";
  request.pattern = body->text_of("pattern");
  request.matcher = body->text_of("matcher");
  request.ticket = body->text_of("ticket");
  const auto& reply_to = body->at("reply_to");
  request.reply_exchange = reply_to.text_of("exchange");
  request.reply_routing_key = reply_to.text_of("routing_key");
  request.clock = std::max<std::int64_t>(0, envelope->headers.at("clock").integer().value_or(0));
  return request;
}

bool is_for(const ControlRequest& request, std::string_view node) {
  if (!request.destination.empty())
    return std::find(request.destination.begin(), request.destination.end(), node) !=
           request.destination.end();
  if (request.pattern.empty() || request.matcher.empty()) return true;
  if (request.matcher == "glob") return matches_glob(node, request.pattern);
  return request.matcher == "pcre" && matches_regex(node, request.pattern);
}

std::string encode_control_request(const ControlRequest& request) {
  auto body = Json::object({
      {"method", request.method},
      {"arguments", request.arguments},
      {"destination", request.destination.empty() ? Json() : Json::texts(request.destination)},
      {"pattern", Json::text_or_null(request.pattern)},
      {"matcher", Json::text_or_null(request.matcher)},
  });
  if (request.wants_reply()) {
    body.put("ticket", request.ticket);
    body.put("reply_to", Json::object({{"exchange", request.reply_exchange},
                                       {"routing_key", request.reply_routing_key}}));
  }
  auto envelope = make_envelope(body, keys::control_exchange, "", 2);
  envelope.headers = Json::object({{"clock", request.clock}, {"expires", 0}});
  return print_envelope(envelope);
}

std::string encode_control_reply(const ControlRequest& request, std::string_view node, const Json& payload,
                                 std::int64_t clock) {
  auto body = Json::object();
  body.put(node, payload);
  auto envelope = make_envelope(body, request.reply_exchange, request.reply_routing_key, 1);
  envelope.headers = Json::object({{"ticket", request.ticket}, {"clock", clock}});
  return print_envelope(envelope);
}

std::optional<ControlReply> decode_control_reply(std::string_view raw) {
  std::string why;
  auto envelope = read_envelope(raw, why);
  if (!envelope) return std::nullopt;
  auto body = read_body(*envelope, why);
  if (!body || !body->is_object()) return std::nullopt;
  return ControlReply{envelope->headers.text_of("ticket"),
                      envelope->headers.at("clock").integer().value_or(0), std::move(body->members())};
}

Json ok_reply(Json value) {
  return Json::object({{"ok", std::move(value)}});
}
Json error_reply(std::string_view sentence) {
  return Json::object({{"error", sentence}});
}
Json unknown_method_reply(std::string_view method) {
  return error_reply(PythonException{"KeyError", {Json(method)}, "builtins"}.repr());
}
Json bad_arguments_reply(std::string_view method, std::string_view sentence) {
  return error_reply(
      PythonException{"TypeError", {Json(std::string(method) + "() " + std::string(sentence))}, "builtins"}
          .repr());
}

std::vector<std::string> texts_in(const Json& arguments, std::string_view name) {
  const auto& value = arguments.at(name);
  if (value.is_text() && !value.text().empty()) return {value.text()};
  std::vector<std::string> texts;
  for (const auto& item : value.items())
    if (item.is_text()) texts.push_back(item.text());
  return texts;
}

std::optional<double> number_in(const Json& arguments, std::string_view name) {
  const auto& value = arguments.at(name);
  if (value.is_text()) return parse_number(trim(value.text()));
  auto number = value.real();
  return number && !has_non_finite(value) ? number : std::nullopt;
}

std::optional<double> parse_rate(const Json& rate) {
  if (!rate.is_true()) return rate.kind() == Json::Kind::array ? std::nullopt : std::optional<double>(0);
  if (rate.is_number()) {
    auto number = rate.real();
    return !has_non_finite(rate) && *number >= 0 ? number : std::nullopt;
  }
  if (!rate.is_text()) return std::nullopt;
  auto slash = rate.text().find('/');
  auto count = parse_number(trim(std::string_view(rate.text()).substr(0, slash)));
  if (!count || *count < 0) return std::nullopt;
  std::string unit = slash == std::string::npos ? "" : rate.text().substr(slash + 1);
  if (unit.empty() || unit == "s") return *count;
  if (unit == "m") return *count / 60;
  return unit == "h" ? std::optional(*count / 3600) : std::nullopt;
}

}  // namespace segments::celery

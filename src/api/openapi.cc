// The OpenAPI 3.1 document: a walk over the route table.
#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "api/route.h"
#include "api/routes.h"
#include "base/text.h"

namespace segments {

namespace {

namespace json = boost::json;

const char* description_of(int status) {
  switch (status) {
    case 206:
      return "The ranges that were asked for";
    case 304:
      return "What If-None-Match names is still the newest";
    case 307:
      return "The object lies elsewhere, at this address";
    case 400:
      return "The request cannot be read: broken JSON, or a cursor of another list";
    case 401:
      return "No valid credentials";
    case 403:
      return "The credentials do not allow this";
    case 404:
      return "There is no such thing, or it is somebody else's";
    case 409:
      return "The present state does not allow this";
    case 412:
      return "Somebody else changed it meanwhile";
    case 413:
      return "More bytes than are taken";
    case 415:
      return "Not of a type that is taken";
    case 416:
      return "No such range";
    case 422:
      return "The input breaks rules: `errors` names every fault";
    case 429:
      return "Too many requests; Retry-After says when to come again";
    case 500:
      return "A fault of the server";
    case 503:
      return "Not possible now; Retry-After says when to come again";
    default:
      return "Done";
  }
}

json::object reference(const char* kind, std::string_view name) {
  return {{"$ref", "#/components/" + std::string(kind) + "/" + std::string(name)}};
}

// "{key...}", the rest of a path, is {key} in the document.
std::string document_path(std::string_view pattern) {
  std::string path(pattern);
  if (auto dots = path.find("..."); dots != path.npos) path.erase(dots, 3);
  return path;
}

void add_path_parameters(const ApiRoute& route, json::array& parameters) {
  std::string path = document_path(route.pattern);
  for (auto open = path.find('{'); open != path.npos; open = path.find('{', open + 1)) {
    std::string name = path.substr(open + 1, path.find('}', open) - open - 1);
    parameters.push_back(json::object{{"name", name},
                                      {"in", "path"},
                                      {"required", true},
                                      {"schema", {{"type", "string"}, {"maxLength", 300}}}});
  }
}

void add_query_parameters(const ApiRoute& route, json::array& parameters) {
  bool names_user = false;
  if (route.query) {
    json::object schema = route.query.make();
    for (auto& [name, member] : schema["properties"].as_object()) {
      json::object parameter{{"name", name}, {"in", "query"}};
      names_user = names_user || name == "user_id";
      auto& details = member.as_object();
      if (auto* about = details.if_contains("description")) {
        parameter["description"] = *about;
        details.erase("description");
      }
      // A parameter that is there is never null; an empty one is an absent one.
      if (auto* type = details.if_contains("type"); type && type->is_array())
        *type = json::value(type->as_array().at(0));
      if (auto* values = details.if_contains("enum"); values && values->as_array().back().is_null())
        values->as_array().pop_back();
      if (details.if_contains("items")) {
        parameter["style"] = "form";
        parameter["explode"] = false;
      }
      parameter["schema"] = details;
      parameters.push_back(std::move(parameter));
    }
  }
  if (!names_user && route.access != Access::open) parameters.push_back(reference("parameters", "user_id"));
}

json::object request_body(const ApiRoute& route) {
  json::object content;
  if (route.body)
    content["application/json"] = {{"schema", reference("schemas", route.body.name)}};
  else
    content["*/*"] = json::object{};
  return {{"required", !route.body_may_miss}, {"content", std::move(content)}};
}

std::set<int> fault_statuses(const ApiRoute& route) {
  std::set<int> statuses(route.faults.begin(), route.faults.end());
  bool has_path_id = std::string_view(route.pattern).find('{') != std::string_view::npos;
  if (route.access != Access::open) statuses.insert({401, 403, 422, 429});
  if (has_path_id) statuses.insert({400, 404});
  if (route.body) statuses.insert({400, 413, 415, 422});
  statuses.insert({500, 503});
  return statuses;
}

json::object success(const ApiRoute& route) {
  json::object answer{{"description", description_of(route.status)}};
  std::string_view type = route.content_type;
  if (type.empty()) return answer;
  json::object media;
  // A stream's schema is that of each event's data.
  if (route.answer) media["schema"] = reference("schemas", route.answer.name);
  answer["content"] = json::object{{type, std::move(media)}};
  json::object headers{{"X-Request-Id", reference("headers", "X-Request-Id")}};
  if (std::string_view(route.answer.name ? route.answer.name : "") == "Segment")
    headers["ETag"] = reference("headers", "ETag");
  if (route.status == 201 && headers.contains("ETag")) headers["Location"] = reference("headers", "Location");
  answer["headers"] = std::move(headers);
  return answer;
}

json::object operation(const ApiRoute& route) {
  json::object operation{
      {"operationId", route.id}, {"tags", json::array{route.tag}}, {"summary", route.summary}};
  json::array parameters;
  add_path_parameters(route, parameters);
  add_query_parameters(route, parameters);
  for (const char* header : route.headers) parameters.push_back(reference("parameters", header));
  if (!parameters.empty()) operation["parameters"] = std::move(parameters);
  bool takes_bytes = std::string_view(route.method) == "PUT" && !route.body;
  if (route.body || takes_bytes) operation["requestBody"] = request_body(route);

  json::object answers;
  answers[std::to_string(route.status)] = success(route);
  for (int status : fault_statuses(route)) {
    // Readiness answers its report with 503 too.
    if (status == 503 && std::string_view(route.id) == "get_ready")
      answers["503"] = success(route);
    else if (status < 400)
      answers[std::to_string(status)] = json::object{{"description", description_of(status)}};
    else
      answers[std::to_string(status)] = reference("responses", std::to_string(status));
  }
  operation["responses"] = std::move(answers);
  if (route.access == Access::open) operation["security"] = json::array{};
  if (route.access == Access::with_ticket)
    operation["security"] =
        json::array{json::object{{"bearer", json::array{}}}, json::object{{"ticket", json::array{}}}};
  return operation;
}

json::object header_parameter(const char* name, const char* about) {
  return {{"name", name},
          {"in", "header"},
          {"description", about},
          {"schema", {{"type", "string"}, {"maxLength", 8'192}}}};
}

json::object common_parameters() {
  return {
      {"user_id",
       {{"name", "user_id"},
        {"in", "query"},
        {"schema", {{"type", "string"}, {"maxLength", 200}}},
        {"description", "With a token: its own user or nothing. In auth mode `none`: whose request it is"}}},
      {"Idempotency-Key", header_parameter("Idempotency-Key",
                                           "1 to 255 printable ASCII characters: within 24 h the same key "
                                           "and body give the same answer, another body 409")},
      {"If-Match",
       header_parameter(
           "If-Match",
           "ETags, or *: the change is made only to these versions of title, description and tags")},
      {"If-None-Match", header_parameter("If-None-Match", "ETags: 304 when one of them is still the newest")},
      {"If-Range", header_parameter("If-Range", "An ETag: the range is answered only from this version")},
      {"Range", header_parameter("Range", "bytes=…")},
      {"Last-Event-ID",
       header_parameter("Last-Event-ID", "The id of the last event seen: what came after it is sent first")},
  };
}

json::object problem_schema() {
  auto text = json::object{{"type", "string"}};
  json::object fault{
      {"type", "object"},
      {"required", {"pointer", "code", "detail"}},
      {"properties",
       {{"pointer",
         {{"type", "string"}, {"description", "A JSON pointer into the body, or the name of a parameter"}}},
        {"code", text},
        {"detail", text}}}};
  return {{"type", "object"},
          {"description", "RFC 9457"},
          {"required", {"type", "title", "status", "detail", "instance", "request_id"}},
          {"properties",
           {{"type", text},
            {"title", text},
            {"status", {{"type", "integer"}}},
            {"detail", text},
            {"instance", text},
            {"request_id", text},
            {"errors", {{"type", "array"}, {"items", std::move(fault)}}}}}};
}

json::object components(const std::set<int>& statuses) {
  json::object schemas{{"Problem", problem_schema()}};
  for (const auto& route : api_routes())
    for (const auto& schema : {route.body, route.answer})
      if (schema && !schemas.contains(schema.name)) schemas[schema.name] = schema.make();
  json::object responses;
  for (int status : statuses) {
    if (status < 400) continue;
    json::object response{
        {"description", description_of(status)},
        {"content", {{"application/problem+json", {{"schema", reference("schemas", "Problem")}}}}}};
    if (status == 429 || status == 503)
      response["headers"] = {{"Retry-After", reference("headers", "Retry-After")}};
    responses[std::to_string(status)] = std::move(response);
  }
  auto header = [](const char* about, const char* type = "string") {
    return json::object{{"description", about}, {"schema", {{"type", type}}}};
  };
  return {{"schemas", std::move(schemas)},
          {"responses", std::move(responses)},
          {"parameters", common_parameters()},
          {"headers",
           {{"X-Request-Id", header("The caller's own where it is well-formed, else a fresh one")},
            {"ETag", header("Of this version, as it is shown")},
            {"Location", header("Where the new thing is")},
            {"Retry-After", header("Seconds", "integer")}}},
          {"securitySchemes",
           {{"bearer",
             {{"type", "http"},
              {"scheme", "bearer"},
              {"bearerFormat", "JWT"},
              {"description",
               "HS256; the user is the claim `sub`. `segments token --user NAME` makes one. Not asked for in "
               "auth mode `none`"}}},
            {"ticket",
             {{"type", "apiKey"},
              {"in", "query"},
              {"name", "ticket"},
              {"description", "From POST /api/stream-tickets"}}}}}};
}

}  // namespace

std::string make_openapi() {
  json::object paths;
  std::set<int> statuses;
  json::array tags;
  for (const auto& route : api_routes()) {
    std::string path = document_path(route.pattern);
    if (!paths.contains(path)) paths[path] = json::object{};
    paths[path].as_object()[lower_ascii(route.method)] = operation(route);
    for (int status : fault_statuses(route)) statuses.insert(status);
    json::value tag = json::object{{"name", route.tag}};
    if (std::ranges::find(tags, tag) == tags.end()) tags.push_back(std::move(tag));
  }
  json::object document{{"openapi", "3.1.0"},
                        {"info",
                         {{"title", "Segments"},
                          {"version", "0.1.0"},
                          {"description",
                           "A video becomes tracked segments. GET routes answer HEAD too, every path answers "
                           "OPTIONS. Someone else's things are reported as absent."},
                          {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
                        {"servers", json::array{json::object{{"url", "/"}}}},
                        {"security", json::array{json::object{{"bearer", json::array{}}}}},
                        {"tags", std::move(tags)},
                        {"paths", std::move(paths)},
                        {"components", components(statuses)}};
  // Boost writes 12.5 as 1.25E1, which is the same number in JSON.
  return json::serialize(document);
}

}  // namespace segments

#include "api/schema_check.h"

#include <algorithm>

#include "base/text.h"

namespace segments::testing {

namespace json = boost::json;

namespace {

bool is_of_type(const json::value& value, std::string_view type) {
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_bool();
  if (type == "string") return value.is_string();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  if (type == "integer") return value.is_int64() || value.is_uint64();
  return type == "number" && value.is_number();
}

bool is_of_types(const json::value& value, const json::value& types) {
  if (types.is_string()) return is_of_type(value, std::string_view(types.get_string()));
  return std::ranges::any_of(types.as_array(), [&](const auto& type) {
    return is_of_type(value, std::string_view(type.as_string()));
  });
}

}  // namespace

OpenApi::OpenApi(std::string_view document) : document_(json::parse(document).as_object()) {}

std::string OpenApi::template_of(std::string_view path) const {
  auto wanted = split(path, '/');
  std::string best;
  std::size_t fewest = 100;
  for (const auto& entry : document_.at("paths").as_object()) {
    auto parts = split(entry.key(), '/');
    bool takes_rest = parts.back() == "{key}";
    if (takes_rest ? wanted.size() < parts.size() : wanted.size() != parts.size()) continue;
    std::size_t parameters = 0;
    bool fits = true;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].starts_with('{'))
        ++parameters;
      else
        fits = fits && parts[i] == wanted[i];
    }
    if (fits && parameters < fewest) {
      best = entry.key();
      fewest = parameters;
    }
  }
  return best;
}

std::vector<std::string> OpenApi::faults_of(std::string_view method, std::string_view path, int status,
                                            std::string_view content_type, std::string_view body) const {
  std::string name = template_of(path);
  if (name.empty()) return {"the path is not documented"};
  const auto& operations = document_.at("paths").at(name).as_object();
  const auto* operation = operations.if_contains(lower_ascii(method == "HEAD" ? "GET" : method));
  if (!operation) return {"the method is not documented"};
  const auto* answer = operation->at("responses").as_object().if_contains(std::to_string(status));
  if (!answer) return {"the status " + std::to_string(status) + " is not documented"};
  const auto* content = resolve(answer->as_object()).if_contains("content");
  if (!content || method == "HEAD" || status == 304) return {};
  std::string type(content_type.substr(0, content_type.find(';')));
  const auto* media = content->as_object().if_contains(type);
  if (!media && content->as_object().contains("*/*")) return {};
  if (!media) return {"the type \"" + type + "\" is not documented"};
  const auto* schema = media->as_object().if_contains("schema");
  if (!schema || type.find("json") == type.npos) return {};
  json::error_code error;
  auto value = json::parse(body, error);
  if (error) return {"the body is not JSON"};
  return faults_of(value, schema->as_object());
}

std::vector<std::string> OpenApi::faults_of(const json::value& value, const json::object& schema) const {
  std::vector<std::string> faults;
  check(value, schema, "", faults);
  return faults;
}

const json::object& OpenApi::resolve(const json::object& thing) const {
  const auto* reference = thing.if_contains("$ref");
  if (!reference) return thing;
  const json::value* at = nullptr;
  const json::object* in = &document_;
  for (const auto& part : split(std::string_view(reference->as_string()).substr(2), '/')) {
    at = &in->at(part);
    in = &at->as_object();
  }
  return *in;
}

void OpenApi::check(const json::value& value, const json::object& reference, const std::string& at,
                    std::vector<std::string>& faults) const {
  const auto& schema = resolve(reference);
  auto fault = [&](const std::string& what) { faults.push_back((at.empty() ? "/" : at) + ": " + what); };
  if (const auto* types = schema.if_contains("type"); types && !is_of_types(value, *types))
    return fault("is " + json::serialize(value).substr(0, 100) + ", not " + json::serialize(*types));
  if (const auto* values = schema.if_contains("enum"))
    if (std::ranges::find(values->as_array(), value) == values->as_array().end())
      fault("is none of the enum");
  if (value.is_number()) {
    double number = value.to_number<double>();
    if (const auto* low = schema.if_contains("minimum"); low && number < low->to_number<double>())
      fault("is too low");
    if (const auto* low = schema.if_contains("exclusiveMinimum"); low && number <= low->to_number<double>())
      fault("is too low");
    if (const auto* high = schema.if_contains("maximum"); high && number > high->to_number<double>())
      fault("is too high");
  }
  if (value.is_string()) {
    auto size = count_code_points(std::string_view(value.get_string()));
    if (const auto* low = schema.if_contains("minLength"); low && size < low->to_number<std::size_t>())
      fault("is too short");
    if (const auto* high = schema.if_contains("maxLength"); high && size > high->to_number<std::size_t>())
      fault("is too long");
  }
  if (value.is_array()) {
    const auto& array = value.get_array();
    if (const auto* most = schema.if_contains("maxItems");
        most && array.size() > most->to_number<std::size_t>())
      fault("is too long");
    if (const auto* items = schema.if_contains("items"))
      for (std::size_t i = 0; i < array.size(); ++i)
        check(array[i], items->as_object(), at + "/" + std::to_string(i), faults);
  }
  if (value.is_object()) check_object(value.get_object(), schema, at, faults);
}

void OpenApi::check_object(const json::object& object, const json::object& schema, const std::string& at,
                           std::vector<std::string>& faults) const {
  if (const auto* required = schema.if_contains("required"))
    for (const auto& name : required->as_array())
      if (!object.contains(name.as_string()))
        faults.push_back(at + "/" + std::string(name.as_string()) + ": is missing");
  const auto* properties = schema.if_contains("properties");
  const auto* others = schema.if_contains("additionalProperties");
  if (!properties && !others) return;
  for (const auto& member : object) {
    std::string below = at + "/" + std::string(member.key());
    const auto* known = properties ? properties->as_object().if_contains(member.key()) : nullptr;
    if (known)
      check(member.value(), known->as_object(), below, faults);
    else if (others && others->is_object())
      check(member.value(), others->as_object(), below, faults);
    else
      faults.push_back(below + ": is not documented");
  }
}

}  // namespace segments::testing

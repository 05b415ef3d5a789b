#include "celery/arguments.h"

#include <array>

#include "base/error.h"
#include "base/text.h"
#include "celery/content.h"
#include "queue/task_names.h"

namespace segments::celery {
namespace {

PythonException type_error(std::string sentence) {
  return {"TypeError", {Json(std::move(sentence))}, "builtins"};
}
PythonException value_error(std::string sentence) {
  return {"ValueError", {Json(std::move(sentence))}, "builtins"};
}

std::string quoted(std::string_view name) {
  return "'" + std::string(name) + "'";
}

// "'a'", "'a' and 'b'", "'a', 'b', and 'c'".
std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += names.size() > 2 ? ", " : " ";
    if (i > 0 && i + 1 == names.size()) out += "and ";
    out += quoted(names[i]);
  }
  return out;
}

std::string function_name(const TaskSignature& signature) {
  return signature.task.substr(signature.task.rfind('.') + 1) + "()";
}

PythonException too_many(const TaskSignature& signature, std::size_t given) {
  std::size_t most = signature.parameters.size(), least = 0;
  for (const auto& parameter : signature.parameters) least += parameter.required;
  std::string takes =
      least < most ? "from " + std::to_string(least) + " to " + std::to_string(most) : std::to_string(most);
  return type_error(function_name(signature) + " takes " + takes + " positional argument" +
                    (least < most || most != 1 ? "s" : "") + " but " + std::to_string(given) +
                    (given == 1 ? " was given" : " were given"));
}

PythonException missing(const TaskSignature& signature, const std::vector<std::string>& names) {
  return type_error(function_name(signature) + " missing " + std::to_string(names.size()) +
                    " required positional argument" + (names.size() == 1 ? "" : "s") + ": " + listed(names));
}

// A uuid's 32 digits with its dashes; empty when they are not.
std::optional<std::string> dashed_uuid(std::string_view text) {
  std::string hex;
  for (char c : text)
    if (c != '-') hex += c;
  hex = lower_ascii(hex);
  if (hex.size() != 32 || hex.find_first_not_of("0123456789abcdef") != hex.npos) return std::nullopt;
  for (std::size_t at : {8, 13, 18, 23}) hex.insert(at, "-");
  return hex;
}

std::optional<Json> plain_value(std::string_view type, const Json& value) {
  constexpr std::array written{"datetime", "date", "time", "decimal", "bytes"};
  if (type == "uuid") {
    auto text = dashed_uuid(value.is_object() ? value.text_of("hex") : value.text());
    return text ? std::optional<Json>(std::move(*text)) : std::nullopt;
  }
  if (!value.is_text()) return std::nullopt;
  if (type == "base64") {
    auto bytes = decode_base64(value.text());
    if (!bytes || !is_utf8(*bytes)) return std::nullopt;
    return Json(std::move(*bytes));
  }
  if (std::find(written.begin(), written.end(), type) == written.end()) return std::nullopt;
  return value;
}

bool is_typed(const Json& json) {
  return json.members().size() == 2 && json.at("__type__").is_text() && json.find("__value__");
}

bool has_typed(const Json& json) {
  if (is_typed(json)) return true;
  for (const auto& item : json.items())
    if (has_typed(item)) return true;
  for (const auto& [name, value] : json.members())
    if (has_typed(value)) return true;
  return false;
}

}  // namespace

std::span<const TaskSignature> task_signatures() {
  static const std::vector<TaskSignature> signatures{
      {process_video_task,
       {{"s3_input_key"},
        {"job_id"},
        {"cutting_options", false},
        {"text_strategy", false},
        {"text_input", false},
        {"user_id", false}}},
      {create_segments_task, {{"video_id"}, {"user_id"}, {"output_s3_keys"}, {"video_metadata", false}}},
      {sync_metrics_task, {{"segment_id"}, {"platform"}}},
      {batch_sync_task, {{"user_id"}, {"platforms", false}}},
  };
  return signatures;
}

const TaskSignature* find_task_signature(std::string_view task) {
  for (const auto& signature : task_signatures())
    if (signature.task == task) return &signature;
  return nullptr;
}

// In the order in which Python finds faults: names first, then how many, then what is missing.
std::variant<std::string, PythonException> bind_arguments(const TaskSignature& signature, const Json& args,
                                                          const Json& kwargs) {
  const auto& parameters = signature.parameters;
  std::size_t placed = std::min(args.items().size(), parameters.size());
  for (const auto& [name, value] : kwargs.members()) {
    auto found = std::find_if(parameters.begin(), parameters.end(),
                              [&, wanted = &name](const Parameter& p) { return p.name == *wanted; });
    if (found == parameters.end())
      return type_error(function_name(signature) + " got an unexpected keyword argument " + quoted(name));
    if (static_cast<std::size_t>(found - parameters.begin()) < placed)
      return type_error(function_name(signature) + " got multiple values for argument " + quoted(name));
  }
  if (args.items().size() > parameters.size()) return too_many(signature, args.items().size());
  auto bound = Json::object();
  std::vector<std::string> absent;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto& [name, required] = parameters[i];
    if (i < placed)
      bound.put(name, plain_json(args.items()[i]));
    else if (const auto* value = kwargs.find(name))
      bound.put(name, plain_json(*value));
    else if (required)
      absent.push_back(name);
  }
  if (!absent.empty()) return missing(signature, absent);
  if (has_non_finite(bound)) return value_error("Out of range float values are not JSON compliant");
  if (has_typed(bound)) return value_error("Unsupported typed value in the arguments");
  return print_json(bound);
}

Json kwargs_of(std::string_view arguments_json) {
  std::string why = "The arguments are no JSON object.";
  auto json = read_json(arguments_json, &why);
  if (!json || !json->is_object()) throw Error(ErrorKind::malformed, why);
  return std::move(*json);
}

Json plain_json(const Json& json) {
  if (is_typed(json))
    if (auto plain = plain_value(json.at("__type__").text(), json.at("__value__"))) return std::move(*plain);
  Json out = json;
  for (auto& item : out.items()) item = plain_json(item);
  for (auto& [name, value] : out.members()) value = plain_json(value);
  return out;
}

}  // namespace segments::celery

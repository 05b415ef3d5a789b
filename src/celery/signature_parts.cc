#include "celery/signature_parts.h"

#include <algorithm>
#include <utility>

namespace segments::celery {
namespace {

void unroll(const std::vector<Json>& tasks, std::vector<Json>& out, int depth) {
  if (depth > max_json_depth) return;
  for (const auto& task : tasks) {
    if (shape_of(task) == Shape::group)
      unroll(tasks_of(task), out, depth + 1);
    else
      out.push_back(task);
  }
}

void splice(const std::vector<Json>& tasks, std::vector<Json>& out, int depth) {
  if (depth > max_json_depth) throw UnusableSignature{"A chain is nested too deeply."};
  for (const auto& task : tasks) {
    if (!task.is_object()) throw UnusableSignature{"A chain has something else than signatures in it."};
    if (shape_of(task) != Shape::chain) {
      out.push_back(task);
      continue;
    }
    auto before = out.size();
    splice(task.at("kwargs").at("tasks").items(), out, depth + 1);
    if (out.size() == before) continue;
    extend_option(out.back(), "link", task.at("options").at("link"));
    for (auto step = before; step < out.size(); ++step)
      extend_option(out[step], "link_error", task.at("options").at("link_error"));
  }
}

// The signature whose end is this one's: of a chain the last step, of a chord the body; else nullptr.
const Json* end_of(const Json& signature) {
  const auto shape = shape_of(signature);
  const auto& steps = signature.at("kwargs").at("tasks").items();
  if (shape == Shape::chain && !steps.empty()) return &steps.back();
  const auto& body = signature.at("kwargs").at("body");
  return shape == Shape::chord && body.is_object() ? &body : nullptr;
}

}  // namespace

Shape shape_of(const Json& signature) {
  auto type = signature.text_of("subtask_type"), task = signature.text_of("task");
  if (type == "chain" || task == "celery.chain") return Shape::chain;
  if (type == "group" || task == "celery.group") return Shape::group;
  if (type == "chord" || task == "celery.chord") return Shape::chord;
  return Shape::task;
}

std::vector<Json> tasks_of(const Json& tasks) {
  if (tasks.is_array()) return tasks.items();
  return tasks.at("kwargs").at("tasks").items();
}

std::vector<Json> unrolled(const std::vector<Json>& tasks) {
  std::vector<Json> out;
  unroll(tasks, out, 0);
  return out;
}

std::vector<Json> spliced(const std::vector<Json>& tasks) {
  std::vector<Json> out;
  splice(tasks, out, 0);
  return out;
}

Json make_group(std::vector<Json> tasks, std::string_view id) {
  return Json::object({
      {"task", "celery.group"},
      {"args", Json::array()},
      {"kwargs", Json::object({{"tasks", Json::array(std::move(tasks))}})},
      {"options", Json::object({{"task_id", id}})},
      {"subtask_type", "group"},
      {"immutable", false},
  });
}

Json make_chord(Json group, Json body) {
  return Json::object({
      {"task", "celery.chord"},
      {"args", Json::array()},
      {"kwargs",
       Json::object({{"kwargs", Json::object()}, {"header", std::move(group)}, {"body", std::move(body)}})},
      {"options", Json::object()},
      {"subtask_type", "chord"},
      {"immutable", false},
  });
}

Json& member_of(Json& object, const char* name) {
  if (!object.at(name).is_object()) object.put(name, Json::object());
  for (auto& [known, value] : object.members())
    if (known == name) return value;
  throw UnusableSignature{"A signature is no object."};
}

Json& options_of(Json& signature) {
  return member_of(signature, "options");
}

void extend_option(Json& signature, const char* option, const Json& more) {
  if (!more.is_true()) return;
  auto& options = options_of(signature);
  auto list = Json::array();
  for (const Json* part : {&options.at(option), &more}) {
    if (part->is_array())
      list.items().insert(list.items().end(), part->items().begin(), part->items().end());
    else if (part->is_object())
      list.items().push_back(*part);
  }
  options.put(option, std::move(list));
}

void prepend_args(Json& signature, const std::vector<Json>& partial) {
  if (partial.empty() || signature.at("immutable").is_true()) return;
  auto args = partial;
  const auto& own = signature.at("args").items();
  args.insert(args.end(), own.begin(), own.end());
  signature.put("args", Json::array(std::move(args)));
}

std::int64_t chord_weight(const Json& signature) {
  std::int64_t sum = 0;
  switch (shape_of(signature)) {
    case Shape::task:
      return 1;
    case Shape::chord:
      return chord_weight(signature.at("kwargs").at("body"));
    case Shape::group:
      for (const auto& task : tasks_of(signature)) sum += chord_weight(task);
      return sum;
    case Shape::chain: {
      const auto& steps = signature.at("kwargs").at("tasks").items();
      for (auto step = steps.rbegin(); step != steps.rend(); ++step)
        if (auto size = chord_weight(*step)) return size;
    }
  }
  return 0;
}

const Json& option_at_end(const Json& signature, const char* name) {
  if (const auto* end = end_of(signature))
    if (const auto& value = option_at_end(*end, name); !value.is_null()) return value;
  return signature.at("options").at(name);
}

std::string id_of(const Json& signature) {
  const auto& id = option_at_end(signature, "task_id");
  return id.is_text() ? id.text() : "";
}

Weight weigh(const Json& json) {
  Weight weight{json.text().size() + 8, 0};
  auto add = [&](const Json& part) {
    auto inner = weigh(part);
    weight.bytes += inner.bytes;
    weight.depth = std::max(weight.depth, inner.depth + 1);
  };
  for (const auto& item : json.items()) add(item);
  for (const auto& [name, value] : json.members()) {
    weight.bytes += name.size() + 4;
    add(value);
  }
  return weight;
}

}  // namespace segments::celery

#include "celery/publisher.h"

#include <algorithm>
#include <utility>

#include "celery/follow_up_message.h"
#include "celery/frozen_result.h"
#include "celery/signature_parts.h"

namespace segments::celery {
namespace {

constexpr std::size_t max_follow_up_bytes = 256
                                            << 20;  // of all messages: a chord's body is in each of its tasks
constexpr int max_upgrades = 20;                    // groups within a chain that become chords in each other

// The steps in reverse; a group that has a step after it becomes a chord with that step as its body.
std::vector<Json> upgrade_groups(std::vector<Json> steps) {
  std::vector<Json> reversed;
  int upgrades = 0;
  while (!steps.empty()) {
    auto step = std::move(steps.back());
    steps.pop_back();
    if (shape_of(step) == Shape::group && !reversed.empty()) {
      if (++upgrades > max_upgrades) throw UnusableSignature{"A chain has too many groups in it."};
      step = make_chord(std::move(step), std::move(reversed.back()));
      reversed.pop_back();
    }
    reversed.push_back(std::move(step));
  }
  return reversed;
}

std::vector<Json> joined_args(const std::vector<Json>& partial, const Json& signature) {
  auto args = partial;
  if (const auto& own = signature.at("args"); own.is_array() && !signature.at("immutable").is_true())
    args.insert(args.end(), own.items().begin(), own.items().end());
  return args;
}

}  // namespace

void Publisher::show(std::vector<Json>& children, Json child) {
  // What is nested too deeply would make the whole result unreadable.
  if (weigh(child).depth + 10 <= max_json_depth) children.push_back(std::move(child));
}

template <class Step>
void Publisher::attempt(Step step) {
  auto messages = out_.messages.size(), sizes = out_.chord_sizes.size();
  try {
    step();
  } catch (const UnusableSignature& refusal) {
    out_.faults.push_back(refusal.sentence);
    out_.messages.resize(messages);
    out_.chord_sizes.resize(sizes);
  }
}

void Publisher::publish(const Json& signature, const std::vector<Json>& partial, const Json& chain) {
  attempt([&] {
    auto copy = signature;
    if (chain.is_true()) options_of(copy).put("chain", chain);
    auto child = expand(std::move(copy), partial);
    show(out_.children.items(), std::move(child));
  });
}

void Publisher::publish_all(const std::vector<Json>& signatures, const std::vector<Json>& partial) {
  if (signatures.size() == 1) return publish(signatures[0], partial);
  std::vector<Json> members;
  const auto id = make_uuid();
  for (const auto& signature : signatures)
    if (shape_of(signature) == Shape::group) publish(signature, partial);
  for (const auto& signature : signatures) {
    if (shape_of(signature) == Shape::group) continue;
    attempt([&] {
      auto copy = signature;
      auto member = freeze(copy);
      options_of(copy).put("group_id", id);
      expand(std::move(copy), partial);
      show(members, std::move(member));
    });
  }
  if (!members.empty()) out_.children.items().push_back(group_result(id, std::move(members)));
}

Json Publisher::expand(Json signature, const std::vector<Json>& partial) {
  if (!signature.is_object()) throw UnusableSignature{"A signature is no object."};
  switch (shape_of(signature)) {
    case Shape::chain:
      return expand_chain(signature, partial);
    case Shape::group:
      return expand_group(signature, partial);
    case Shape::chord:
      return expand_chord(signature, partial);
    case Shape::task:
      break;
  }
  return expand_task(std::move(signature), partial);
}

Json Publisher::expand_task(Json signature, const std::vector<Json>& partial) {
  prepend_args(signature, partial);
  auto message = make_follow_up(signature, parent_, now_);
  spend(message);
  auto result = task_result(message.id);
  out_.messages.push_back(std::move(message));
  return result;
}

void Publisher::spend(const TaskMessage& message) {
  auto embed = weigh(message.embed), args = weigh(message.args), kwargs = weigh(message.kwargs);
  bytes_ += embed.bytes + args.bytes + kwargs.bytes;
  if (out_.messages.size() >= max_follow_ups || bytes_ > max_follow_up_bytes)
    throw UnusableSignature{"What the task asks to be published is too much."};
  // One level more in the body.
  if (std::max({embed.depth, args.depth, kwargs.depth}) + 2 > max_json_depth)
    throw UnusableSignature{"What the task asks to be published is nested too deeply."};
}

Json Publisher::expand_chain(const Json& signature, const std::vector<Json>& partial) {
  auto steps = spliced(signature.at("kwargs").at("tasks").items());
  if (steps.empty()) throw UnusableSignature{"A chain has no tasks."};
  const auto& options = signature.at("options");
  for (auto& step : steps) extend_option(step, "link_error", options.at("link_error"));
  extend_option(steps.back(), "link", options.at("link"));
  for (const char* name : {"group_id", "group_index", "chord"})
    if (const auto* value = options.find(name); value && !value->is_null())
      options_of(steps.back()).put(name, *value);
  // What was frozen by its sender has its id already, and somebody waits for that.
  if (id_of(steps.back()).empty()) options_of(steps.back()).put("task_id", options.at("task_id"));
  auto reversed = upgrade_groups(std::move(steps));
  for (auto& step : reversed)
    if (shape_of(step) != Shape::group && id_of(step).empty()) options_of(step).put("task_id", make_uuid());
  auto first = std::move(reversed.back());
  reversed.pop_back();
  // What comes after this whole chain stands before it in the reversed list.
  auto rest = options.at("chain").is_array() ? options.at("chain") : Json::array();
  rest.items().insert(rest.items().end(), reversed.begin(), reversed.end());
  if (rest.is_true()) options_of(first).put("chain", std::move(rest));
  return expand(std::move(first), joined_args(partial, signature));
}

Json Publisher::expand_group(const Json& signature, const std::vector<Json>& partial) {
  auto tasks = unrolled(tasks_of(signature));
  const auto& options = signature.at("options");
  // As the last step of a chain in a chord's header its tasks are the chord's.
  bool is_part = options.at("chord").is_true() && !options.text_of("group_id").empty();
  auto id = is_part ? options.text_of("group_id") : options.text_of("task_id");
  if (id.empty()) id = make_uuid();
  std::vector<Json> members;
  for (auto& task : tasks) {
    members.push_back(freeze(task));
    auto& own = options_of(task);
    for (const auto& [name, value] : options.members())
      if (name != "task_id" && !value.is_null()) own.put(name, value);
    own.put("group_id", id);
    expand(std::move(task), partial);
  }
  // A group of nothing but a chain that ends in a group is that group.
  if (members.size() == 1 && members[0].items()[1].is_array()) return std::move(members[0]);
  return group_result(id, std::move(members));
}

Json Publisher::expand_chord(const Json& signature, const std::vector<Json>& partial) {
  const auto& kwargs = signature.at("kwargs");
  auto header = unrolled(tasks_of(kwargs.at("header")));
  auto body = kwargs.at("body");
  if (!body.is_object()) throw UnusableSignature{"A chord has no body."};
  auto& body_options = options_of(body);
  const auto& options = signature.at("options");
  auto id_of_body = id_of(body);
  for (const auto& [name, value] : options.members())
    if (name != "link" && name != "link_error" && name != "task_id" && !value.is_null())
      body_options.put(name, value);
  if (id_of_body.empty()) id_of_body = options.text_of("task_id");
  if (id_of_body.empty()) id_of_body = make_uuid();
  if (id_of(body).empty()) body_options.put("task_id", id_of_body);
  extend_option(body, "link", options.at("link"));
  extend_option(body, "link_error", options.at("link_error"));
  if (header.empty()) return expand(std::move(body), {Json::array()});

  auto id = kwargs.at("header").at("options").text_of("task_id");
  if (id.empty()) id = make_uuid();
  auto args = joined_args(partial, signature);
  ChordSize size{id, 0};
  std::int64_t index = 0;
  std::vector<Json> members;
  for (auto& task : header) {
    size.size += chord_weight(task);
    members.push_back(freeze(task));
    auto& own = options_of(task);
    own.put("group_id", id);
    own.put("group_index", index++);
    own.put("chord", body);
    expand(std::move(task), args);
  }
  out_.chord_sizes.push_back(std::move(size));
  return group_result(id, std::move(members));
}

}  // namespace segments::celery

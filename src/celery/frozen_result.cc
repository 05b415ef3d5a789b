#include "celery/frozen_result.h"

#include <utility>

#include "celery/envelope.h"
#include "celery/signature_parts.h"

namespace segments::celery {
namespace {

// Each parent is a level deeper, and a result that is nested too deeply nobody reads.
constexpr std::size_t most_steps_shown = 50;

Json& parent_of(Json& result) {
  return result.items()[0].items()[1];
}

// Of the first of those that come one after another.
void attach(Json& result, Json parent) {
  auto* first = &result;
  while (!parent_of(*first).is_null()) first = &parent_of(*first);
  parent_of(*first) = std::move(parent);
}

std::string freeze_id(Json& signature) {
  auto& options = options_of(signature);
  if (options.text_of("task_id").empty()) options.put("task_id", make_uuid());
  return options.text_of("task_id");
}

Json freeze_group(Json& group) {
  auto tasks = unrolled(tasks_of(group));
  std::vector<Json> members;
  for (auto& task : tasks) members.push_back(freeze(task));
  member_of(group, "kwargs").put("tasks", Json::array(std::move(tasks)));
  return group_result(freeze_id(group), std::move(members));
}

Json freeze_chain(Json& chain) {
  auto steps = spliced(chain.at("kwargs").at("tasks").items());
  if (steps.empty()) throw UnusableSignature{"A chain has no tasks."};
  if (id_of(steps.back()).empty()) options_of(steps.back()).put("task_id", chain.at("options").at("task_id"));
  Json result;
  for (auto& step : steps) {
    auto next = freeze(step);
    if (!result.is_null() && steps.size() <= most_steps_shown) attach(next, std::move(result));
    result = std::move(next);
  }
  member_of(chain, "kwargs").put("tasks", Json::array(std::move(steps)));
  return result;
}

Json freeze_chord(Json& chord) {
  // First: what is put into the chord moves what is in it already.
  const auto own_id = freeze_id(chord);
  auto& kwargs = member_of(chord, "kwargs");
  if (!kwargs.at("body").is_object()) throw UnusableSignature{"A chord has no body."};
  auto& body = member_of(kwargs, "body");
  if (id_of(body).empty()) options_of(body).put("task_id", own_id);
  auto result = freeze(body);
  if (!kwargs.at("header").is_object())
    kwargs.put("header", make_group(tasks_of(kwargs.at("header")), make_uuid()));
  auto header = freeze_group(member_of(kwargs, "header"));
  if (!header.items()[1].items().empty()) attach(result, std::move(header));
  return result;
}

}  // namespace

Json task_result(std::string_view id) {
  return Json::array({Json::array({Json(id), Json()}), Json()});
}

Json group_result(std::string_view id, std::vector<Json> members) {
  return Json::array({Json::array({Json(id), Json()}), Json::array(std::move(members))});
}

Json freeze(Json& signature) {
  if (!signature.is_object()) throw UnusableSignature{"A signature is no object."};
  switch (shape_of(signature)) {
    case Shape::group:
      return freeze_group(signature);
    case Shape::chain:
      return freeze_chain(signature);
    case Shape::chord:
      return freeze_chord(signature);
    case Shape::task:
      break;
  }
  return task_result(freeze_id(signature));
}

}  // namespace segments::celery

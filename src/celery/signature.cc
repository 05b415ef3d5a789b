#include "celery/signature.h"

#include <utility>

#include "celery/publisher.h"
#include "celery/signature_parts.h"

namespace segments::celery {
namespace {

void publish_list(Publisher& publisher, const Json& list, const char* what, const std::vector<Json>& args) {
  if (!list.is_null() && !list.is_array() && !list.is_object()) {
    publisher.out().faults.push_back(std::string("The task's ") + what + " are no signatures.");
    return;
  }
  if (list.is_object()) return publisher.publish(list, args);
  publisher.publish_all(list.items(), args);
}

// A task that will not run: it fails as its predecessor did.
void skip(const Json& signature, const TaskMessage& parent, FollowUps& out) {
  SkippedTask skipped;
  auto& message = skipped.message;
  message.task = signature.text_of("task");
  message.id = id_of(signature);
  message.group = option_at_end(signature, "group_id").text();
  message.group_index = option_at_end(signature, "group_index").integer();
  message.root_id = parent.root();
  message.parent_id = parent.id;
  message.embed.put("chord", option_at_end(signature, "chord"));
  if (!message.id.empty()) out.skipped.push_back(std::move(skipped));
}

}  // namespace

FollowUps follow_success(const TaskMessage& message, const Json& result, Millis now) {
  Publisher publisher(message, now);
  publish_list(publisher, message.embed.at("callbacks"), "callbacks", {result});
  auto chain = message.embed.at("chain");
  if (chain.is_array() && chain.is_true()) {
    auto next = std::move(chain.items().back());
    chain.items().pop_back();
    publisher.publish(next, {result}, chain);
  } else if (chain.is_true()) {
    publisher.out().faults.push_back("The task's chain is no list.");
  }
  return std::move(publisher.out());
}

FollowUps follow_failure(const TaskMessage& message, Millis now) {
  Publisher publisher(message, now);
  publish_list(publisher, message.embed.at("errbacks"), "errbacks", {Json(message.id)});
  // The last in the list is the next that would have run.
  const auto& chain = message.embed.at("chain").items();
  for (auto step = chain.rbegin(); step != chain.rend(); ++step) skip(*step, message, publisher.out());
  publisher.out().children = Json::array();
  return std::move(publisher.out());
}

FollowUps follow_chord(const TaskMessage& last_part, std::vector<Json> results, Millis now) {
  Publisher publisher(last_part, now);
  publisher.publish(last_part.embed.at("chord"), {Json::array(std::move(results))});
  return std::move(publisher.out());
}

ChordFailure follow_chord_failure(const TaskMessage& last_part, Millis now) {
  const auto& body = last_part.embed.at("chord");
  Publisher publisher(last_part, now);
  publish_list(publisher, body.at("options").at("link_error"), "errbacks", {Json(id_of(body))});
  skip(body, last_part, publisher.out());
  const auto& chain = body.at("options").at("chain").items();
  for (auto step = chain.rbegin(); step != chain.rend(); ++step) skip(*step, last_part, publisher.out());
  publisher.out().children = Json::array();
  return {id_of(body), std::move(publisher.out())};
}

}  // namespace segments::celery

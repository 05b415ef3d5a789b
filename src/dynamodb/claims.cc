#include "dynamodb/claims.h"

namespace segments::dynamodb {
namespace {

bool is_set(const Item& item, std::string_view name) {
  const auto* attribute = find(item, name);
  bool is = false;
  return attribute && read_attribute(is, *attribute) && is;
}

}  // namespace

Key video_key(std::string_view video_id) {
  return {std::string(video_id), "#VIDEO"};
}

Claim claim_of(const Item& video) {
  if (!find(video, "owner") && find(video, "user_id"))
    return {.owner = text_of(video, "user_id"), .is_claimed = true, .is_removed = is_set(video, "removed")};
  return {.owner = text_of(video, "owner"),
          .is_claimed = is_set(video, "claimed"),
          .is_removed = is_set(video, "removed")};
}

Claim find_claim(Table& table, std::string_view video_id, bool is_strong) {
  auto item = table.get(video_key(video_id), is_strong);
  return item ? claim_of(*item) : Claim{};
}

std::string free_condition(Terms& terms, std::string_view user_id) {
  const auto owner = terms.name("owner"), writer = terms.name("user_id"), user = terms.value(user_id);
  return "(" + owner + " = " + user + " OR (attribute_not_exists(" + owner + ") AND (attribute_not_exists(" +
         writer + ") OR " + writer + " = " + user + ")))";
}

bool claim(Table& table, std::string_view video_id, std::string_view user_id) {
  Terms terms;
  auto set = "SET " + terms.name("owner") + " = " + terms.value(user_id) + ", " + terms.name("claimed") +
             " = " + terms.value({true});
  auto condition = free_condition(terms, user_id);
  return table
      .update({.key = video_key(video_id),
               .update = std::move(set),
               .condition = std::move(condition),
               .terms = std::move(terms),
               .repeat = Repeat::safe})
      .is_done;
}

}  // namespace segments::dynamodb

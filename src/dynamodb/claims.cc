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
  return {.owner = text_of(video, "owner"),
          .is_claimed = is_set(video, "claimed"),
          .is_removed = is_set(video, "removed")};
}

Claim find_claim(Table& table, std::string_view video_id, bool is_strong) {
  auto item = table.get(video_key(video_id), is_strong);
  return item ? claim_of(*item) : Claim{};
}

bool claim(Table& table, std::string_view video_id, std::string_view user_id) {
  Terms terms;
  const auto owner = terms.name("owner"), user = terms.value(user_id);
  const auto set = "SET " + owner + " = " + user + ", " + terms.name("claimed") + " = " + terms.value({true});
  return table
      .update({.key = video_key(video_id),
               .update = set,
               .condition = "attribute_not_exists(" + owner + ") OR " + owner + " = " + user,
               .terms = std::move(terms),
               .repeat = Repeat::safe})
      .is_done;
}

}  // namespace segments::dynamodb

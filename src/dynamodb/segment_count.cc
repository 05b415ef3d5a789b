#include "dynamodb/segment_count.h"

#include <algorithm>

#include "dynamodb/table_definition.h"

namespace segments::dynamodb {

namespace {

constexpr Millis quiet_ms = 60'000, counted_for_ms = 10 * 60'000;

Key count_key(std::string_view user_id) {
  return {"#user#" + std::string(user_id), "#COUNT"};
}

bool is_to_be_counted(const Item& item, Millis now) {
  if (!find(item, "counted_at")) return true;
  return now >= integer_of(item, "recount_at") && now - integer_of(item, "changed_at") >= quiet_ms;
}

std::int64_t count_rows(Table& table, std::string_view user_id) {
  Query query{.index = std::string(by_user_creation), .is_count = true};
  query.condition = query.terms.name("user_id") + " = " + query.terms.value(user_id);
  std::int64_t count = 0;
  do {
    auto page = table.query(query);
    count += page.count;
    query.from = std::move(page.last);
  } while (!query.from.empty());
  return count;
}

}  // namespace

void add_to_count(Table& table, std::string_view user_id, int change, Millis now) {
  Terms terms;
  Changes changes;
  changes.add(terms.name("segments"), terms.value(std::int64_t{change}));
  changes.add(terms.name("changes"), terms.value(std::int64_t{1}));
  changes.set(terms.name("changed_at"), terms.value(now));
  table.update({.key = count_key(user_id), .update = changes.text(), .terms = terms});
}

std::int64_t count_segments(Table& table, std::string_view user_id, Millis now) {
  const Key key = count_key(user_id);
  auto item = table.get(key);
  if (item && !is_to_be_counted(*item, now)) return std::max<std::int64_t>(0, integer_of(*item, "segments"));
  item = table.get(key, true);
  const Item seen = item.value_or(Item{});
  const auto count = count_rows(table, user_id);
  const bool is_quiet = now - integer_of(seen, "changed_at") >= quiet_ms;
  Terms terms;
  Changes changes;
  changes.set(terms.name("segments"), terms.value(count));
  changes.set(terms.name("counted_at"), terms.value(now));
  changes.set(terms.name("recount_at"), terms.value(now + (is_quiet ? counted_for_ms : quiet_ms)));
  // Not over what has changed since: that would not know of it, or know it twice.
  const auto name = terms.name("changes");
  const auto* known = find(seen, "changes");
  auto unchanged = known ? name + " = " + terms.value(*known) : "attribute_not_exists(" + name + ")";
  table.update(
      {.key = key, .update = changes.text(), .condition = unchanged, .terms = terms, .repeat = Repeat::safe});
  return count;
}

}  // namespace segments::dynamodb

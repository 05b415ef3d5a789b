#include "dynamodb/totals.h"

namespace segments::dynamodb {
namespace {

constexpr std::string_view partition = "#totals";

}  // namespace

void DynamoTotals::add_total(std::string_view name, std::int64_t n) {
  Terms terms;
  auto update = "ADD " + terms.name("n") + " " + terms.value(n);
  table_.update({.key = {std::string(partition), std::string(name)},
                 .update = std::move(update),
                 .terms = std::move(terms),
                 .repeat = Repeat::never});
}

std::vector<std::pair<std::string, std::int64_t>> DynamoTotals::list_totals() {
  std::vector<std::pair<std::string, std::int64_t>> totals;
  Query query{.condition = {}};
  query.condition = query.terms.name("video_id") + " = " + query.terms.value(partition);
  query.is_strong = true;
  table_.query_all(std::move(query), [&](Item&& item) {
    totals.emplace_back(text_of(item, "segment_id"), integer_of(item, "n"));
    return true;
  });
  return totals;
}

}  // namespace segments::dynamodb

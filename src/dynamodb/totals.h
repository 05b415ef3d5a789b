// Counts of all processes: an item for each, which is added to.
#pragma once

#include "dynamodb/table.h"
#include "store/event_log.h"

namespace segments::dynamodb {

class DynamoTotals : public Totals {
 public:
  explicit DynamoTotals(Table& table) : table_(table) {}

  // Throws Error{unavailable} where it is not known whether it was added: it is never added twice.
  void add_total(std::string_view name, std::int64_t n = 1) override;
  std::vector<std::pair<std::string, std::int64_t>> list_totals() override;

 private:
  Table& table_;
};

}  // namespace segments::dynamodb

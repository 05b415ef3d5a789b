// Counts of all processes. Each is kept in several items, in partitions of their own, since every reading of
// every post adds to one; what they hold together is the total.
#pragma once

#include <mutex>
#include <set>

#include "dynamodb/table.h"
#include "store/event_log.h"

namespace segments::dynamodb {

// The item by which the total is known, and to which a process adds first; before there were others, all was
// added to it, and so do processes of that time.
Key total_key(std::string_view name);
bool is_total(const Item&);  // it is such an item
// The others, some of which may not be there.
std::vector<Key> other_keys_of_total(std::string_view name);
// What all items of a total hold together; `others` are looked up by their keys.
std::int64_t sum_of_total(const Item& total, const std::map<Key, Item>& others);

class DynamoTotals : public Totals {
 public:
  explicit DynamoTotals(Table& table) : table_(table) {}

  // Throws Error{unavailable} where it is not known whether it was added: it is never added twice.
  void add_total(std::string_view name, std::int64_t n = 1) override;
  std::vector<std::pair<std::string, std::int64_t>> list_totals() override;

 private:
  bool is_known(std::string_view name);

  Table& table_;
  std::mutex mutex_;
  std::set<std::string, std::less<>> known_;  // to be there: this process has added to total_key()
};

}  // namespace segments::dynamodb

#include "dynamodb/totals.h"

#include <algorithm>
#include <iterator>
#include <random>

namespace segments::dynamodb {
namespace {

constexpr std::string_view totals_partition = "#totals";
// A partition takes 1,000 writes a second.
constexpr int other_shards = 32;

Key other_key_of_total(std::string_view name, int shard) {
  return {std::string(totals_partition) + "#" + std::to_string(shard), std::string(name)};
}

int some_shard() {
  thread_local std::minstd_rand engine(std::random_device{}());
  return std::uniform_int_distribution<int>(0, other_shards - 1)(engine);
}

}  // namespace

Key total_key(std::string_view name) {
  return {std::string(totals_partition), std::string(name)};
}

bool is_total(const Item& item) {
  return text_of(item, "video_id") == totals_partition;
}

std::vector<Key> other_keys_of_total(std::string_view name) {
  std::vector<Key> keys;
  for (int shard = 0; shard < other_shards; ++shard) keys.push_back(other_key_of_total(name, shard));
  return keys;
}

std::int64_t sum_of_total(const Item& total, const std::map<Key, Item>& others) {
  auto sum = integer_of(total, "n");
  for (const auto& key : other_keys_of_total(text_of(total, "segment_id")))
    if (auto at = others.find(key); at != others.end()) sum += integer_of(at->second, "n");
  return sum;
}

bool DynamoTotals::is_known(std::string_view name) {
  std::lock_guard lock(mutex_);
  return known_.contains(name);
}

void DynamoTotals::add_total(std::string_view name, std::int64_t n) {
  const bool was_known = is_known(name);
  Terms terms;
  auto update = "ADD " + terms.name("n") + " " + terms.value(n);
  table_.update({.key = was_known ? other_key_of_total(name, some_shard()) : total_key(name),
                 .update = std::move(update),
                 .terms = std::move(terms),
                 .repeat = Repeat::never});
  if (was_known) return;
  std::lock_guard lock(mutex_);
  known_.emplace(name);
}

std::vector<std::pair<std::string, std::int64_t>> DynamoTotals::list_totals() {
  Query query{.condition = {}};
  query.condition = query.terms.name("video_id") + " = " + query.terms.value(totals_partition);
  query.is_strong = true;
  std::vector<Item> items;
  std::vector<Key> keys;
  table_.query_all(std::move(query), [&](Item&& item) {
    std::ranges::move(other_keys_of_total(text_of(item, "segment_id")), std::back_inserter(keys));
    items.push_back(std::move(item));
    return true;
  });
  const auto others = find_items(table_, std::move(keys));
  std::vector<std::pair<std::string, std::int64_t>> totals;
  for (const auto& item : items) totals.emplace_back(text_of(item, "segment_id"), sum_of_total(item, others));
  return totals;
}

}  // namespace segments::dynamodb

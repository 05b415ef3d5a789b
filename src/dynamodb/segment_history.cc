#include "dynamodb/segment_history.h"

#include <algorithm>

#include "base/crypto.h"
#include "base/text.h"
#include "describe/encode.h"

namespace segments::dynamodb {

namespace {

std::string partition_of(const StoredSegment& stored) {
  return "#history#" + stored.segment.segment_id + "#" + stored.made_id;
}

Query query_of(const StoredSegment& stored) {
  Query query;
  query.condition = query.terms.name("video_id") + " = " + query.terms.value(partition_of(stored));
  query.is_strong = true;
  return query;
}

}  // namespace

Item make_history_item(const StoredSegment& stored, const HistoryEntry& entry) {
  const std::string digest = encode_hex(sha256(encode(entry.reading))).substr(0, 16);
  Item item = item_of(entry.reading);
  item["video_id"] = text(partition_of(stored));
  item["segment_id"] =
      text(entry.reading.read_at + "#" + name_of(entry.platform) + "#" + entry.post_id + "#" + digest);
  item["platform"] = text(name_of(entry.platform));
  item["post_id"] = text(entry.post_id);
  return item;
}

std::vector<HistoryEntry> list_history(Table& table, const StoredSegment& stored, std::size_t limit) {
  std::vector<HistoryEntry> entries;
  if (limit == 0) return entries;
  // The newest ones are what a bounded answer should hold; they are given oldest first.
  auto query = query_of(stored);
  query.is_forward = false;
  query.limit = static_cast<int>(std::min<std::size_t>(limit, 1'000));
  table.query_all(std::move(query), [&](Item&& item) {
    auto& entry = entries.emplace_back();
    if (const auto* platform = find(item, "platform")) read_attribute(entry.platform, *platform);
    entry.post_id = text_of(item, "post_id");
    read_item(entry.reading, item);
    return entries.size() < limit;
  });
  std::ranges::reverse(entries);
  return entries;
}

void remove_history(Table& table, const StoredSegment& stored) {
  auto query = query_of(stored);
  query.projection = query.terms.name("video_id") + ", " + query.terms.name("segment_id");
  std::vector<Key> keys;
  table.query_all(std::move(query), [&](Item&& item) {
    keys.push_back(key_of(item));
    return true;
  });
  if (!keys.empty()) table.batch_write({}, keys);
}

}  // namespace segments::dynamodb

#include "dynamodb/waiting_videos.h"

#include <algorithm>
#include <map>

#include "base/ids.h"
#include "dynamodb/claims.h"
#include "dynamodb/video_item.h"

namespace segments::dynamodb {
namespace {

constexpr std::string_view waiting_partition = "#waiting";
// Longer than a write with all its retries takes, and clocks differ.
constexpr Millis waiting_grace_ms = 300'000;
constexpr std::size_t largest_waiting_page = 1'000;

// Unless it was written anew since it was read.
void drop_hint(Table& table, const Item& hint) {
  Terms terms;
  auto condition = terms.name("hint") + " = " + terms.value(text_of(hint, "hint"));
  table.remove({.key = key_of(hint), .condition = std::move(condition), .terms = std::move(terms)});
}

bool is_waiting(const StoredVideo& stored) {
  return stored.video.status == VideoStatus::QUEUED && !stored.task_arguments.empty();
}

std::map<std::string, StoredVideo> find_videos(Table& table, const std::vector<Item>& hints) {
  std::vector<Key> keys;
  for (const auto& hint : hints) keys.push_back(video_key(text_of(hint, "segment_id")));
  std::map<std::string, StoredVideo> videos;
  for (const auto& item : table.batch_get(keys, true))
    if (auto stored = read_video(item)) videos.emplace(text_of(item, "video_id"), std::move(*stored));
  return videos;
}

}  // namespace

void put_waiting_hint(Table& table, std::string_view video_id) {
  table.put({.item = {{"video_id", text(waiting_partition)},
                      {"segment_id", text(video_id)},
                      {"hint", text(make_id())}}});
}

std::vector<WaitingVideo> list_waiting_videos(Table& table, Millis before, std::string_view after,
                                              std::size_t limit) {
  std::vector<WaitingVideo> waiting;
  const auto stored_before = format_time(before);
  Query query{.condition = {}};
  query.condition = query.terms.name("video_id") + " = " + query.terms.value(waiting_partition);
  query.is_strong = true;
  query.limit = static_cast<int>(std::min(limit, largest_waiting_page));
  if (!after.empty()) query.from = item_of(Key{std::string(waiting_partition), std::string(after)});
  while (waiting.size() < limit) {
    auto page = table.query(query);
    const auto videos = find_videos(table, page.items);
    const std::string young = make_id(std::max<Millis>(now_ms() - waiting_grace_ms, 0));
    for (const auto& hint : page.items) {
      auto at = videos.find(text_of(hint, "segment_id"));
      if (at == videos.end() || !is_waiting(at->second)) {
        if (text_of(hint, "hint") < young) drop_hint(table, hint);
        continue;
      }
      const auto& [video, arguments, revision, write_ids] = at->second;
      if (video.upload_date < stored_before && waiting.size() < limit)
        waiting.push_back({video.video_id, video.user_id, arguments});
    }
    if (page.last.empty()) break;
    query.from = std::move(page.last);
  }
  return waiting;
}

}  // namespace segments::dynamodb

#include "dynamodb/archive_items.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <set>

#include "base/crypto.h"
#include "base/ids.h"
#include "base/text.h"
#include "describe/encode.h"
#include "dynamodb/claims.h"
#include "dynamodb/kept_requests.h"
#include "dynamodb/segment_history.h"
#include "dynamodb/segment_item.h"
#include "dynamodb/totals.h"
#include "dynamodb/video_item.h"

namespace segments::dynamodb {
namespace {

constexpr std::string_view history_prefix = "#history#";

// --- What others left in an item, as text ---

template <Described T>
void add_names(std::set<std::string, std::less<>>& names) {
  for_each_member<T>([&](const char* name, auto) { names.emplace(name); });
}

const std::set<std::string, std::less<>>& names_of_video() {
  static const auto names = [] {
    std::set<std::string, std::less<>> all{"segment_id", "owner",     "claimed",       "removed",
                                           "revision",   "write_ids", "task_arguments"};
    add_names<Video>(all);
    return all;
  }();
  return names;
}

const std::set<std::string, std::less<>>& names_of_segment() {
  static const auto names = [] {
    std::set<std::string, std::less<>> all{"version", "followed", "made_id", "request_id", "write_ids"};
    add_names<Segment>(all);
    return all;
  }();
  return names;
}

void sort_sets(Attribute& attribute) {
  if (auto* texts = std::get_if<Attribute::Strings>(&attribute.value)) std::ranges::sort(texts->items);
  if (auto* numbers = std::get_if<Attribute::Numbers>(&attribute.value)) std::ranges::sort(numbers->items);
  if (auto* bytes = std::get_if<Attribute::Binaries>(&attribute.value)) std::ranges::sort(bytes->items);
  if (auto* list = std::get_if<Attribute::List>(&attribute.value))
    for (auto& one : *list) sort_sets(one);
  if (auto* map = std::get_if<Item>(&attribute.value))
    for (auto& [name, one] : *map) sort_sets(one);
}

std::string foreign_of(const Item& item, const std::set<std::string, std::less<>>& ours) {
  Item foreign;
  for (const auto& [name, attribute] : item)
    if (!ours.contains(name)) sort_sets(foreign.emplace(name, attribute).first->second);
  std::string json;
  if (!foreign.empty()) encode_item(json, foreign);
  return json;
}

void add_foreign(Item& item, const std::string& json) {
  if (json.empty()) return;
  for (auto& [name, attribute] : decode_item(boost::json::parse(json)))
    item.emplace(name, std::move(attribute));
}

// --- From items ---

std::optional<Record> video_record(const Item& item) {
  VideoRecord record;
  record.video_id = text_of(item, "video_id");
  const auto claim = claim_of(item);
  record.is_claimed = claim.is_claimed;
  record.is_removed = claim.is_removed;
  // Empty, it keeps the id from everybody.
  if (!claim.owner.empty()) record.owner = claim.owner;
  if (auto stored = read_video(item)) {
    record.video = std::move(stored->video);
    record.task_arguments = std::move(stored->task_arguments);
  }
  record.foreign = foreign_of(item, names_of_video());
  if (!record.is_claimed && !record.is_removed && !record.video) return std::nullopt;
  return record;
}

// What the earlier service wrote is followed from its beginning, as it will be here with its first change.
FollowedPosts followed_of(const Item& item, const StoredSegment& stored) {
  const auto* followed = find(item, "followed");
  if (followed && std::holds_alternative<Item>(followed->value)) return stored.followed;
  return follow_posts({}, stored.segment.social_media_usage,
                      parse_time(stored.segment.created_at).value_or(0));
}

std::optional<Record> segment_record(const Item& item) {
  auto stored = read_segment(item);
  if (!stored) return std::nullopt;
  SegmentRecord record;
  record.version = stored->version;
  for (const auto& [name, post] : followed_of(item, *stored)) {
    const auto separator = name.find('#');
    auto platform = enum_from<SocialMediaPlatform>(std::string_view(name).substr(0, separator));
    if (platform && separator != std::string::npos)
      record.followed.push_back({*platform, name.substr(separator + 1), post.since, post.due_at, post.asked});
  }
  record.foreign = foreign_of(item, names_of_segment());
  record.segment = std::move(stored->segment);
  return record;
}

// "#history#" segment "#" id of its making
struct HistoryPlace {
  std::string segment_id, made_id;
};
HistoryPlace history_place(const Item& item) {
  std::string rest = text_of(item, "video_id").substr(history_prefix.size());
  const auto separator = rest.rfind('#');
  if (separator == std::string::npos) return {std::move(rest), ""};
  return {rest.substr(0, separator), rest.substr(separator + 1)};
}

std::string digest_of(const MetricsReading& reading) {
  return encode_hex(sha256(encode(reading))).substr(0, 16);
}

// The same for the same segment, so that a move that is repeated finds the history where it was put.
std::string made_id_of(const Segment& segment) {
  return encode_hex(sha256(segment.segment_id + " " + segment.created_at)).substr(0, 26);
}

Key history_key(const ReadingRecord& record, const std::string& made_id) {
  std::string place = record.reading.read_at + "#" + name_of(record.platform) + "#" + record.post_id + "#" +
                      digest_of(record.reading);
  if (record.repeat > 0) place += "-" + std::to_string(record.repeat);
  return {std::string(history_prefix) + record.segment_id + "#" + made_id, std::move(place)};
}

ReadingRecord reading_record(const Item& item) {
  ReadingRecord record;
  record.segment_id = history_place(item).segment_id;
  if (const auto* platform = find(item, "platform")) read_attribute(record.platform, *platform);
  record.post_id = text_of(item, "post_id");
  read_item(record.reading, item);
  const std::string place = text_of(item, "segment_id");
  const auto last = std::string_view(place).substr(place.rfind('#') + 1);
  if (const auto dash = last.find('-'); dash != std::string_view::npos)
    record.repeat = parse_integer(last.substr(dash + 1)).value_or(0);
  return record;
}

bool is_request(const Item& item) {
  return text_of(item, "segment_id") == "#KEY";
}

// The segment that must be seen to understand the item.
std::optional<Key> needed_segment(const Item& item) {
  if (is_history(item)) return key_to_look_under(history_place(item).segment_id);
  if (!is_request(item)) return std::nullopt;
  const auto request = read_request(item);
  if (request.is_done) return std::nullopt;
  return key_to_look_under(request.segment.segment_id);
}

// --- To items ---

Item item_of_video(const VideoRecord& record, const Key& key) {
  Item item =
      record.video ? make_item(StoredVideo{*record.video, record.task_arguments, 1, {}}) : item_of(key);
  item.erase("claimed");
  item.erase("owner");
  if (record.is_claimed) item["claimed"] = {true};
  if (record.is_removed) item["removed"] = {true};
  if (record.is_claimed || record.is_removed) item["owner"] = text(record.owner.value_or(""));
  add_foreign(item, record.foreign);
  return item;
}

MadeItem item_of_segment(const SegmentRecord& record, const Item* there) {
  MadeItem made;
  StoredSegment stored{.segment = record.segment,
                       .version = record.version,
                       .created_at = record.segment.created_at,
                       .made_id = made_id_of(record.segment),
                       .posts = number_posts(record.segment.social_media_usage)};
  if (there) {
    made.before = followed_posts_of(*there);
    made.has_new_history = text_of(*there, "made_id") != stored.made_id;
  }
  for (const auto& one : record.followed) {
    const auto name = post_key(one.platform, one.post_id);
    auto at = made.before.find(name);
    const bool has_hint = at != made.before.end() && at->second.due_at == one.due_at;
    stored.followed[name] = {one.since, one.due_at, static_cast<int>(one.asked),
                             has_hint ? at->second.hint : make_id()};
  }
  made.after = stored.followed;
  made.item = make_item(stored);
  add_foreign(made.item, record.foreign);
  return made;
}

Item item_of_request(const RequestRecord& record) {
  const KeptRequest request{.id = make_id(), .fingerprint = record.fingerprint, .segment = record.segment};
  return make_request_item({record.user_id, record.key, record.fingerprint}, request, true,
                           record.expires_at_s);
}

Item item_of_reading(const ReadingRecord& record, const Key& key) {
  Item item = item_of(record.reading);
  item["video_id"] = text(key.video_id);
  item["segment_id"] = text(key.segment_id);
  item["platform"] = text(name_of(record.platform));
  item["post_id"] = text(record.post_id);
  return item;
}

}  // namespace

bool is_history(const Item& item) {
  return text_of(item, "video_id").starts_with(history_prefix);
}

RecordItems::RecordItems(Table& table, std::vector<Item> items) {
  std::vector<Key> keys;
  for (const auto& item : items)
    if (auto key = needed_segment(item))
      keys.push_back(std::move(*key));
    else if (is_total(item))
      std::ranges::move(other_keys_of_total(text_of(item, "segment_id")), std::back_inserter(keys));
  if (!keys.empty()) needed_ = find_items(table, std::move(keys));
}

std::optional<Record> RecordItems::record_of(const Item& item) const {
  std::optional<Record> record;
  const auto needed = needed_segment(item);
  const auto at = needed ? needed_.find(*needed) : needed_.end();
  const Item none, &segment = at == needed_.end() ? none : at->second;
  if (is_history(item)) {
    // Of a segment that is no more, or of one that had the id before.
    if (!read_segment(segment) || text_of(segment, "made_id") != history_place(item).made_id)
      return std::nullopt;
    record = reading_record(item);
  } else if (is_request(item)) {
    auto request = read_request(item);
    // Whoever began it may have been killed before the segment was there. A segment that was there and is
    // removed has left the request's id behind.
    if (!request.is_done && text_of(segment, "request_id") != request.id) return std::nullopt;
    auto by = parse_request_key(text_of(item, "video_id"));
    if (!by) return std::nullopt;
    record = RequestRecord{std::move(by->user_id), std::move(by->key), std::move(request.fingerprint),
                           integer_of(item, "expires_at"), std::move(request.segment)};
  } else if (is_total(item)) {
    record = TotalRecord{text_of(item, "segment_id"), sum_of_total(item, needed_)};
  } else if (text_of(item, "video_id").starts_with('#')) {
    return std::nullopt;
  } else if (text_of(item, "segment_id") == "#VIDEO") {
    record = video_record(item);
  } else {
    record = segment_record(item);
  }
  if (record) make_canonical(*record);
  return record;
}

std::optional<Key> key_of_record(const Record& record, const std::map<Key, Item>& segments) {
  if (const auto* video = std::get_if<VideoRecord>(&record)) return video_key(video->video_id);
  if (const auto* segment = std::get_if<SegmentRecord>(&record)) {
    auto key = key_of_segment(segment->segment.segment_id);
    return key && key->video_id == segment->segment.video_id ? key : std::nullopt;
  }
  if (const auto* request = std::get_if<RequestRecord>(&record))
    return key_of_request({request->user_id, request->key, ""});
  if (const auto* total = std::get_if<TotalRecord>(&record)) return total_key(total->name);
  const auto& reading = std::get<ReadingRecord>(record);
  auto segment = segments.find(key_to_look_under(reading.segment_id));
  if (segment == segments.end() || !read_segment(segment->second)) return std::nullopt;
  return history_key(reading, text_of(segment->second, "made_id"));
}

std::vector<Key> keys_of_segments(std::span<const Record> records) {
  std::vector<Key> keys;
  for (const auto& record : records)
    if (const auto* reading = std::get_if<ReadingRecord>(&record))
      keys.push_back(key_to_look_under(reading->segment_id));
  return keys;
}

MadeItem make_item(const Record& record, const Key& key, const Item* there) {
  if (const auto* video = std::get_if<VideoRecord>(&record)) return {.item = item_of_video(*video, key)};
  if (const auto* segment = std::get_if<SegmentRecord>(&record)) return item_of_segment(*segment, there);
  if (const auto* request = std::get_if<RequestRecord>(&record)) return {.item = item_of_request(*request)};
  if (const auto* total = std::get_if<TotalRecord>(&record)) {
    Item item = item_of(key);
    item["n"] = number(total->value);
    return {.item = std::move(item)};
  }
  return {.item = item_of_reading(std::get<ReadingRecord>(record), key)};
}

}  // namespace segments::dynamodb

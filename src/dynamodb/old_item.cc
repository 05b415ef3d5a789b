#include "dynamodb/old_item.h"

#include <algorithm>
#include <set>

#include "base/crypto.h"
#include "base/text.h"
#include "describe/encode.h"
#include "dynamodb/segment_item.h"
#include "dynamodb/video_item.h"

namespace segments::dynamodb {
namespace {

constexpr std::string_view of_videos_alone[] = {"output_s3_urls", "upload_date", "status", "bucket_location"};
constexpr std::string_view key_names[] = {"video_id",     "segment_id", "user_id",
                                          "segment_type", "created_at", "upload_date"};
// The time of what tells none: before everything else in a list.
constexpr std::string_view no_time = "1970-01-01T00:00:00.000Z";

template <class T>
bool has_member(std::string_view name) {
  bool has = false;
  for_each_member<T>([&](const char* member, auto) { has = has || name == member; });
  return has;
}

bool tells_of_video(const Item& old) {
  return std::ranges::any_of(of_videos_alone, [&](auto name) { return find(old, name) != nullptr; });
}

bool tells_of_segment(const Item& old) {
  return !text_of(old, "segment_id").empty();
}

std::string first_of(const Item& old, std::initializer_list<std::string_view> names,
                     std::string_view otherwise) {
  for (auto name : names)
    if (auto found = text_of(old, name); !found.empty()) return found;
  return std::string(otherwise);
}

std::string time_of(const Item& old, std::initializer_list<std::string_view> names) {
  return canonical_time(first_of(old, names, no_time));
}

// Members of the other record, and index keys that would list the item as what it is not.
template <class Mine, class Other>
void add_others(const Item& old, Item& item) {
  for (const auto& [name, value] : old) {
    if (item.contains(name) || has_member<Mine>(name) || has_member<Other>(name)) continue;
    if (std::ranges::find(key_names, name) == std::end(key_names)) item.emplace(name, value);
  }
}

// "Talk - Part 3", which a segment's row is called, is of the video "Talk".
std::string title_of_video(const std::string& title) {
  auto at = title.rfind(" - Part ");
  if (at == std::string::npos || !parse_integer(std::string_view(title).substr(at + 8))) return title;
  return title.substr(0, at);
}

Item video_item_of(const Item& old, const std::string& user_id) {
  Item seen = old;
  seen["upload_date"] = text(first_of(old, {"upload_date", "created_at", "updated_at"}, no_time));
  auto stored = read_video(seen);
  stored->video.user_id = user_id;
  if (tells_of_segment(old)) {
    // Length and size are the segment's.
    stored->video.title = title_of_video(stored->video.title);
    stored->video.duration.reset();
    stored->video.file_size = 0;
  }
  Item item = make_item(*stored);
  item.erase("revision");
  item.erase("write_ids");
  add_others<Video, Segment>(old, item);
  return item;
}

Item segment_item_of(const Item& old, const std::string& video_id, const std::string& user_id) {
  Item seen = old;
  seen["user_id"] = text(user_id);
  seen["created_at"] = text(time_of(old, {"created_at", "updated_at", "upload_date"}));
  const auto old_id = text_of(old, "segment_id");
  const bool is_ours = video_id_of(old_id) == video_id && key_of_segment(old_id);
  const auto id = is_ours ? old_id : make_segment_id(video_id, encode_hex(sha256(old_id)).substr(0, 26));
  seen["segment_id"] = text(id);
  auto stored = read_segment(seen);
  stored->segment.s3_key = object_key_of(stored->segment.s3_key);
  Item item = make_item(*stored);
  if (!find(item, "segment_type")) item["segment_type"] = text("processed");
  if (!is_ours) item["old_segment_id"] = text(old_id);
  add_others<Segment, Video>(old, item);
  return item;
}

// "…/segment_007.mp4" is 7.
std::optional<std::int64_t> number_in(std::string_view key) {
  auto name = key.substr(key.rfind('/') + 1);
  name = name.substr(0, name.rfind('.'));
  auto digits = name.substr(name.find_last_not_of("0123456789") + 1);
  if (digits.empty() || digits.size() > 6) return std::nullopt;
  return parse_integer(digits);
}

// By their names, if each has a number of its own; else by their places.
std::vector<std::int64_t> numbers_of(const std::vector<std::string>& keys) {
  std::vector<std::int64_t> numbers;
  for (const auto& key : keys) numbers.push_back(number_in(key).value_or(0));
  const std::set<std::int64_t> distinct(numbers.begin(), numbers.end());
  if (distinct.size() == numbers.size() && !distinct.contains(0)) return numbers;
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::int64_t>(i) + 1;
  return numbers;
}

// The earlier service showed such segments as 30.0 seconds and 0 bytes; neither was ever true.
Item lost_segment(const Video& video, const std::string& key, std::int64_t number) {
  StoredSegment stored;
  auto& segment = stored.segment;
  segment.segment_id = make_numbered_segment_id(video.video_id, number);
  segment.video_id = video.video_id;
  segment.user_id = video.user_id;
  segment.segment_number = number;
  segment.s3_key = key;
  segment.created_at = segment.updated_at = video.upload_date;
  segment.filename = key.substr(key.rfind('/') + 1);
  if (!video.title.empty()) segment.title = video.title + " - Part " + std::to_string(number);
  Item item = make_item(stored);
  item["rebuilt"] = {true};
  return item;
}

void add_lost_segments(ConvertedItem& out) {
  const auto video = read_video(*out.video)->video;
  std::set<std::string> known_ids, known_keys;
  for (const auto& item : out.segments) {
    known_ids.insert(text_of(item, "segment_id"));
    known_keys.insert(text_of(item, "s3_key"));
  }
  const auto numbers = numbers_of(video.output_s3_urls);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto& key = video.output_s3_urls[i];
    if (!key_of_segment(make_numbered_segment_id(video.video_id, numbers[i]))) continue;
    auto item = lost_segment(video, key, numbers[i]);
    if (!known_keys.insert(key).second || !known_ids.insert(text_of(item, "segment_id")).second) continue;
    out.segments.push_back(std::move(item));
  }
}

// DynamoDB gives sets in any order, and writes numbers in its own way.
void make_plain(Attribute& attribute) {
  std::visit(
      [](auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, Attribute::List>) {
          for (auto& one : value) make_plain(one);
        } else if constexpr (std::is_same_v<T, Attribute::Map>) {
          for (auto& [name, one] : value) make_plain(one);
        } else if constexpr (std::is_same_v<T, Attribute::Number>) {
          constexpr std::size_t exact_in_double = 15;
          auto plain = parse_number(value.text);
          if (plain && value.text.size() <= exact_in_double) value.text = encode(*plain);
        } else if constexpr (requires { value.items; }) {
          std::ranges::sort(value.items);
        }
      },
      attribute.value);
}

}  // namespace

std::optional<ConvertedItem> convert_old_item(const Item& old) {
  ConvertedItem out;
  out.video_id = text_of(old, "video_id");
  if (out.video_id.empty()) out.video_id = video_id_of(text_of(old, "segment_id")).value_or("");
  if (out.video_id.empty() || out.video_id.front() == '#') return std::nullopt;
  out.user_id = first_of(old, {"user_id"}, "anonymous");
  Item with_id = old;
  with_id["video_id"] = text(out.video_id);
  const bool is_segment = tells_of_segment(old);
  if (is_segment) out.segments.push_back(segment_item_of(with_id, out.video_id, out.user_id));
  if (tells_of_video(old) || !is_segment) {
    out.video = video_item_of(with_id, out.user_id);
    add_lost_segments(out);
  }
  return out;
}

std::string digest_of(Item item) {
  for (auto& [name, attribute] : item) make_plain(attribute);
  std::string json;
  encode_item(json, item);
  return encode_hex(sha256(json)).substr(0, 32);
}

}  // namespace segments::dynamodb

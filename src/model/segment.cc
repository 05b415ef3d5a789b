#include "model/segment.h"

#include <algorithm>

#include "base/text.h"
#include "base/time.h"

namespace segments {

namespace {

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_id_character(char c) {
  return is_alphanumeric(c) || std::string_view("._~:@-").find(c) != std::string_view::npos;
}

// RFC 9110's token.
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alphanumeric(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

}  // namespace

const char* fault_of_id(std::string_view id) {
  if (id.empty() || id.size() > 240) return "The id has 1 to 240 characters.";
  if (id.front() == '.') return "The id must not begin with a dot.";
  if (!std::all_of(id.begin(), id.end(), is_id_character))
    return "The id is made of letters, digits and . _ ~ : @ - only.";
  return nullptr;
}

const char* fault_of_content_type(std::string_view type) {
  static constexpr const char* wanted = "The content type is like video/mp4.";
  auto end_of_type = type.find(';');
  auto essence = trim(type.substr(0, end_of_type));
  auto slash = essence.find('/');
  if (slash == essence.npos || !is_token(essence.substr(0, slash)) || !is_token(essence.substr(slash + 1)))
    return wanted;
  // Parameters are kept as they are; they only must be able to stand in a header.
  bool printable = std::all_of(type.begin(), type.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  return printable && type.front() != ' ' ? nullptr : wanted;
}

const char* fault_of_time(std::string_view time) {
  return parse_time(time) ? nullptr : "The time is like 2026-11-22T17:00:00Z (RFC 3339), years 1970 to 9999.";
}

std::string make_numbered_segment_id(std::string_view video_id, std::int64_t number) {
  auto digits = std::to_string(number);
  if (digits.size() < 3) digits.insert(0, 3 - digits.size(), '0');
  return make_segment_id(video_id, digits);
}

std::string make_segment_id(std::string_view video_id, std::string_view suffix) {
  return "seg_" + std::string(video_id) + "_" + std::string(suffix);
}

std::optional<std::string> video_id_of(std::string_view segment_id) {
  if (!segment_id.starts_with("seg_")) return std::nullopt;
  segment_id.remove_prefix(4);
  // The suffix has no underscore, a video's id may.
  auto end = segment_id.rfind('_');
  if (end == segment_id.npos || end == 0 || end + 1 == segment_id.size()) return std::nullopt;
  return std::string(segment_id.substr(0, end));
}

bool take_media(Segment& stored, const Segment& media) {
  Segment before = stored;
  stored.segment_type = media.segment_type;
  stored.segment_number = media.segment_number;
  stored.s3_key = media.s3_key;
  stored.s3_url = media.s3_url;
  stored.duration = media.duration;
  stored.file_size = media.file_size;
  stored.content_type = media.content_type;
  stored.thumbnail_url = media.thumbnail_url;
  stored.filename = media.filename;
  return stored != before;
}

}  // namespace segments

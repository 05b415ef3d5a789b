#include "dynamodb/segment_match.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "describe/encode.h"

namespace segments::dynamodb {

namespace {

bool contains(const std::optional<std::string>& text, const std::string& folded) {
  return text && fold_case(*text).find(folded) != std::string::npos;
}

bool is_found(const Segment& segment, const std::string& words) {
  return contains(segment.title, words) || contains(segment.description, words) ||
         contains(segment.filename, words);
}

}  // namespace

bool may_match(const Segment& s, const SegmentQuery& q) {
  return (!q.video_id || s.video_id == *q.video_id) &&
         (!q.segment_type || s.segment_type == *q.segment_type) &&
         (!q.min_duration || s.duration >= *q.min_duration) &&
         (!q.max_duration || s.duration <= *q.max_duration) &&
         (!q.created_after || s.created_at >= *q.created_after) &&
         (!q.created_before || s.created_at < *q.created_before);
}

bool matches(const Segment& s, const SegmentQuery& q) {
  auto has_tag = [&](const std::string& tag) { return std::ranges::find(s.tags, tag) != s.tags.end(); };
  auto is_posted_on = [&](const SocialMediaUsage& usage) { return usage.platform == *q.platform; };
  return may_match(s, q) && (!q.min_downloads || s.download_count >= *q.min_downloads) &&
         std::ranges::all_of(q.tags, has_tag) &&
         (!q.has_social_media || *q.has_social_media == !s.social_media_usage.empty()) &&
         (!q.platform || std::ranges::any_of(s.social_media_usage, is_posted_on)) &&
         (!q.search || is_found(s, *q.search));
}

bool needs_whole(const SegmentQuery& q) {
  return q.min_downloads || !q.tags.empty() || q.has_social_media || q.platform || q.search ||
         q.sort_by == SegmentOrder::download_count;
}

SortKey make_sort_key(const Segment& segment, SegmentOrder order) {
  switch (order) {
    case SegmentOrder::duration:
      return segment.duration;
    case SegmentOrder::file_size:
      return segment.file_size;
    case SegmentOrder::download_count:
      return segment.download_count;
    case SegmentOrder::segment_number:
      return segment.segment_number;
    default:
      return sort_key_of(segment, order);
  }
}

SortKey parse_sort_key(const std::string& key, SegmentOrder order) {
  std::optional<SortKey> parsed;
  switch (order) {
    case SegmentOrder::duration:
      if (auto number = parse_number(key)) parsed = *number;
      break;
    case SegmentOrder::file_size:
    case SegmentOrder::download_count:
    case SegmentOrder::segment_number:
      if (auto number = parse_integer(key)) parsed = *number;
      break;
    case SegmentOrder::created_at:
      // Else it can be no part of an index's key.
      if (!key.empty() && key.size() <= 100) parsed = key;
      break;
    default:
      parsed = key;
  }
  if (!parsed)
    throw Error(ErrorKind::invalid, "The cursor does not belong to this order.",
                {{"cursor", "format", "The cursor does not belong to this order."}});
  return *parsed;
}

std::string print_sort_key(const SortKey& key) {
  if (const auto* text = std::get_if<std::string>(&key)) return *text;
  return std::visit([](const auto& value) { return encode(value); }, key);
}

}  // namespace segments::dynamodb

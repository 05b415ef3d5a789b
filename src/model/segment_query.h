// What a list of segments is asked for: filters, order and page, as GET /api/segments takes them.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/segment.h"

namespace segments {

// The query parameters as they come; make_segment_query() turns them into a SegmentQuery.
struct SegmentFilters {
  std::optional<std::string> user_id;
  std::optional<std::string> video_id;
  std::optional<SegmentType> segment_type;
  std::optional<double> min_duration, max_duration;
  std::optional<std::int64_t> min_downloads;
  std::optional<std::vector<std::string>> tags;
  std::optional<bool> has_social_media;
  std::optional<SocialMediaPlatform> platform;
  std::optional<std::string> search;
  std::optional<std::string> created_after, created_before;
  std::optional<std::string> sort_by, sort_order, order;
  std::optional<std::int64_t> limit, page_size, offset, page;
  std::optional<std::string> cursor;
};
BOOST_DESCRIBE_STRUCT(SegmentFilters, (),
                      (user_id, video_id, segment_type, min_duration, max_duration, min_downloads, tags,
                       has_social_media, platform, search, created_after, created_before, sort_by, sort_order,
                       order, limit, page_size, offset, page, cursor))
constexpr Rule rule_of(Describes<SegmentFilters>, std::string_view member) {
  if (member == "min_duration" || member == "max_duration")
    return {.minimum = 0, .about = "Seconds, inclusive"};
  if (member == "min_downloads") return {.minimum = 0};
  if (member == "tags")
    return {.max_length = 100,
            .max_items = 20,
            .about =
                "Comma-separated; all must be there. Given more than once, each is one tag as it stands, "
                "commas and all: `tags=a,b&tags=` asks for the one tag `a,b`"};
  if (member == "search")
    return {.max_length = 200, .about = "In title, description and filename; case does not matter"};
  if (member == "created_after" || member == "created_before")
    return {.max_length = 40, .check = fault_of_time, .format = "date-time"};
  if (member == "sort_by")
    return {.max_length = 20,
            .about =
                "created_at (date), duration, file_size (size), name, title, filename, download_count "
                "(downloads) or segment_number"};
  if (member == "order" || member == "sort_order") return {.max_length = 20, .about = "asc or desc"};
  if (member == "limit" || member == "page_size") return {.minimum = 1, .about = "1 to 200, default 50"};
  if (member == "offset") return {.minimum = 0, .maximum = 1'000'000'000};
  if (member == "page") return {.minimum = 1, .maximum = 1'000'000'000};
  if (member == "cursor") return {.max_length = 1'500};
  return {.max_length = 200};
}

constexpr std::int64_t default_page_size = 50;
constexpr std::int64_t largest_page_size = 200;  // more is clamped

enum class SegmentOrder {
  created_at,
  duration,
  file_size,
  name,
  title,
  filename,
  download_count,
  segment_number
};
BOOST_DESCRIBE_ENUM(SegmentOrder, created_at, duration, file_size, name, title, filename, download_count,
                    segment_number)

// Where a page starts: after the row with this key and id, in the query's order.
struct SegmentPosition {
  std::string key;  // the sort key as text: numbers as std::to_chars prints them
  std::string segment_id;
  bool operator==(const SegmentPosition&) const = default;
};

struct SegmentQuery {
  std::optional<std::string> video_id;
  std::optional<SegmentType> segment_type;
  std::optional<double> min_duration, max_duration;
  std::optional<std::int64_t> min_downloads;
  std::vector<std::string> tags;
  std::optional<bool> has_social_media;
  std::optional<SocialMediaPlatform> platform;
  std::optional<std::string> search;                         // folded by fold_case()
  std::optional<std::string> created_after, created_before;  // canonical times; inclusive, exclusive
  SegmentOrder sort_by = SegmentOrder::created_at;
  bool descending = true;
  std::int64_t limit = default_page_size;
  std::int64_t offset = 0;
  std::optional<SegmentPosition> after;  // with it, offset is 0

  bool has_filter() const;
};

struct SegmentPage {
  std::vector<Segment> segments;
  std::int64_t total_count = 0;         // all that match the filters, exact
  std::optional<SegmentPosition> next;  // where the next page starts; absent on the last one
};

// name: filename, else title, else "Segment n", lower-cased (as the client in use sorts); title: title, else
// filename; filename: filename, else "". Text keys are folded by fold_case(). A store sorts by this key.
std::string sort_key_of(const Segment&, SegmentOrder);

// Resolves synonyms (date, size, downloads), `order` before `sort_order`, `page_size` for `limit` (clamped to
// 200). Throws Error{invalid} with every fault (min above max, unknown order, cursor with offset). The cursor
// is left to the caller.
SegmentQuery make_segment_query(const SegmentFilters&);

}  // namespace segments

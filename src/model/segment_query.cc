#include "model/segment_query.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"

namespace segments {

namespace {

constexpr const char* allowed_orders =
    "created_at (date), duration, file_size (size), name, title, filename, download_count (downloads), "
    "segment_number";

template <class Number>
std::string number_text(Number number) {
  std::array<char, 32> digits;
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr};
}

bool is_filled(const std::optional<std::string>& text) {
  return text && !text->empty();
}

std::optional<SegmentOrder> order_from(std::string_view name) {
  if (name == "date") return SegmentOrder::created_at;
  if (name == "size") return SegmentOrder::file_size;
  if (name == "downloads") return SegmentOrder::download_count;
  std::optional<SegmentOrder> found;
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<SegmentOrder>>([&](auto enumerator) {
    if (name == enumerator.name) found = enumerator.value;
  });
  return found;
}

std::optional<std::string> canonical_time(const std::optional<std::string>& time, const char* name,
                                          std::vector<Fault>& faults) {
  if (!time) return std::nullopt;
  auto at = parse_time(*time);
  if (at) return format_time(*at);
  faults.push_back({name, "format", fault_of_time(*time)});
  return std::nullopt;
}

void put_order(const SegmentFilters& filters, SegmentQuery& query, std::vector<Fault>& faults) {
  if (filters.sort_by) {
    if (auto order = order_from(lower_ascii(*filters.sort_by)))
      query.sort_by = *order;
    else
      faults.push_back({"sort_by", "enum", std::string("The order must be one of ") + allowed_orders + "."});
  }
  // Both are checked, so that a fault is never hidden behind the other.
  for (auto [name, text] :
       {std::pair{"sort_order", &filters.sort_order}, std::pair{"order", &filters.order}}) {
    if (!*text) continue;
    auto direction = lower_ascii(**text);
    if (direction == "asc" || direction == "desc")
      query.descending = direction == "desc";
    else
      faults.push_back({name, "enum", "The order must be asc or desc."});
  }
}

void put_page(const SegmentFilters& filters, SegmentQuery& query, std::vector<Fault>& faults) {
  auto limit = filters.limit ? filters.limit : filters.page_size;
  query.limit = std::min(limit.value_or(default_page_size), largest_page_size);
  if (query.limit < 1)
    faults.push_back({filters.limit ? "limit" : "page_size", "range", "A page has at least 1 row."});
  if (filters.offset.value_or(0) < 0) faults.push_back({"offset", "range", "The offset is at least 0."});
  if (filters.page.value_or(1) < 1) faults.push_back({"page", "range", "The first page is 1."});
  if (filters.offset && filters.page)
    faults.push_back({"page", "duplicate", "Give either \"offset\" or \"page\", not both."});
  if (!faults.empty()) return;
  query.offset = filters.page ? (*filters.page - 1) * query.limit : filters.offset.value_or(0);
  if (filters.cursor && query.offset > 0)
    faults.push_back(
        {"cursor", "duplicate", "A cursor says where the page starts: give no offset or page besides."});
}

}  // namespace

bool SegmentQuery::has_filter() const {
  return video_id || segment_type || min_duration || max_duration || min_downloads || !tags.empty() ||
         has_social_media || platform || search || created_after || created_before;
}

std::string sort_key_of(const Segment& segment, SegmentOrder order) {
  switch (order) {
    case SegmentOrder::created_at:
      return segment.created_at;
    case SegmentOrder::duration:
      return number_text(segment.duration);
    case SegmentOrder::file_size:
      return number_text(segment.file_size);
    case SegmentOrder::name:
      if (is_filled(segment.filename)) return fold_case(*segment.filename);
      if (is_filled(segment.title)) return fold_case(*segment.title);
      return "segment " + number_text(segment.segment_number);
    case SegmentOrder::title:
      return fold_case(is_filled(segment.title) ? *segment.title : segment.filename.value_or(""));
    case SegmentOrder::filename:
      return fold_case(segment.filename.value_or(""));
    case SegmentOrder::download_count:
      return number_text(segment.download_count);
    case SegmentOrder::segment_number:
      return number_text(segment.segment_number);
  }
  return "";
}

SegmentQuery make_segment_query(const SegmentFilters& filters) {
  std::vector<Fault> faults;
  SegmentQuery query;
  query.video_id = filters.video_id;
  query.segment_type = filters.segment_type;
  query.min_duration = filters.min_duration;
  query.max_duration = filters.max_duration;
  query.min_downloads = filters.min_downloads;
  query.has_social_media = filters.has_social_media;
  query.platform = filters.platform;
  if (filters.tags)
    for (const auto& tag : *filters.tags)
      if (std::find(query.tags.begin(), query.tags.end(), tag) == query.tags.end()) query.tags.push_back(tag);
  if (filters.search)
    if (auto words = trim(*filters.search); !words.empty()) query.search = fold_case(words);
  query.created_after = canonical_time(filters.created_after, "created_after", faults);
  query.created_before = canonical_time(filters.created_before, "created_before", faults);
  if (query.min_duration && query.max_duration && *query.min_duration > *query.max_duration)
    faults.push_back({"max_duration", "range", "\"max_duration\" must not be below \"min_duration\"."});
  if (query.created_after && query.created_before && *query.created_after > *query.created_before)
    faults.push_back({"created_before", "range", "\"created_before\" must not be before \"created_after\"."});
  put_order(filters, query, faults);
  put_page(filters, query, faults);
  if (!faults.empty()) throw invalid_input(std::move(faults));
  return query;
}

}  // namespace segments

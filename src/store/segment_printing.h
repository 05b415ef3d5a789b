// Segments as the JSON that answers show, written straight into the answer.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "describe/encode.h"
#include "model/segment_query.h"

namespace segments {

// Writes what is shown for a thumbnail's key: thumbnail_url alone is shown otherwise than it is kept.
using PrintThumbnail = std::function<void(TextSink&, std::string_view key)>;

// What a list tells beside its records.
struct PrintedPage {
  std::int64_t rows = 0;
  std::int64_t total_count = 0;               // all that match the filters, exact
  std::optional<SegmentPosition> next;        // where the next page starts; absent on the last one
  std::optional<std::int64_t> revision = {};  // SegmentStore::find_list_revision() of the same state
};

inline void print_segment(TextSink& out, const Segment& segment, const PrintThumbnail& print_thumbnail) {
  encode_members(out, segment, [&](auto member, const auto& value) {
    if constexpr (std::is_same_v<decltype(member), std::optional<std::string> Segment::*>) {
      if (member == &Segment::thumbnail_url && value) return print_thumbnail(out, *value);
    }
    encode(out, value);
  });
}

inline PrintedPage print_page(TextSink& out, const SegmentPage& page, const PrintThumbnail& print_thumbnail) {
  for (const auto& segment : page.segments) {
    if (&segment != &page.segments.front()) out += ',';
    print_segment(out, segment, print_thumbnail);
  }
  return {static_cast<std::int64_t>(page.segments.size()), page.total_count, page.next};
}

}  // namespace segments

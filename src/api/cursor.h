// Cursors of lists: opaque, signed, and bound to the user, the filters and the order that they were made for.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/segment_query.h"

namespace segments {

struct Cursor {
  SegmentPosition after;
  std::int64_t page = 1;  // of the rows that follow
};

std::string encode_cursor(std::string_view secret, std::string_view user, const SegmentQuery&, const Cursor&);
// std::nullopt for a text that was not made for exactly this user, these filters and this order.
std::optional<Cursor> parse_cursor(std::string_view secret, std::string_view user, const SegmentQuery&,
                                   std::string_view text);

}  // namespace segments

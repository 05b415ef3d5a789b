// Which segments a list's filters let through, and how they are sorted.
#pragma once

#include <string>
#include <variant>

#include "model/segment_query.h"

namespace segments::dynamodb {

bool matches(const Segment&, const SegmentQuery&);
// False where what an index holds of the segment is enough to know that it does not match.
bool may_match(const Segment& listed, const SegmentQuery&);
// Whether the filters or the order ask for what no index holds.
bool needs_whole(const SegmentQuery&);

// Numbers compare as numbers, text as bytes.
using SortKey = std::variant<double, std::int64_t, std::string>;
SortKey make_sort_key(const Segment&, SegmentOrder);
// Throws Error{invalid} for a position of another order.
SortKey parse_sort_key(const std::string&, SegmentOrder);
std::string print_sort_key(const SortKey&);

}  // namespace segments::dynamodb

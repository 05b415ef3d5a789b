// A list of segments as SQL. Rows are found by their video, or in the order in which they were created, which
// alone has an index; other orders sort what the filters leave. It serves first pages, videos, and whoever's
// library is too large to be held in memory (library.h).
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/segment_query.h"
#include "sqlite/connection.h"

namespace segments::sqlite {

std::string order_column(SegmentOrder);
std::string order_index(SegmentOrder);

using Value = std::variant<std::int64_t, double, std::string>;

struct Sql {
  std::string text;
  std::vector<Value> values;  // of its parameters, in their order

  Statement prepare(Connection&) const;  // bound to `values`, which must outlive it
};

// True when the filters are none, or only the segment's type: their count is kept and need not be made.
bool is_counted(const SegmentQuery&);
// What matches a query's filters: how many rows, and which, where they are few.
struct Matching {
  std::int64_t count = 0;
  std::vector<std::int64_t>
      few;  // their segment_ref: all of them, or none when there are more than `most_few`
};
constexpr std::size_t most_few = 500;

// The segment_ref of the rows of a video; its parameters, from `parameter` on, are what video_values() gives.
std::string select_rows_of_video(int parameter);
std::array<std::string, 3> video_values(std::string_view video_id);

// The segment_ref of every row that matches the filters.
Sql make_match(const SegmentQuery&, std::int64_t user_ref);
// The columns of the page's segments and of one more, which tells that there is a next page. Throws
// Error{invalid} when the position is not one of this order.
Sql make_page(const SegmentQuery&, std::int64_t user_ref, const Matching&);
// The position's key as its order compares it. Throws the same.
Value key_of(const SegmentPosition&, SegmentOrder);
// The filters as text: equal for queries that match the same rows.
std::string make_filter_key(const SegmentQuery&);

}  // namespace segments::sqlite

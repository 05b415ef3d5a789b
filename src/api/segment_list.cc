// GET /api/segments: the hottest route. The answer is written into one buffer, without a tree between.
#include <algorithm>
#include <iterator>

#include "api/cursor.h"
#include "api/handlers.h"
#include "api/present.h"
#include "api/segments.h"
#include "base/text.h"

namespace segments {

namespace {

constexpr std::int64_t most_rows_skipped = 1'000;
// Indexes and kept counts answer these; any further one means a look at each of the user's rows.
constexpr std::string_view unscanned_parameters[] = {"user_id", "sort_by", "order", "sort_order", "cursor"};

std::int64_t take_cursor(const Request& request, Services& services, const std::string& text,
                         SegmentQuery& query) {
  auto cursor = parse_cursor(services.settings.cursor_secret, request.user, query, text);
  if (!cursor)
    throw Error(
        ErrorKind::malformed, "The cursor was not made for this list; begin without one.",
        {{"cursor", "format", "The cursor was not made for this user, these filters and this order."}});
  query.after = std::move(cursor->after);
  return cursor->page;
}

// The same list from the cursor on.
std::string next_address(const Request& request, const Services& services, const std::string& cursor) {
  std::string address = origin_of(request, services.settings) + request.path;
  char separator = '?';
  for (const auto& [name, value] : request.query) {
    if (name == "cursor" || name == "offset" || name == "page") continue;
    // An empty tag beside another says that the other is not a list.
    if (value.empty() && name != "tags") continue;
    address += separator + percent_encode(name) + "=" + percent_encode(value);
    separator = '&';
  }
  return address + separator + "cursor=" + cursor;
}

}  // namespace

bool scans_segments(const Request& request) {
  std::int64_t page = 1, offset = 0, limit = default_page_size;
  for (const auto& [name, value] : request.query) {
    if (value.empty()) continue;
    if (name == "offset")
      offset = parse_integer(value).value_or(0);
    else if (name == "page")
      page = parse_integer(value).value_or(1);
    else if (name == "limit" || name == "page_size")
      limit = parse_integer(value).value_or(limit);
    else if (name == "segment_type" && value == name_of(SegmentType::processed))
      continue;  // nearly all are; those of the other types lie far apart
    else if (std::ranges::find(unscanned_parameters, name) == std::end(unscanned_parameters))
      return true;
  }
  // Bounded before they are multiplied: nobody has judged these numbers yet.
  page = std::clamp<std::int64_t>(page, 1, most_rows_skipped + 2);
  limit = std::clamp<std::int64_t>(limit, 1, largest_page_size);
  return offset > most_rows_skipped || (page - 1) * limit > most_rows_skipped;
}

std::string show_segments(const SegmentPage& found, std::int64_t page, std::string_view next_cursor,
                          const Request& request, Services& services) {
  std::string body;
  body.reserve(1'024 * (found.segments.size() + 1));
  TextSink out(body);
  out += "{\"segments\":[";
  for (const auto& segment : found.segments) {
    if (&segment != &found.segments.front()) out += ',';
    show_segment(out, segment, request, services);
  }
  out += "],\"total_count\":";
  encode(out, found.total_count);
  out += ",\"page\":";
  encode(out, page);
  out += ",\"page_size\":";
  encode(out, found.segments.size());
  out += ",\"next_cursor\":";
  if (found.next)
    encode_string(out, next_cursor);
  else
    out += "null";
  out += found.next ? ",\"has_more\":true}" : ",\"has_more\":false}";
  out.end();
  return body;
}

Response list_segments(const Request& request, Services& services) {
  auto filters = read_query<SegmentFilters>(request);
  auto query = make_segment_query(filters);
  std::int64_t page = query.offset / query.limit + 1;
  if (filters.cursor) page = take_cursor(request, services, *filters.cursor, query);
  auto found = services.segments.list_segments(request.user, query);

  std::string next;
  if (found.next)
    next = encode_cursor(services.settings.cursor_secret, request.user, query, {*found.next, page + 1});
  Response response = json_response(show_segments(found, page, next, request, services));
  if (found.next) response.set("Link", "<" + next_address(request, services, next) + ">; rel=\"next\"");
  response.set("Cache-Control", "private, no-cache");
  return response;
}

}  // namespace segments

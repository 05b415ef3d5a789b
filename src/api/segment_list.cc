// GET /api/segments: the hottest route. The answer is written into one buffer, without a tree between.
#include "api/cursor.h"
#include "api/handlers.h"
#include "api/present.h"
#include "api/segments.h"
#include "base/text.h"

namespace segments {

namespace {

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
    if (name == "cursor" || name == "offset" || name == "page" || value.empty()) continue;
    address += separator + percent_encode(name) + "=" + percent_encode(value);
    separator = '&';
  }
  return address + separator + "cursor=" + cursor;
}

}  // namespace

Response list_segments(const Request& request, Services& services) {
  auto filters = read_query<SegmentFilters>(request);
  auto query = make_segment_query(filters);
  std::int64_t page = query.offset / query.limit + 1;
  if (filters.cursor) page = take_cursor(request, services, *filters.cursor, query);
  auto found = services.segments.list_segments(request.user, query);

  std::string next;
  if (found.next)
    next = encode_cursor(services.settings.cursor_secret, request.user, query, {*found.next, page + 1});
  std::string body;
  body.reserve(1'024 * (found.segments.size() + 1));
  body += "{\"segments\":[";
  for (const auto& segment : found.segments) {
    if (&segment != &found.segments.front()) body += ',';
    show_segment(body, segment, request, services);
  }
  body += "],\"total_count\":";
  encode(body, found.total_count);
  body += ",\"page\":";
  encode(body, page);
  body += ",\"page_size\":";
  encode(body, found.segments.size());
  body += ",\"next_cursor\":";
  if (found.next)
    encode_string(body, next);
  else
    body += "null";
  body += found.next ? ",\"has_more\":true}" : ",\"has_more\":false}";
  Response response = json_response(std::move(body));
  if (found.next) response.set("Link", "<" + next_address(request, services, next) + ">; rel=\"next\"");
  response.set("Cache-Control", "private, no-cache");
  return response;
}

}  // namespace segments

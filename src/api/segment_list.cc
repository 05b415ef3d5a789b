// GET /api/segments: the hottest route. The answer is written into one buffer, without a tree between.
#include <algorithm>
#include <functional>
#include <iterator>

#include "api/api.h"
#include "api/cursor.h"
#include "api/handlers.h"
#include "api/present.h"
#include "api/segments.h"
#include "base/text.h"
#include "base/time.h"

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

// What follows the records.
void print_end(TextSink& out, const PrintedPage& printed, std::int64_t page, std::string_view next_cursor) {
  out += "],\"total_count\":";
  encode(out, printed.total_count);
  out += ",\"page\":";
  encode(out, page);
  out += ",\"page_size\":";
  encode(out, printed.rows);
  out += ",\"next_cursor\":";
  if (printed.next)
    encode_string(out, next_cursor);
  else
    out += "null";
  out += printed.next ? ",\"has_more\":true}" : ",\"has_more\":false}";
}

constexpr std::size_t usual_record_bytes = 1'024;

struct Listed {
  ListAnswer answer;
  std::optional<std::int64_t> revision;
  Millis steady_until = 0;
};

Listed make_list(const Request& request, Services& services) {
  auto filters = read_query<SegmentFilters>(request);
  auto query = make_segment_query(filters);
  std::int64_t page = query.offset / query.limit + 1;
  if (filters.cursor) page = take_cursor(request, services, *filters.cursor, query);

  Listed listed;
  auto& answer = listed.answer;
  answer.body.reserve(usual_record_bytes * static_cast<std::size_t>(query.limit + 1));
  TextSink out(answer.body);
  out += "{\"segments\":[";
  ThumbnailPrinter print_thumbnail(request, services);
  auto printed = services.segments.print_segments(request.user, query, out, std::ref(print_thumbnail));
  std::string next;
  if (printed.next)
    next = encode_cursor(services.settings.cursor_secret, request.user, query, {*printed.next, page + 1});
  print_end(out, printed, page, next);
  out.end();
  answer.etag = etag_of(answer.body);
  Headers headers;
  if (printed.next) headers.set("Link", "<" + next_address(request, services, next) + ">; rel=\"next\"");
  headers.set("Cache-Control", "private, no-cache");
  headers.set("ETag", answer.etag);
  answer.header_lines = headers.lines();
  listed.revision = printed.revision;
  listed.steady_until = print_thumbnail.steady_until();
  return listed;
}

Response list_response(const Request& request, const ListAnswer& answer, std::string body) {
  const bool is_known = none_match_hits(request.header("if-none-match"), answer.etag);
  Response response = json_response(is_known ? std::string() : std::move(body), is_known ? 304 : 200);
  response.headers.add_lines(answer.header_lines);
  return response;
}

// All that an answer depends on beside the store, the time and the settings.
std::string list_key(const Request& request, const Services& services) {
  std::string key = std::to_string(request.user.size());
  key.append(":").append(request.user);
  key.append(origin_of(request, services.settings)).append(" ").append(request.target);
  return key;
}

Response answer_from_store(const Request& request, Api& api, const std::string& key) {
  auto listed = make_list(request, api.services);
  // Kept under the revision of the state that was printed, which may be a later one than was asked for
  // before.
  if (listed.revision)
    api.lists.put_answer(key, *listed.revision, listed.steady_until,
                         std::make_shared<const ListAnswer>(listed.answer));
  return list_response(request, listed.answer, std::move(listed.answer.body));
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

std::string show_segments(const std::vector<Segment>& segments, const Request& request, Services& services) {
  std::string body;
  body.reserve(usual_record_bytes * (segments.size() + 1));
  TextSink out(body);
  out += "{\"segments\":[";
  ThumbnailPrinter print_thumbnail(request, services);
  const auto count = std::ssize(segments);
  print_end(out, print_page(out, {segments, count, std::nullopt}, std::ref(print_thumbnail)), 1, "");
  out.end();
  return body;
}

Response list_segments(const Request& request, Api& api) {
  auto key = list_key(request, api.services);
  if (const auto revision = api.services.segments.find_list_revision(request.user))
    if (auto kept = api.lists.find_answer(key, *revision, now_ms()))
      return list_response(request, *kept, kept->body);
  if (!scans_segments(request)) return answer_from_store(request, api, key);
  auto answer = [&request, &api, key = std::move(key)](bool) { return answer_from_store(request, api, key); };
  return later_response(Later<bool>(true).then(answer).for_who_may_wait());
}

}  // namespace segments

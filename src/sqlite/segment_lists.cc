// The verbs of SqliteSegmentStore that list segments.
#include <algorithm>
#include <chrono>
#include <utility>

#include "sqlite/binding.h"
#include "sqlite/row_json.h"
#include "sqlite/segment_queries.h"
#include "sqlite/segment_store.h"

namespace segments::sqlite {

namespace {

// Rows that may be passed by on the way to a page: an entry of an index each, or a row where its type is
// looked at.
constexpr std::int64_t most_entries_passed = 1'000;
constexpr std::int64_t most_rows_passed = 100;
// Of a type that every so many rows have, a page is met soon enough.
constexpr std::int64_t common_every = 4;

// Whether the page lies near the front of an index.
bool is_near(const SegmentQuery& query, const UserCounts& user) {
  if (!is_counted(query) || query.sort_by != SegmentOrder::created_at) return false;
  if (!query.segment_type) return query.offset <= most_entries_passed;
  return query.offset <= most_rows_passed && user.segments * common_every >= user.all;
}

void end_page(PrintedPage& page, Statement& last_row, const SegmentQuery& query) {
  Segment last;
  read_columns(last_row, 0, last);
  page.next = {sort_key_of(last, query.sort_by), std::move(last.segment_id)};
}

PrintedPage read_page(Connection& connection, const SegmentQuery& query, const Library::Found& found,
                      const TakeRow& take_row) {
  static const std::string sql =
      "SELECT " + column_names<Segment>() + " FROM \"segments\" WHERE \"segment_ref\" = ?";
  PrintedPage page{.total_count = found.count, .next = std::nullopt};
  auto select = connection.prepare(sql);
  for (auto segment_ref : found.segment_refs) {
    select.reset();
    select.with(segment_ref);
    if (!select.step()) continue;
    take_row(select);
    ++page.rows;
    if (found.has_more && segment_ref == found.segment_refs.back()) end_page(page, select, query);
  }
  return page;
}

}  // namespace

Matching SqliteSegmentStore::find_matching(Connection& connection, const SegmentQuery& query,
                                           const UserCounts& user) {
  if (is_counted(query)) return {user.segments, {}};
  const std::string key = std::to_string(user.user_ref) + make_filter_key(query);
  if (auto known = matches_.find_matching(key, user.revision)) return *known;
  auto sql = make_match(query, user.user_ref);
  auto rows = sql.prepare(connection);
  Matching matching;
  while (rows.step())
    if (++matching.count <= std::int64_t{most_few}) matching.few.push_back(rows.integer(0));
  if (matching.count > std::int64_t{most_few}) matching.few = {};
  matches_.put_matching(key, user.revision, matching);
  return matching;
}

PrintedPage SqliteSegmentStore::list_from_file(Connection& connection, const SegmentQuery& query,
                                               const UserCounts& user, const TakeRow& take_row) {
  PrintedPage page;
  const Matching matching = find_matching(connection, query, user);
  page.total_count = matching.count;
  auto sql = make_page(query, user.user_ref, matching);
  if (page.total_count == 0 || (!query.after && query.offset >= page.total_count)) return page;
  auto rows = sql.prepare(connection);
  while (rows.step()) {
    if (page.rows == query.limit) return page;  // this one only tells that there is a next page
    take_row(rows);
    if (++page.rows == query.limit) end_page(page, rows, query);
  }
  page.next.reset();
  return page;
}

PrintedPage SqliteSegmentStore::list(std::string_view user_id, const SegmentQuery& query,
                                     const TakeRow& take_row) {
  const auto type = is_counted(query) ? query.segment_type : std::nullopt;
  auto page = database_.read_snapshot([&](Connection& connection) -> std::optional<PrintedPage> {
    auto user = find_counts(connection, user_id, type);
    if (!user) return PrintedPage{.next = std::nullopt, .revision = 0};
    if (!query.video_id && !is_near(query, *user)) return std::nullopt;
    auto found = list_from_file(connection, query, *user, take_row);
    found.revision = user->revision;
    return found;
  });
  if (page) return *std::move(page);
  auto lent = libraries_.lend(std::string(user_id));
  return database_.read_snapshot([&](Connection& connection) {
    auto user = find_counts(connection, user_id, type);
    if (!user) return PrintedPage{.next = std::nullopt, .revision = 0};
    PrintedPage read;
    if (auto* library = lent.bring_up_to(connection, user->user_ref)) {
      auto found = library->find(query);
      lent.give_back();
      read = read_page(connection, query, found, take_row);
    } else {
      lent.give_back();
      read = list_from_file(connection, query, *user, take_row);
    }
    read.revision = user->revision;
    return read;
  });
}

PrintedPage SqliteSegmentStore::list_timed(std::string_view user_id, const SegmentQuery& query,
                                           const TakeRow& take_row) {
  auto begun = std::chrono::steady_clock::now();
  auto page = list(user_id, query, take_row);
  if (auto* seconds = list_seconds_[static_cast<std::size_t>(query.sort_by)])
    seconds->observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
  return page;
}

SegmentPage SqliteSegmentStore::list_segments(std::string_view user_id, const SegmentQuery& query) {
  SegmentPage page;
  auto told =
      list_timed(user_id, query, [&](Statement& row) { read_columns(row, 0, page.segments.emplace_back()); });
  page.total_count = told.total_count;
  page.next = std::move(told.next);
  return page;
}

PrintedPage SqliteSegmentStore::print_segments(std::string_view user_id, const SegmentQuery& query,
                                               TextSink& out, const PrintThumbnail& print_thumbnail) {
  bool is_first = true;
  return list_timed(user_id, query, [&](Statement& row) {
    if (!std::exchange(is_first, false)) out += ',';
    print_row(out, row, print_thumbnail);
  });
}

std::optional<std::int64_t> SqliteSegmentStore::find_list_revision(std::string_view user_id) {
  return database_.read([&](Connection& connection) { return find_revision(connection, user_id); });
}

std::vector<Segment> SqliteSegmentStore::list_video_segments(std::string_view video_id,
                                                             std::string_view user_id,
                                                             std::optional<SegmentType> type) {
  return database_.read([&](Connection& connection) {
    static const std::string sql =
        "SELECT " + column_names<Segment>() + " FROM \"segments\" WHERE \"segment_ref\" IN (" +
        select_rows_of_video(1) +
        ") AND (?4 = '' OR \"user_id\" = ?4) AND (?5 IS NULL OR \"segment_type\" = "
        "?5) ORDER BY \"segment_number\", \"segment_id\"";
    std::vector<Segment> segments;
    const auto [from, to, video] = video_values(video_id);
    auto select = connection.prepare(sql);
    select.with(from, to, video, user_id, type);
    while (select.step()) read_columns(select, 0, segments.emplace_back());
    return segments;
  });
}

}  // namespace segments::sqlite

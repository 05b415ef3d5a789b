// The verbs of SqliteSegmentStore that list segments.
#include <algorithm>
#include <chrono>

#include "sqlite/binding.h"
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

void end_page(SegmentPage& page, const SegmentQuery& query) {
  const Segment& last = page.segments.back();
  page.next = {sort_key_of(last, query.sort_by), last.segment_id};
}

SegmentPage read_page(Connection& connection, const SegmentQuery& query, const Library::Found& found) {
  static const std::string sql =
      "SELECT " + column_names<Segment>() + " FROM \"segments\" WHERE \"segment_ref\" = ?";
  SegmentPage page{.segments = {}, .total_count = found.count, .next = std::nullopt};
  page.segments.reserve(found.segment_refs.size());
  auto select = connection.prepare(sql);
  for (auto segment_ref : found.segment_refs) {
    select.reset();
    select.with(segment_ref);
    if (select.step()) read_columns(select, 0, page.segments.emplace_back());
  }
  if (found.has_more && !page.segments.empty()) end_page(page, query);
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

SegmentPage SqliteSegmentStore::list_from_file(Connection& connection, const SegmentQuery& query,
                                               const UserCounts& user) {
  SegmentPage page;
  const Matching matching = find_matching(connection, query, user);
  page.total_count = matching.count;
  auto sql = make_page(query, user.user_ref, matching);
  if (page.total_count == 0 || (!query.after && query.offset >= page.total_count)) return page;
  page.segments.reserve(static_cast<std::size_t>(std::min(query.limit, page.total_count)));
  auto rows = sql.prepare(connection);
  while (rows.step()) {
    if (std::ssize(page.segments) == query.limit) {
      end_page(page, query);
      break;
    }
    read_columns(rows, 0, page.segments.emplace_back());
  }
  return page;
}

SegmentPage SqliteSegmentStore::list(std::string_view user_id, const SegmentQuery& query) {
  const auto type = is_counted(query) ? query.segment_type : std::nullopt;
  auto page = database_.read_snapshot([&](Connection& connection) -> std::optional<SegmentPage> {
    auto user = find_counts(connection, user_id, type);
    if (!user) return SegmentPage{};
    if (!query.video_id && !is_near(query, *user)) return std::nullopt;
    return list_from_file(connection, query, *user);
  });
  if (page) return *std::move(page);
  auto lent = libraries_.lend(std::string(user_id));
  return database_.read_snapshot([&](Connection& connection) {
    auto user = find_counts(connection, user_id, type);
    if (!user) return SegmentPage{};
    if (auto* library = lent.bring_up_to(connection, user->user_ref)) {
      auto found = library->find(query);
      lent.give_back();
      return read_page(connection, query, found);
    }
    lent.give_back();
    return list_from_file(connection, query, *user);
  });
}

SegmentPage SqliteSegmentStore::list_segments(std::string_view user_id, const SegmentQuery& query) {
  auto begun = std::chrono::steady_clock::now();
  auto page = list(user_id, query);
  if (auto* seconds = list_seconds_[static_cast<std::size_t>(query.sort_by)])
    seconds->observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
  return page;
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

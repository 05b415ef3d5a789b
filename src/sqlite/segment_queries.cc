#include "sqlite/segment_queries.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "sqlite/binding.h"

namespace segments::sqlite {

namespace {

struct Filter {
  const char* before;  // of the column
  const char* column;
  const char* after;
  std::vector<Value> values;
  std::optional<SegmentOrder> range_of;  // the order whose index holds what matches side by side
};

std::vector<Filter> filters_of(const SegmentQuery& query) {
  std::vector<Filter> filters;
  auto add = [&](const char* before, const char* column, const char* after, std::vector<Value> values,
                 std::optional<SegmentOrder> range_of = std::nullopt) {
    filters.push_back({before, column, after, std::move(values), range_of});
  };
  if (query.video_id) add("", "video_id", " = ?", {*query.video_id});
  if (query.segment_type) add("", "segment_type", " = ?", {std::string(name_of(*query.segment_type))});
  if (query.min_duration) add("", "duration", " >= ?", {*query.min_duration}, SegmentOrder::duration);
  if (query.max_duration) add("", "duration", " <= ?", {*query.max_duration}, SegmentOrder::duration);
  if (query.min_downloads)
    add("", "download_count", " >= ?", {*query.min_downloads}, SegmentOrder::download_count);
  if (query.created_after) add("", "created_at", " >= ?", {*query.created_after}, SegmentOrder::created_at);
  if (query.created_before) add("", "created_at", " < ?", {*query.created_before}, SegmentOrder::created_at);
  if (query.has_social_media) add("", "platforms", *query.has_social_media ? " <> 0" : " = 0", {});
  if (query.platform)
    add("(", "platforms", " & ?) <> 0", {std::int64_t{1} << static_cast<int>(*query.platform)});
  if (!query.tags.empty()) add("has_tags(", "tags", ", ?)", {encode(query.tags)});
  if (query.search) add("matches(?, \"title\", \"description\", ", "filename", ")", {*query.search});
  return filters;
}

// A column with a + before it is not looked up in an index.
void append_filters(Sql& sql, const SegmentQuery& query, std::optional<SegmentOrder> by_index) {
  for (auto& filter : filters_of(query)) {
    bool may_use_index =
        filter.range_of ? filter.range_of == by_index : std::string_view(filter.column) == "video_id";
    sql.text.append(" AND ").append(filter.before).append(may_use_index ? "\"" : "+\"");
    sql.text.append(filter.column).append("\"").append(filter.after);
    for (auto& value : filter.values) sql.values.push_back(std::move(value));
  }
}

// The index that serves a range among the filters.
std::optional<SegmentOrder> range_of(const SegmentQuery& query) {
  for (const auto& filter : filters_of(query))
    if (filter.range_of) return filter.range_of;
  return std::nullopt;
}

// A video's rows are few: they are found by the video, whatever else is asked.
std::string from_rows_of(const SegmentQuery& query, SegmentOrder by_index) {
  if (query.video_id) return " FROM \"segments\" INDEXED BY \"segments_by_video\" WHERE +\"user_ref\" = ?";
  return " FROM \"segments\" INDEXED BY \"" + order_index(by_index) + "\" WHERE \"user_ref\" = ?";
}

// Numbers are compared as numbers: 9 stands before 10.
Value key_of(const SegmentPosition& position, SegmentOrder order) {
  std::optional<Value> key;
  switch (order) {
    case SegmentOrder::duration:
      if (auto number = parse_number(position.key)) key = *number;
      break;
    case SegmentOrder::file_size:
    case SegmentOrder::download_count:
    case SegmentOrder::segment_number:
      if (auto number = parse_integer(position.key)) key = *number;
      break;
    default:
      key = position.key;
  }
  if (!key)
    throw Error(ErrorKind::invalid, "The cursor does not belong to this order.",
                {{"cursor", "format", "The cursor does not belong to this order."}});
  return *key;
}

}  // namespace

std::string order_column(SegmentOrder order) {
  switch (order) {
    case SegmentOrder::name:
      return "name_key";
    case SegmentOrder::title:
      return "title_key";
    case SegmentOrder::filename:
      return "filename_key";
    default:
      return name_of(order);
  }
}

std::string order_index(SegmentOrder order) {
  return std::string("segments_by_") + name_of(order);
}

Statement Sql::prepare(Connection& connection) const {
  auto statement = connection.prepare(text);
  int parameter = 0;
  for (const auto& value : values) std::visit([&](const auto& v) { statement.bind(++parameter, v); }, value);
  return statement;
}

bool is_counted(const SegmentQuery& query) {
  return std::ranges::all_of(filters_of(query), [](const Filter& filter) {
    return std::string_view(filter.column) == "segment_type";
  });
}

Sql make_match(const SegmentQuery& query, std::int64_t user_ref) {
  auto range = range_of(query);
  Sql sql{"SELECT \"segment_ref\"" + from_rows_of(query, range.value_or(SegmentOrder::created_at)),
          {user_ref}};
  append_filters(sql, query, query.video_id ? std::nullopt : range);
  return sql;
}

namespace {

Sql select_matching(const SegmentQuery& query, std::int64_t user_ref, const Matching& matching,
                    std::int64_t all) {
  const std::string select = "SELECT " + column_names<Segment>();
  if (!matching.few.empty())
    return {select + " FROM \"segments\" WHERE \"segment_ref\" IN (SELECT \"value\" FROM json_each(?))",
            {encode(matching.few)}};
  auto range = range_of(query);
  // Walking the order's index visits about all / count rows for each one of the page; reading what matches by
  // the index of its range, and sorting that, visits `count`.
  bool sorts = range && matching.count * matching.count < all * query.limit;
  SegmentOrder by_index = sorts ? *range : query.sort_by;
  Sql sql{select + from_rows_of(query, by_index), {user_ref}};
  append_filters(sql, query, query.video_id ? std::nullopt : std::optional(by_index));
  return sql;
}

}  // namespace

Sql make_page(const SegmentQuery& query, std::int64_t user_ref, const Matching& matching, std::int64_t all) {
  Sql sql = select_matching(query, user_ref, matching, all);
  const std::string column = "\"" + order_column(query.sort_by) + "\"";
  if (query.after) {
    sql.text += " AND (" + column + ", \"segment_id\") " + (query.descending ? "<" : ">") + " (?, ?)";
    sql.values.push_back(key_of(*query.after, query.sort_by));
    sql.values.push_back(query.after->segment_id);
  }
  const char* direction = query.descending ? " DESC" : "";
  sql.text += " ORDER BY " + column + direction + ", \"segment_id\"" + direction + " LIMIT ? OFFSET ?";
  sql.values.push_back(query.limit + 1);
  sql.values.push_back(query.after ? std::int64_t{0} : query.offset);
  return sql;
}

std::string make_filter_key(const SegmentQuery& query) {
  std::string key;
  for (const auto& filter : filters_of(query)) {
    key.append(filter.before).append(filter.column).append(filter.after);
    for (const auto& value : filter.values) std::visit([&](const auto& v) { encode(key, v); }, value);
  }
  return key;
}

}  // namespace segments::sqlite

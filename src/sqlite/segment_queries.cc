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
};

std::vector<Filter> filters_of(const SegmentQuery& query) {
  std::vector<Filter> filters;
  auto add = [&](const char* before, const char* column, const char* after, std::vector<Value> values) {
    filters.push_back({before, column, after, std::move(values)});
  };
  if (query.segment_type) add("", "segment_type", " = ?", {std::string(name_of(*query.segment_type))});
  if (query.min_duration) add("", "duration", " >= ?", {*query.min_duration});
  if (query.max_duration) add("", "duration", " <= ?", {*query.max_duration});
  if (query.min_downloads) add("", "download_count", " >= ?", {*query.min_downloads});
  if (query.created_after) add("", "created_at", " >= ?", {*query.created_after});
  if (query.created_before) add("", "created_at", " < ?", {*query.created_before});
  if (query.has_social_media) add("", "platforms", *query.has_social_media ? " <> 0" : " = 0", {});
  if (query.platform)
    add("(", "platforms", " & ?) <> 0", {std::int64_t{1} << static_cast<int>(*query.platform)});
  if (!query.tags.empty()) add("has_tags(", "tags", ", ?)", {encode(query.tags)});
  if (query.search) add("matches(?, \"title\", \"description\", ", "filename", ")", {*query.search});
  return filters;
}

void append_filters(Sql& sql, const SegmentQuery& query) {
  for (auto& filter : filters_of(query)) {
    sql.text.append(" AND ").append(filter.before).append("\"");
    sql.text.append(filter.column).append("\"").append(filter.after);
    for (auto& value : filter.values) sql.values.push_back(std::move(value));
  }
}

// A video's rows are few: they are found by the video, whatever else is asked. A column with a + before it is
// not looked up in an index.
Sql select_from_rows(const std::string& columns, const SegmentQuery& query, std::int64_t user_ref) {
  Sql sql{"SELECT " + columns + " FROM \"segments\"", {}};
  if (query.video_id) {
    sql.text += " WHERE \"segment_ref\" IN (" + select_rows_of_video(1) + ") AND +\"user_ref\" = ?";
    for (auto& value : video_values(*query.video_id)) sql.values.push_back(value);
  } else {
    sql.text += " INDEXED BY \"" + order_index(SegmentOrder::created_at) + "\" WHERE \"user_ref\" = ?";
  }
  sql.values.push_back(user_ref);
  append_filters(sql, query);
  return sql;
}

}  // namespace

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

std::string select_rows_of_video(int parameter) {
  const std::string from = "?" + std::to_string(parameter), to = "?" + std::to_string(parameter + 1),
                    video = "?" + std::to_string(parameter + 2);
  return "SELECT \"segment_ref\" FROM \"segments\" INDEXED BY \"segments_by_id\" WHERE \"segment_id\" > " +
         from + " AND \"segment_id\" < " + to + " AND \"video_id\" = " + video +
         " UNION ALL SELECT \"segment_ref\" FROM \"segments_with_other_ids\" WHERE \"video_id\" = " + video;
}

std::array<std::string, 3> video_values(std::string_view video_id) {
  auto from = make_segment_id(video_id, "");
  auto to = from;
  ++to.back();
  return {std::move(from), std::move(to), std::string(video_id)};
}

bool is_counted(const SegmentQuery& query) {
  return !query.video_id && std::ranges::all_of(filters_of(query), [](const Filter& filter) {
    return std::string_view(filter.column) == "segment_type";
  });
}

Sql make_match(const SegmentQuery& query, std::int64_t user_ref) {
  return select_from_rows("\"segment_ref\"", query, user_ref);
}

Sql make_page(const SegmentQuery& query, std::int64_t user_ref, const Matching& matching) {
  Sql sql = select_from_rows(column_names<Segment>(), query, user_ref);
  if (!matching.few.empty())
    sql = {"SELECT " + column_names<Segment>() +
               " FROM \"segments\" WHERE \"segment_ref\" IN (SELECT \"value\" FROM json_each(?))",
           {encode(matching.few)}};
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
  std::string key = query.video_id ? encode(*query.video_id) : "";
  for (const auto& filter : filters_of(query)) {
    key.append(filter.before).append(filter.column).append(filter.after);
    for (const auto& value : filter.values) std::visit([&](const auto& v) { encode(key, v); }, value);
  }
  return key;
}

}  // namespace segments::sqlite

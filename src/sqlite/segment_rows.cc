#include "sqlite/segment_rows.h"

#include <algorithm>

#include "model/segment_query.h"
#include "sqlite/archive.h"
#include "sqlite/binding.h"
#include "sqlite/followed_posts.h"

namespace segments::sqlite {

namespace {

std::int64_t platforms_of(const Segment& segment) {
  std::int64_t platforms = 0;
  for (const auto& usage : segment.social_media_usage)
    platforms |= std::int64_t{1} << static_cast<int>(usage.platform);
  return platforms;
}

// Whether the row is found among its video's by its id alone.
bool is_named_by_video(const Segment& segment) {
  return segment.segment_id.starts_with(make_segment_id(segment.video_id, ""));
}

bool has(std::initializer_list<std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

std::optional<SegmentRow> find_row(Connection& connection, std::string_view segment_id) {
  static const std::string sql = "SELECT \"segment_ref\", \"user_ref\", \"version\", " +
                                 column_names<Segment>() + " FROM \"segments\" WHERE \"segment_id\" = ?";
  auto select = connection.prepare(sql);
  if (!select.with(segment_id).step()) return std::nullopt;
  std::optional<SegmentRow> row(std::in_place);
  row->segment_ref = select.integer(0);
  row->user_ref = select.integer(1);
  row->version = select.integer(2);
  read_columns(select, 3, row->segment);
  return row;
}

std::optional<VersionedSegment> find_versioned(Connection& connection, std::string_view segment_id) {
  static const std::string sql =
      "SELECT \"version\", " + column_names<Segment>() + " FROM \"segments\" WHERE \"segment_id\" = ?";
  auto select = connection.prepare(sql);
  std::optional<VersionedSegment> found;
  if (!select.with(segment_id).step()) return found;
  found.emplace().version = select.integer(0);
  read_columns(select, 1, found->segment);
  return found;
}

std::optional<SegmentRow> find_row_of(Connection& connection, std::string_view segment_id,
                                      std::string_view user_id) {
  auto row = find_row(connection, segment_id);
  if (row && !user_id.empty() && row->segment.user_id != user_id) row.reset();
  return row;
}

std::optional<std::int64_t> insert_row(Connection& connection, std::int64_t user_ref, std::int64_t version,
                                       const Segment& segment) {
  static const std::string sql =
      "INSERT INTO \"segments\" (\"user_ref\", \"version\", \"platforms\", \"name_key\", \"title_key\", "
      "\"filename_key\", " +
      column_names<Segment>() + ") VALUES (" + placeholders(6 + column_count<Segment>()) +
      ") ON CONFLICT (\"segment_id\") DO NOTHING";
  const std::string filename_key = sort_key_of(segment, SegmentOrder::filename);
  // The filename is the name, where there is one.
  const std::string name_key = filename_key.empty() ? sort_key_of(segment, SegmentOrder::name) : filename_key;
  const std::string title_key = sort_key_of(segment, SegmentOrder::title);
  auto insert = connection.prepare(sql);
  insert.with(user_ref, version, platforms_of(segment), name_key, title_key, filename_key);
  bind_columns(insert, 7, segment);
  if (insert.run() == 0) return std::nullopt;
  const auto segment_ref = connection.last_row_id();
  if (!is_named_by_video(segment))
    connection.run("INSERT INTO \"segments_with_other_ids\" (\"video_id\", \"segment_ref\") VALUES (?, ?)",
                   segment.video_id, segment_ref);
  return segment_ref;
}

void update_row(Connection& connection, const SegmentRow& row,
                std::initializer_list<std::string_view> members) {
  const Segment& segment = row.segment;
  const bool has_new_keys =
      has(members, "title") || has(members, "filename") || has(members, "segment_number");
  const bool has_new_posts = has(members, "social_media_usage");
  // Only what changed is named: SQLite rewrites the index of every column that an UPDATE names.
  std::string sql = "UPDATE \"segments\" SET \"version\" = ?";
  for_each_member<Segment>([&](const char* name, auto) {
    if (has(members, name)) sql.append(", \"").append(name).append("\" = ?");
  });
  if (has_new_keys) sql += ", \"name_key\" = ?, \"title_key\" = ?, \"filename_key\" = ?";
  if (has_new_posts) sql += ", \"platforms\" = ?";
  sql += " WHERE \"segment_ref\" = ?";
  const std::string name_key = sort_key_of(segment, SegmentOrder::name);
  const std::string title_key = sort_key_of(segment, SegmentOrder::title);
  const std::string filename_key = sort_key_of(segment, SegmentOrder::filename);
  auto update = connection.prepare(sql);
  int parameter = 1;
  update.bind(parameter++, row.version);
  for_each_member<Segment>([&](const char* name, auto member) {
    if (has(members, name)) bind_column(update, parameter++, segment.*member);
  });
  if (has_new_keys) {
    update.bind(parameter++, std::string_view(name_key));
    update.bind(parameter++, std::string_view(title_key));
    update.bind(parameter++, std::string_view(filename_key));
  }
  if (has_new_posts) update.bind(parameter++, platforms_of(segment));
  update.bind(parameter, row.segment_ref);
  update.run();
}

void update_posts(Connection& connection, const SegmentRow& row, bool platforms_change) {
  const Segment& segment = row.segment;
  const std::string posts = encode(segment.social_media_usage);
  // An UPDATE that names the platforms takes the row out of their index and puts it in again.
  if (platforms_change)
    connection.run(
        "UPDATE \"segments\" SET \"social_media_usage\" = ?, \"updated_at\" = ?, \"platforms\" = ? WHERE "
        "\"segment_ref\" = ?",
        posts, segment.updated_at, platforms_of(segment), row.segment_ref);
  else
    connection.run(
        "UPDATE \"segments\" SET \"social_media_usage\" = ?, \"updated_at\" = ? WHERE \"segment_ref\" = ?",
        posts, segment.updated_at, row.segment_ref);
}

void update_edited(Connection& connection, const SegmentRow& row) {
  const Segment& segment = row.segment;
  const std::string name_key = sort_key_of(segment, SegmentOrder::name);
  const std::string title_key = sort_key_of(segment, SegmentOrder::title);
  auto update = connection.prepare(
      "UPDATE \"segments\" SET \"version\" = ?, \"title\" = ?, \"description\" = ?, \"tags\" = ?, "
      "\"updated_at\" = ?, \"name_key\" = ?, \"title_key\" = ? WHERE \"segment_ref\" = ?");
  update.bind(1, row.version);
  bind_column(update, 2, segment.title);
  bind_column(update, 3, segment.description);
  bind_column(update, 4, segment.tags);
  bind_column(update, 5, segment.updated_at);
  update.bind(6, std::string_view(name_key));
  update.bind(7, std::string_view(title_key));
  update.bind(8, row.segment_ref);
  update.run();
}

void remove_row(Connection& connection, const SegmentRow& row) {
  unfollow_segment(connection, row.segment_ref);
  forget_foreign_attributes(connection, "segment", row.segment.segment_id);
  connection.run("DELETE FROM \"history\" WHERE \"segment_ref\" = ?", row.segment_ref);
  if (!is_named_by_video(row.segment))
    connection.run("DELETE FROM \"segments_with_other_ids\" WHERE \"video_id\" = ? AND \"segment_ref\" = ?",
                   row.segment.video_id, row.segment_ref);
  connection.run("DELETE FROM \"segments\" WHERE \"segment_ref\" = ?", row.segment_ref);
}

}  // namespace segments::sqlite

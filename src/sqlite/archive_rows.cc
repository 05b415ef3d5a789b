#include "sqlite/archive_rows.h"

#include <array>

#include "base/error.h"
#include "base/text.h"
#include "sqlite/archive.h"
#include "sqlite/binding.h"
#include "sqlite/change_log.h"
#include "sqlite/segment_rows.h"
#include "sqlite/users.h"

namespace segments::sqlite {
namespace {

std::string foreign_of(Connection& connection, std::string_view kind, std::string_view id) {
  auto select =
      connection.prepare("SELECT \"json\" FROM \"foreign_attributes\" WHERE \"kind\" = ? AND \"id\" = ?");
  return select.with(kind, id).step() ? std::string(select.text(0)) : "";
}

void put_foreign(Connection& connection, std::string_view kind, std::string_view id,
                 const std::string& json) {
  forget_foreign_attributes(connection, kind, id);
  if (!json.empty())
    connection.run("INSERT INTO \"foreign_attributes\" (\"kind\", \"id\", \"json\") VALUES (?, ?, ?)", kind,
                   id, json);
}

std::optional<std::string> name_of_user(Connection& connection, const char* table,
                                        std::string_view video_id) {
  auto select = connection.prepare("SELECT u.\"user_id\" FROM \"" + std::string(table) +
                                   "\" t LEFT JOIN \"users\" u ON u.\"user_ref\" = t.\"user_ref\" WHERE "
                                   "t.\"video_id\" = ?");
  if (!select.with(video_id).step() || select.is_null(0)) return std::nullopt;
  return std::string(select.text(0));
}

std::vector<FollowRecord> followed_of(Connection& connection, std::int64_t segment_ref) {
  static const std::string sql =
      "SELECT " + column_names<FollowRecord>() + " FROM \"followed_posts\" WHERE \"segment_ref\" = ?";
  std::vector<FollowRecord> followed;
  auto select = connection.prepare(sql);
  select.with(segment_ref);
  while (select.step()) read_columns(select, 0, followed.emplace_back());
  return followed;
}

SegmentRecord record_of(Connection& connection, SegmentRow&& row) {
  SegmentRecord record;
  record.version = row.version;
  record.followed = followed_of(connection, row.segment_ref);
  record.foreign = foreign_of(connection, "segment", row.segment.segment_id);
  record.segment = std::move(row.segment);
  return record;
}

// --- Pages. A cursor is the kind's number, ":", and where in the kind the page begins. ---

struct Place {
  std::size_t kind = 0;
  std::string after;  // of the kind's own making
};

Place parse_place(std::string_view cursor) {
  const auto colon = cursor.find(':');
  const auto kind = colon == std::string_view::npos ? std::nullopt : parse_integer(cursor.substr(0, colon));
  if (cursor.empty()) return {};
  if (!kind || *kind < 0 || *kind >= static_cast<std::int64_t>(record_kinds))
    throw Error(ErrorKind::invalid, "The place to go on from is not understood.");
  return {static_cast<std::size_t>(*kind), std::string(cursor.substr(colon + 1))};
}

std::int64_t number_of(std::string_view text) {
  return parse_integer(text).value_or(0);
}

void list_videos(Connection& connection, std::string& after, std::size_t limit, RecordPage& page) {
  std::vector<std::string> ids;
  {
    auto select = connection.prepare(
        "SELECT \"video_id\" FROM \"claims\" WHERE \"video_id\" > ?1 UNION SELECT \"video_id\" FROM "
        "\"videos\" WHERE \"video_id\" > ?1 UNION SELECT \"video_id\" FROM \"removed_videos\" WHERE "
        "\"video_id\" > ?1 ORDER BY 1 LIMIT ?2");
    select.with(after, limit);
    while (select.step()) ids.emplace_back(select.text(0));
  }
  for (auto& id : ids) {
    VideoRecord like;
    like.video_id = id;
    page.records.emplace_back(*find_record(connection, like));
    after = std::move(id);
  }
}

void list_segments(Connection& connection, std::string& after, std::size_t limit, RecordPage& page) {
  static const std::string sql =
      "SELECT \"segment_ref\", \"version\", " + column_names<Segment>() +
      " FROM \"segments\" WHERE \"segment_ref\" > ? ORDER BY \"segment_ref\" LIMIT ?";
  auto select = connection.prepare(sql);
  select.with(number_of(after), limit);
  while (select.step()) {
    SegmentRow row;
    row.segment_ref = select.integer(0);
    row.version = select.integer(1);
    read_columns(select, 2, row.segment);
    after = std::to_string(row.segment_ref);
    page.records.emplace_back(record_of(connection, std::move(row)));
  }
}

void list_requests(Connection& connection, std::string& after, std::size_t limit, Millis as_of,
                   RecordPage& page) {
  auto select = connection.prepare(
      "SELECT rowid, \"user_id\", \"key\", \"fingerprint\", \"expires_at\" / 1000, \"segment\" FROM "
      "\"idempotency\" WHERE rowid > ? AND \"expires_at\" / 1000 > ? ORDER BY rowid LIMIT ?");
  select.with(number_of(after), as_of / 1'000, limit);
  while (select.step()) {
    RequestRecord record;
    after = std::to_string(select.integer(0));
    record.user_id = select.text(1);
    record.key = select.text(2);
    record.fingerprint = select.text(3);
    record.expires_at_s = select.integer(4);
    read_stored(record.segment, select.text(5));
    page.records.emplace_back(std::move(record));
  }
}

void list_totals(Connection& connection, std::string& after, std::size_t limit, RecordPage& page) {
  auto select = connection.prepare(
      "SELECT \"name\", \"value\" FROM \"totals\" WHERE \"name\" > ? ORDER BY \"name\" LIMIT ?");
  select.with(after, limit);
  while (select.step()) {
    after = select.text(0);
    page.records.emplace_back(TotalRecord{after, select.integer(1)});
  }
}

// "r" is the row that is compared with those of the same segment and time.
std::string is_same_reading() {
  std::string sql = "\"platform\" = r.\"platform\" AND \"post_id\" = r.\"post_id\"";
  for_each_member<MetricsReading>([&](const char* name, auto) {
    sql.append(" AND \"").append(name).append("\" IS r.\"").append(name).append("\"");
  });
  return sql;
}

// By segment, time and id, as the index has them: a cursor is of all three.
void list_readings(Connection& connection, std::string& after, std::size_t limit, RecordPage& page) {
  static const std::string sql =
      "SELECT r.\"segment_ref\", r.\"read_at\", r.\"id\", s.\"segment_id\", r.\"platform\", r.\"post_id\", "
      "(SELECT count(*) FROM \"history\" h WHERE h.\"segment_ref\" = r.\"segment_ref\" AND h.\"read_at\" = "
      "r.\"read_at\" AND h.\"id\" < r.\"id\" AND " +
      is_same_reading() + "), " + column_names<MetricsReading>() +
      " FROM \"history\" r CROSS JOIN \"segments\" s ON s.\"segment_ref\" = r.\"segment_ref\" WHERE "
      "(r.\"segment_ref\", r.\"read_at\", r.\"id\") > (?, ?, ?) ORDER BY r.\"segment_ref\", r.\"read_at\", "
      "r.\"id\" LIMIT ?";
  const auto at = split(after, '|');
  const auto part = [&](std::size_t i) { return i < at.size() ? std::string(at[i]) : std::string(); };
  const std::string read_at = part(1);
  auto select = connection.prepare(sql);
  select.with(number_of(part(0)), read_at, number_of(part(2)), limit);
  while (select.step()) {
    ReadingRecord record;
    after = std::to_string(select.integer(0)) + "|" + std::string(select.text(1)) + "|" +
            std::to_string(select.integer(2));
    record.segment_id = select.text(3);
    read_column(select, 4, record.platform);
    record.post_id = select.text(5);
    record.repeat = select.integer(6);
    read_columns(select, 7, record.reading);
    page.records.emplace_back(std::move(record));
  }
}

std::optional<std::int64_t> ref_of_segment(Connection& connection, std::string_view segment_id) {
  auto select = connection.prepare("SELECT \"segment_ref\" FROM \"segments\" WHERE \"segment_id\" = ?");
  if (!select.with(segment_id).step()) return std::nullopt;
  return select.integer(0);
}

// The rows that are equal but for their number, the newest first.
std::vector<std::int64_t> equal_readings(Connection& connection, std::int64_t segment_ref,
                                         const ReadingRecord& record) {
  static const std::string sql = [] {
    std::string conditions;
    for_each_member<MetricsReading>(
        [&](const char* name, auto) { conditions.append(" AND \"").append(name).append("\" IS ?"); });
    return "SELECT \"id\" FROM \"history\" WHERE \"segment_ref\" = ? AND \"platform\" = ? AND \"post_id\" = "
           "?" +
           conditions + " ORDER BY \"id\" DESC";
  }();
  std::vector<std::int64_t> ids;
  auto select = connection.prepare(sql);
  select.with(segment_ref, record.platform, record.post_id);
  bind_columns(select, 4, record.reading);
  while (select.step()) ids.push_back(select.integer(0));
  return ids;
}

}  // namespace

RecordPage list_records(Connection& connection, std::string_view cursor, std::size_t limit, Millis as_of) {
  RecordPage page;
  auto [kind, after] = parse_place(cursor);
  for (; kind < record_kinds; ++kind, after.clear()) {
    const std::size_t before = page.records.size(), room = limit - before;
    switch (kind) {
      case 0:
        list_videos(connection, after, room, page);
        break;
      case 1:
        list_segments(connection, after, room, page);
        break;
      case 2:
        list_requests(connection, after, room, as_of, page);
        break;
      case 3:
        list_totals(connection, after, room, page);
        break;
      default:
        list_readings(connection, after, room, page);
        break;
    }
    if (page.records.size() < limit) continue;
    page.next = std::to_string(kind) + ":" + after;
    return page;
  }
  return page;
}

std::optional<VideoRecord> find_record(Connection& connection, const VideoRecord& like) {
  VideoRecord record;
  record.video_id = like.video_id;
  record.is_claimed = find_claim(connection, like.video_id).has_value();
  record.is_removed = is_removed(connection, like.video_id);
  if (record.is_claimed)
    record.owner = name_of_user(connection, "claims", like.video_id);
  else if (record.is_removed)
    record.owner = name_of_user(connection, "removed_videos", like.video_id);
  static const std::string sql = "SELECT coalesce(\"task_arguments\", ''), " + column_names<Video>() +
                                 " FROM \"videos\" WHERE \"video_id\" = ?";
  auto select = connection.prepare(sql);
  if (select.with(like.video_id).step()) {
    record.task_arguments = select.text(0);
    read_columns(select, 1, record.video.emplace());
  }
  record.foreign = foreign_of(connection, "video", like.video_id);
  if (!record.is_claimed && !record.is_removed && !record.video) return std::nullopt;
  return record;
}

std::optional<SegmentRecord> find_record(Connection& connection, const SegmentRecord& like) {
  auto row = find_row(connection, like.segment.segment_id);
  if (!row) return std::nullopt;
  return record_of(connection, std::move(*row));
}

std::optional<RequestRecord> find_record(Connection& connection, const RequestRecord& like) {
  auto select = connection.prepare(
      "SELECT \"fingerprint\", \"expires_at\" / 1000, \"segment\" FROM \"idempotency\" WHERE \"user_id\" = ? "
      "AND \"key\" = ?");
  if (!select.with(like.user_id, like.key).step()) return std::nullopt;
  RequestRecord record;
  record.user_id = like.user_id;
  record.key = like.key;
  record.fingerprint = select.text(0);
  record.expires_at_s = select.integer(1);
  read_stored(record.segment, select.text(2));
  return record;
}

std::optional<TotalRecord> find_record(Connection& connection, const TotalRecord& like) {
  auto select = connection.prepare("SELECT \"value\" FROM \"totals\" WHERE \"name\" = ?");
  if (!select.with(like.name).step()) return std::nullopt;
  return TotalRecord{like.name, select.integer(0)};
}

std::optional<ReadingRecord> find_record(Connection& connection, const ReadingRecord& like) {
  auto segment_ref = ref_of_segment(connection, like.segment_id);
  if (!segment_ref || std::ssize(equal_readings(connection, *segment_ref, like)) <= like.repeat)
    return std::nullopt;
  return like;
}

void put_record(Connection& connection, const VideoRecord& record) {
  remove_record(connection, record);
  const std::int64_t owner = record.owner ? find_or_make_user(connection, *record.owner) : 0;
  if (record.is_claimed)
    connection.run("INSERT INTO \"claims\" (\"video_id\", \"user_ref\") VALUES (?, ?)", record.video_id,
                   owner);
  if (record.is_removed)
    connection.run("INSERT INTO \"removed_videos\" (\"video_id\", \"user_ref\") VALUES (?, ?)",
                   record.video_id, owner);
  put_foreign(connection, "video", record.video_id, record.foreign);
  if (!record.video) return;
  static const std::string sql = "INSERT INTO \"videos\" (\"task_arguments\", " + column_names<Video>() +
                                 ") VALUES (nullif(?, ''), " + placeholders(column_count<Video>()) + ")";
  auto insert = connection.prepare(sql);
  insert.bind(1, std::string_view(record.task_arguments));
  bind_columns(insert, 2, *record.video);
  insert.run();
  count_videos(connection, find_or_make_user(connection, record.video->user_id), +1);
}

void put_record(Connection& connection, const SegmentRecord& record) {
  const Segment& segment = record.segment;
  const auto user_ref = find_or_make_user(connection, segment.user_id);
  SegmentRow row{.segment_ref = 0, .user_ref = user_ref, .version = record.version, .segment = segment};
  auto before = find_row(connection, segment.segment_id);
  // Another one that had the id: its history is not this one's.
  if (before && (before->user_ref != user_ref || before->segment.created_at != segment.created_at ||
                 before->segment.video_id != segment.video_id)) {
    remove_record(connection, record);
    before.reset();
  }
  if (before) {
    row.segment_ref = before->segment_ref;
    note_change(connection, user_ref, row.segment_ref, before->segment.segment_type, -1);
    update_row(connection, row,
               {"segment_type", "segment_number", "s3_key", "s3_url", "duration", "file_size", "content_type",
                "thumbnail_url", "created_at", "updated_at", "title", "description", "tags",
                "social_media_usage", "filename", "download_count", "last_downloaded_at"});
  } else {
    row.segment_ref = insert_row(connection, user_ref, record.version, segment).value();
  }
  note_change(connection, user_ref, row.segment_ref, segment.segment_type, +1);
  connection.run("DELETE FROM \"followed_posts\" WHERE \"segment_ref\" = ?", row.segment_ref);
  for (const auto& one : record.followed)
    connection.run(
        "INSERT INTO \"followed_posts\" (\"segment_ref\", \"platform\", \"post_id\", \"since\", \"due_at\", "
        "\"asked\") VALUES (?, ?, ?, ?, ?, ?)",
        row.segment_ref, one.platform, one.post_id, one.since, one.due_at, one.asked);
  put_foreign(connection, "segment", segment.segment_id, record.foreign);
}

void put_record(Connection& connection, const RequestRecord& record) {
  const std::string json = encode(record.segment);
  connection.run(
      "INSERT OR REPLACE INTO \"idempotency\" (\"user_id\", \"key\", \"fingerprint\", \"expires_at\", "
      "\"segment\") VALUES (?, ?, ?, ?, ?)",
      record.user_id, record.key, record.fingerprint, record.expires_at_s * 1'000, json);
}

void put_record(Connection& connection, const TotalRecord& record) {
  connection.run("INSERT OR REPLACE INTO \"totals\" (\"name\", \"value\") VALUES (?, ?)", record.name,
                 record.value);
}

void put_record(Connection& connection, const ReadingRecord& record) {
  const auto segment_ref = ref_of_segment(connection, record.segment_id);
  static const std::string sql = "INSERT INTO \"history\" (\"segment_ref\", \"platform\", \"post_id\", " +
                                 column_names<MetricsReading>() + ") VALUES (" +
                                 placeholders(3 + column_count<MetricsReading>()) + ")";
  auto insert = connection.prepare(sql);
  insert.with(*segment_ref, record.platform, record.post_id);
  bind_columns(insert, 4, record.reading);
  insert.run();
}

void remove_record(Connection& connection, const VideoRecord& record) {
  if (auto before = find_record(connection, record); before && before->video) {
    connection.run("DELETE FROM \"videos\" WHERE \"video_id\" = ?", record.video_id);
    count_videos(connection, find_or_make_user(connection, before->video->user_id), -1);
  }
  connection.run("DELETE FROM \"claims\" WHERE \"video_id\" = ?", record.video_id);
  connection.run("DELETE FROM \"removed_videos\" WHERE \"video_id\" = ?", record.video_id);
  forget_foreign_attributes(connection, "video", record.video_id);
}

void remove_record(Connection& connection, const SegmentRecord& record) {
  auto row = find_row(connection, record.segment.segment_id);
  if (!row) return;
  remove_row(connection, *row);
  note_change(connection, row->user_ref, row->segment_ref, row->segment.segment_type, -1);
}

void remove_record(Connection& connection, const RequestRecord& record) {
  connection.run("DELETE FROM \"idempotency\" WHERE \"user_id\" = ? AND \"key\" = ?", record.user_id,
                 record.key);
}

void remove_record(Connection& connection, const TotalRecord& record) {
  connection.run("DELETE FROM \"totals\" WHERE \"name\" = ?", record.name);
}

void remove_record(Connection& connection, const ReadingRecord& record) {
  auto segment_ref = ref_of_segment(connection, record.segment_id);
  if (!segment_ref) return;
  auto ids = equal_readings(connection, *segment_ref, record);
  if (std::ssize(ids) > record.repeat)
    connection.run("DELETE FROM \"history\" WHERE \"id\" = ?", ids.front());
}

bool has_no_segment(Connection& connection, const ReadingRecord& record) {
  return !ref_of_segment(connection, record.segment_id);
}

}  // namespace segments::sqlite

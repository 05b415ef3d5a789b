#include "sqlite/schema.h"

#include <string>

#include "model/segment.h"
#include "model/segment_query.h"
#include "model/video.h"
#include "sqlite/archive.h"
#include "sqlite/binding.h"
#include "sqlite/change_log.h"
#include "sqlite/followed_posts.h"
#include "sqlite/segment_queries.h"
#include "sqlite/users.h"

namespace segments::sqlite {

namespace {

// A member that a model gains later needs a step of its own that adds its column where it is missing.
void make_tables(Connection& connection) {
  std::string sql;
  // Rows name their user by a small number: every index begins with the user, and ids of users are long.
  sql +=
      "CREATE TABLE \"users\" (\"user_ref\" INTEGER PRIMARY KEY, \"user_id\" TEXT NOT NULL UNIQUE, "
      "\"revision\" INTEGER NOT NULL DEFAULT 0, \"videos\" INTEGER NOT NULL DEFAULT 0" +
      segment_count_definitions() + ");";
  sql +=
      "CREATE TABLE \"segments\" (\"segment_ref\" INTEGER PRIMARY KEY, \"user_ref\" INTEGER NOT NULL, "
      "\"version\" INTEGER NOT NULL, \"platforms\" INTEGER NOT NULL, \"name_key\" TEXT NOT NULL, "
      "\"title_key\" TEXT NOT NULL, \"filename_key\" TEXT NOT NULL, " +
      column_definitions<Segment>() + ");";
  sql += "CREATE UNIQUE INDEX \"segments_by_id\" ON \"segments\" (\"segment_id\");";
  sql +=
      "CREATE INDEX \"segments_by_video\" ON \"segments\" (\"video_id\", \"segment_number\", "
      "\"segment_id\");";
  sql +=
      "CREATE INDEX \"segments_with_posts\" ON \"segments\" (\"user_ref\", \"segment_id\") WHERE "
      "\"platforms\" <> 0;";
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<SegmentOrder>>([&](auto order) {
    sql += "CREATE INDEX \"" + order_index(order.value) + "\" ON \"segments\" (\"user_ref\", \"" +
           order_column(order.value) + "\", \"segment_id\");";
  });
  sql +=
      "CREATE TABLE \"history\" (\"id\" INTEGER PRIMARY KEY, \"segment_ref\" INTEGER NOT NULL, "
      "\"platform\" TEXT NOT NULL, \"post_id\" TEXT NOT NULL, " +
      column_definitions<MetricsReading>() + ");";
  sql += "CREATE INDEX \"history_by_segment\" ON \"history\" (\"segment_ref\", \"read_at\", \"id\");";
  sql +=
      "CREATE TABLE \"idempotency\" (\"user_id\" TEXT NOT NULL, \"key\" TEXT NOT NULL, "
      "\"fingerprint\" TEXT NOT NULL, \"expires_at\" INTEGER NOT NULL, \"segment\" TEXT NOT NULL, "
      "PRIMARY KEY (\"user_id\", \"key\"));";
  sql += "CREATE INDEX \"idempotency_by_expiry\" ON \"idempotency\" (\"expires_at\");";
  sql +=
      "CREATE TABLE \"claims\" (\"video_id\" TEXT PRIMARY KEY, \"user_ref\" INTEGER NOT NULL) WITHOUT ROWID;";
  sql += "CREATE TABLE \"videos\" (\"video_ref\" INTEGER PRIMARY KEY, \"task_arguments\" TEXT, " +
         column_definitions<Video>() + ");";
  sql += "CREATE UNIQUE INDEX \"videos_by_id\" ON \"videos\" (\"video_id\");";
  sql += "CREATE INDEX \"videos_by_date\" ON \"videos\" (\"upload_date\", \"video_id\");";
  sql += "CREATE INDEX \"videos_by_user\" ON \"videos\" (\"user_id\", \"upload_date\", \"video_id\");";
  sql +=
      "CREATE INDEX \"videos_waiting\" ON \"videos\" (\"video_id\") WHERE \"status\" = 'QUEUED' AND "
      "\"task_arguments\" IS NOT NULL;";
  sql +=
      "CREATE TABLE \"removed_videos\" (\"video_id\" TEXT PRIMARY KEY, \"at\" INTEGER NOT NULL) WITHOUT "
      "ROWID;";
  sql += "CREATE INDEX \"removed_videos_by_time\" ON \"removed_videos\" (\"at\");";
  sql +=
      "CREATE TABLE \"video_count\" (\"id\" INTEGER PRIMARY KEY CHECK (\"id\" = 1), \"videos\" INTEGER NOT "
      "NULL);";
  sql += "INSERT INTO \"video_count\" VALUES (1, 0);";
  // AUTOINCREMENT: the id of a removed event is never given again, so that a reader's position stays true.
  sql +=
      "CREATE TABLE \"events\" (\"id\" INTEGER PRIMARY KEY AUTOINCREMENT, \"user_ref\" INTEGER NOT NULL, "
      "\"at\" INTEGER NOT NULL, \"type\" TEXT NOT NULL, \"job_id\" TEXT, \"data\" TEXT NOT NULL);";
  sql += "CREATE INDEX \"events_by_user\" ON \"events\" (\"user_ref\");";
  sql += "CREATE INDEX \"events_by_job\" ON \"events\" (\"job_id\") WHERE \"job_id\" IS NOT NULL;";
  sql += "CREATE TABLE \"totals\" (\"name\" TEXT PRIMARY KEY, \"value\" INTEGER NOT NULL) WITHOUT ROWID;";
  connection.run_script(sql);
}

// A removed video's id stays its owner's. Where a removal was noted without one, the claim tells it (the
// removal was not done yet) or the events of the job do. An owner nobody knows is 0: the id is refused to
// everybody, since whoever asks for it now may be anyone, and a new upload costs its user nothing but another
// id.
void keep_owners_of_removed_videos(Connection& connection) {
  connection.run_script(
      "CREATE TABLE \"owned_removals\" (\"video_id\" TEXT PRIMARY KEY, \"user_ref\" INTEGER NOT NULL) "
      "WITHOUT ROWID;"
      "INSERT INTO \"owned_removals\" SELECT r.\"video_id\", coalesce("
      "(SELECT \"user_ref\" FROM \"claims\" WHERE \"video_id\" = r.\"video_id\"), "
      "(SELECT \"user_ref\" FROM \"events\" WHERE \"job_id\" = r.\"video_id\" ORDER BY \"id\" DESC LIMIT 1), "
      "0) FROM \"removed_videos\" r;"
      "DROP TABLE \"removed_videos\";"
      "ALTER TABLE \"owned_removals\" RENAME TO \"removed_videos\";");
}

// Every row stood in eleven indexes, and each of them cost a creation as much as the row. What lists sort and
// filter by is held in memory where it is asked for (library.h). The ids that this program gives begin with
// their video's; those of any other form are named in a table of their own.
void find_by_fewer_indexes(Connection& connection) {
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<SegmentOrder>>([&](auto order) {
    if (order.value != SegmentOrder::created_at)
      connection.run_script("DROP INDEX IF EXISTS \"" + order_index(order.value) + "\"");
  });
  connection.run_script(
      "CREATE TABLE \"segments_with_other_ids\" (\"video_id\" TEXT NOT NULL, \"segment_ref\" INTEGER NOT "
      "NULL, "
      "PRIMARY KEY (\"video_id\", \"segment_ref\")) WITHOUT ROWID;"
      "INSERT INTO \"segments_with_other_ids\" SELECT \"video_id\", \"segment_ref\" FROM \"segments\" WHERE "
      "substr(\"segment_id\", 1, length(\"video_id\") + 5) <> 'seg_' || \"video_id\" || '_';"
      "DROP INDEX IF EXISTS \"segments_by_video\";");
}

}  // namespace

const Schema& store_schema() {
  static const Schema schema{.application_id = 0x5365676d,
                             .steps = {make_tables, keep_owners_of_removed_videos, make_followed_posts,
                                       make_archive_tables, make_change_log, find_by_fewer_indexes}};
  return schema;
}

}  // namespace segments::sqlite

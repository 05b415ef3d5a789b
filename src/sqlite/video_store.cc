#include "sqlite/video_store.h"

#include <algorithm>

#include "base/time.h"
#include "sqlite/archive.h"
#include "sqlite/binding.h"
#include "sqlite/event_log.h"
#include "sqlite/users.h"
#include "store/job_event.h"

namespace segments::sqlite {

namespace {

std::optional<Video> find_video_row(Connection& connection, std::string_view video_id) {
  static const std::string sql =
      "SELECT " + column_names<Video>() + " FROM \"videos\" WHERE \"video_id\" = ?";
  auto select = connection.prepare(sql);
  if (!select.with(video_id).step()) return std::nullopt;
  std::optional<Video> video(std::in_place);
  read_columns(select, 0, *video);
  return video;
}

std::int64_t count_all(Connection& connection, const std::optional<std::string>& user_id) {
  if (!user_id) return connection.find_integer("SELECT \"videos\" FROM \"video_count\"").value_or(0);
  auto select = connection.prepare("SELECT \"videos\" FROM \"users\" WHERE \"user_id\" = ?");
  return select.with(*user_id).step() ? select.integer(0) : 0;
}

// Kept for good: what was promised under the id, as an address that takes its bytes or a task that still
// runs, must never reach another user, and neither must objects that nobody was left to remove.
void note_removal(Connection& connection, std::string_view video_id) {
  connection.run(
      "INSERT INTO \"removed_videos\" (\"video_id\", \"user_ref\") SELECT \"video_id\", \"user_ref\" FROM "
      "\"claims\" WHERE \"video_id\" = ? ON CONFLICT (\"video_id\") DO UPDATE SET \"user_ref\" = "
      "excluded.\"user_ref\"",
      video_id);
}

void forget_removal(Connection& connection, std::string_view video_id) {
  connection.run("DELETE FROM \"removed_videos\" WHERE \"video_id\" = ?", video_id);
}

}  // namespace

bool SqliteVideoStore::claim_video(std::string_view video_id, std::string_view user_id, bool take_over) {
  return database_.write([&](Connection& connection) {
    auto user_ref = find_or_make_user(connection, user_id);
    bool is_owner = claim(connection, video_id, user_ref);
    if (!is_owner && (!take_over || find_video_row(connection, video_id))) return false;
    forget_removal(connection, video_id);
    if (is_owner) return true;
    connection.run("INSERT OR REPLACE INTO \"claims\" (\"video_id\", \"user_ref\") VALUES (?, ?)", video_id,
                   user_ref);
    return true;
  });
}

std::optional<std::string> SqliteVideoStore::find_owner(std::string_view video_id) {
  return database_.read([&](Connection& connection) -> std::optional<std::string> {
    auto select = connection.prepare(
        "SELECT u.\"user_id\" FROM \"claims\" c JOIN \"users\" u ON u.\"user_ref\" = c.\"user_ref\" WHERE "
        "c.\"video_id\" = ?");
    if (!select.with(video_id).step()) return std::nullopt;
    return std::string(select.text(0));
  });
}

std::optional<Video> SqliteVideoStore::find_video(std::string_view video_id) {
  return database_.read([&](Connection& connection) { return find_video_row(connection, video_id); });
}

bool SqliteVideoStore::create_video(const Video& video, std::string_view task_arguments) {
  return database_.write([&](Connection& connection) {
    auto owner = find_claim(connection, video.video_id);
    auto user_ref = find_or_make_user(connection, video.user_id);
    if (owner ? *owner != user_ref : !is_free_for(connection, video.video_id, user_ref)) return false;
    static const std::string sql = "INSERT INTO \"videos\" (\"task_arguments\", " + column_names<Video>() +
                                   ") VALUES (nullif(?, ''), " + placeholders(column_count<Video>()) +
                                   ") ON CONFLICT (\"video_id\") DO NOTHING";
    auto insert = connection.prepare(sql);
    insert.bind(1, task_arguments);
    bind_columns(insert, 2, video);
    if (insert.run() == 0) return false;
    forget_removal(connection, video.video_id);
    if (!owner) claim(connection, video.video_id, user_ref);
    count_videos(connection, user_ref, +1);
    return true;
  });
}

std::vector<WaitingVideo> SqliteVideoStore::list_waiting_videos(Millis before, std::string_view after,
                                                                std::size_t limit) {
  return database_.read([&](Connection& connection) {
    std::vector<WaitingVideo> videos;
    auto select = connection.prepare(
        "SELECT \"video_id\", \"user_id\", \"task_arguments\" FROM \"videos\" INDEXED BY \"videos_waiting\" "
        "WHERE \"status\" = 'QUEUED' AND \"task_arguments\" IS NOT NULL AND \"video_id\" > ? AND "
        "\"upload_date\" < ? ORDER BY \"video_id\" LIMIT ?");
    const std::string time = format_time(before);
    select.with(after, time, limit);
    while (select.step())
      videos.push_back(
          {std::string(select.text(0)), std::string(select.text(1)), std::string(select.text(2))});
    return videos;
  });
}

VideoPage SqliteVideoStore::list_videos(const std::optional<std::string>& user_id, std::int64_t limit,
                                        std::int64_t offset) {
  return database_.read_snapshot([&](Connection& connection) {
    VideoPage page;
    page.total_count = count_all(connection, user_id);
    const std::string sql = "SELECT " + column_names<Video>() + " FROM \"videos\" INDEXED BY " +
                            (user_id ? "\"videos_by_user\" WHERE \"user_id\" = ?3" : "\"videos_by_date\"") +
                            " ORDER BY \"upload_date\" DESC, \"video_id\" DESC LIMIT ?1 OFFSET ?2";
    auto select = connection.prepare(sql);
    select.with(limit, offset);
    if (user_id) select.bind(3, std::string_view(*user_id));
    while (select.step()) read_columns(select, 0, page.videos.emplace_back());
    return page;
  });
}

void SqliteVideoStore::begin_removal(std::string_view video_id) {
  database_.write([&](Connection& connection) { note_removal(connection, video_id); });
}

bool SqliteVideoStore::remove_video(std::string_view video_id) {
  return database_.write([&](Connection& connection) {
    note_removal(connection, video_id);
    auto video = find_video_row(connection, video_id);
    if (!video) return false;
    connection.run("DELETE FROM \"videos\" WHERE \"video_id\" = ?", video_id);
    connection.run("DELETE FROM \"claims\" WHERE \"video_id\" = ?", video_id);
    forget_foreign_attributes(connection, "video", video_id);
    count_videos(connection, find_or_make_user(connection, video->user_id), -1);
    return true;
  });
}

bool SqliteVideoStore::put_progress(const JobProgress& wanted, bool restart) {
  return database_.write([&](Connection& connection) {
    auto video = find_video_row(connection, wanted.job_id);
    auto step = video ? next_step(*video, wanted, restart) : std::nullopt;
    if (!step) return false;
    const JobProgress& progress = step->progress;
    connection.run(
        "UPDATE \"videos\" SET \"status\" = ?, \"progress\" = ?, \"stage\" = ?, \"message\" = ?, "
        "\"error_message\" = ?, \"updated_at\" = ? WHERE \"video_id\" = ?",
        step->status, progress.progress_percentage, progress.stage, progress.message, step->error_message,
        progress.timestamp, progress.job_id);
    append_event(connection, find_or_make_user(connection, video->user_id),
                 make_job_event(video->user_id, *step, now_ms()));
    return true;
  });
}

bool SqliteVideoStore::update_video(std::string_view video_id, std::optional<double> duration,
                                    const std::optional<std::vector<std::string>>& output_keys,
                                    const std::optional<std::string>& task_id) {
  return database_.write([&](Connection& connection) {
    std::optional<std::string> keys;
    if (output_keys) keys = encode(*output_keys);
    return connection.run(
               "UPDATE \"videos\" SET \"duration\" = coalesce(?, \"duration\"), "
               "\"output_s3_urls\" = coalesce(?, \"output_s3_urls\"), \"task_id\" = coalesce(?, "
               "\"task_id\"), "
               "\"updated_at\" = ? WHERE \"video_id\" = ?",
               duration, keys, task_id, now_text(), video_id) == 1;
  });
}

}  // namespace segments::sqlite

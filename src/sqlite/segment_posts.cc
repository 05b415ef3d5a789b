// The verbs of SqliteSegmentStore that concern posts on social media and their counts.
#include <algorithm>

#include "base/time.h"
#include "model/following.h"
#include "sqlite/binding.h"
#include "sqlite/change_log.h"
#include "sqlite/event_log.h"
#include "sqlite/followed_posts.h"
#include "sqlite/segment_store.h"
#include "sqlite/users.h"
#include "store/segment_event.h"

namespace segments::sqlite {

namespace {

void insert_reading(Connection& connection, std::int64_t segment_ref, SocialMediaPlatform platform,
                    std::string_view post_id, const MetricsReading& reading) {
  static const std::string sql = "INSERT INTO \"history\" (\"segment_ref\", \"platform\", \"post_id\", " +
                                 column_names<MetricsReading>() + ") VALUES (" +
                                 placeholders(3 + column_count<MetricsReading>()) + ")";
  auto insert = connection.prepare(sql);
  insert.with(segment_ref, platform, post_id);
  bind_columns(insert, 4, reading);
  insert.run();
}

// Posts are what a listing filters by, and they belong to what its reader sees as the segment's state.
void put_posts(Connection& connection, SegmentRow& row, bool platforms_change) {
  row.segment.updated_at = now_text();
  update_posts(connection, row, platforms_change);
  note_change(connection, row.user_ref, row.segment_ref);
  note_segment_event(connection, row, "segment.updated");
}

// What was not known of the post until now. False when there is nothing new.
bool fill_in(SocialMediaUsage& post, const SocialMediaUsage& given) {
  bool is_new = (!post.post_url && given.post_url) || (!post.posted_at && given.posted_at);
  if (!post.post_url) post.post_url = given.post_url;
  if (!post.posted_at) post.posted_at = given.posted_at;
  return is_new;
}

LinkedPost link_in(Connection& connection, std::string_view segment_id, std::string_view user_id,
                   const SocialMediaUsage& usage, const SegmentCheck& check) {
  auto row = find_row_of(connection, segment_id, user_id);
  if (!row) return {};
  if (check) check(row->segment);
  auto& posts = row->segment.social_media_usage;
  auto linked = std::ranges::find_if(posts, [&](const auto& post) {
    return post.platform == usage.platform && post.post_id == usage.post_id;
  });
  const bool is_new = linked == posts.end();
  const bool is_on_platform =
      std::ranges::find(posts, usage.platform, &SocialMediaUsage::platform) != posts.end();
  if (is_new) linked = posts.insert(posts.end(), usage);
  if (is_new || fill_in(*linked, usage)) {
    put_posts(connection, *row, !is_on_platform);
    follow_linked(connection, *row, *linked, is_new);
  }
  return {is_new ? LinkOutcome::linked : LinkOutcome::already_linked,
          {std::move(row->segment), row->version}};
}

}  // namespace

LinkOutcome SqliteSegmentStore::link_post(std::string_view segment_id, std::string_view user_id,
                                          const SocialMediaUsage& usage) {
  return database_
      .write([&](Connection& connection) { return link_in(connection, segment_id, user_id, usage, nullptr); })
      .outcome;
}

Later<LinkedPost> SqliteSegmentStore::link_post_later(std::string segment_id, std::string user_id,
                                                      SocialMediaUsage usage, SegmentCheck check) {
  return database_.write_later([segment_id = std::move(segment_id), user_id = std::move(user_id),
                                usage = std::move(usage), check = std::move(check)](Connection& connection) {
    return link_in(connection, segment_id, user_id, usage, check);
  });
}

std::int64_t SqliteSegmentStore::unlink_posts(std::string_view segment_id, std::string_view user_id,
                                              SocialMediaPlatform platform,
                                              std::optional<std::string_view> post_id) {
  return database_.write([&](Connection& connection) -> std::int64_t {
    auto row = find_row_of(connection, segment_id, user_id);
    if (!row) return 0;
    auto removed = std::erase_if(row->segment.social_media_usage, [&](const auto& post) {
      return post.platform == platform && (!post_id || post.post_id == *post_id);
    });
    if (removed > 0) {
      put_posts(connection, *row, true);
      follow_posts(connection, *row);
    }
    return static_cast<std::int64_t>(removed);
  });
}

bool SqliteSegmentStore::add_reading(std::string_view segment_id, SocialMediaPlatform platform,
                                     std::string_view post_id, const MetricsReading& reading) {
  return database_.write([&](Connection& connection) {
    auto row = find_row(connection, segment_id);
    if (!row) return false;
    auto& posts = row->segment.social_media_usage;
    auto post = std::ranges::find_if(
        posts, [&](const auto& p) { return p.platform == platform && p.post_id == post_id; });
    if (post == posts.end()) return false;
    insert_reading(connection, row->segment_ref, platform, post_id, reading);
    if (post->last_synced && reading.read_at < *post->last_synced) return true;
    apply_reading(*post, reading);
    update_row(connection, *row, {"social_media_usage"});
    note_shown(connection, row->user_ref);
    follow_reading(connection, *row, *post, parse_time(reading.read_at).value_or(now_ms()));
    note_event(connection, row->user_ref,
               make_synced_event(row->segment, platform, post_id, reading, now_ms()));
    return true;
  });
}

std::vector<HistoryEntry> SqliteSegmentStore::list_history(std::string_view segment_id, std::size_t limit) {
  return database_.read([&](Connection& connection) {
    // The newest ones are what a bounded answer should hold; they are given oldest first.
    static const std::string sql = "SELECT \"platform\", \"post_id\", " + column_names<MetricsReading>() +
                                   " FROM \"history\" WHERE \"segment_ref\" = (SELECT \"segment_ref\" FROM "
                                   "\"segments\" WHERE \"segment_id\" = ?) "
                                   "ORDER BY \"read_at\" DESC, \"id\" DESC LIMIT ?";
    std::vector<HistoryEntry> entries;
    auto select = connection.prepare(sql);
    select.with(segment_id, limit);
    while (select.step()) {
      auto& entry = entries.emplace_back();
      read_column(select, 0, entry.platform);
      read_column(select, 1, entry.post_id);
      read_columns(select, 2, entry.reading);
    }
    std::ranges::reverse(entries);
    return entries;
  });
}

std::vector<Segment> SqliteSegmentStore::list_segments_with_posts(
    std::string_view user_id, const std::vector<SocialMediaPlatform>& platforms, std::string_view after,
    std::size_t limit) {
  std::int64_t wanted = platforms.empty() ? -1 : 0;
  for (auto platform : platforms) wanted |= std::int64_t{1} << static_cast<int>(platform);
  return database_.read_snapshot([&](Connection& connection) {
    std::vector<Segment> segments;
    auto user_ref = find_user(connection, user_id);
    if (!user_ref) return segments;
    static const std::string sql =
        "SELECT " + column_names<Segment>() +
        " FROM \"segments\" INDEXED BY \"segments_with_posts\" WHERE \"user_ref\" = ? AND \"segment_id\" > ? "
        "AND "
        "\"platforms\" <> 0 AND (\"platforms\" & ?) <> 0 ORDER BY \"segment_id\" LIMIT ?";
    auto select = connection.prepare(sql);
    select.with(*user_ref, after, wanted, limit);
    while (select.step()) read_columns(select, 0, segments.emplace_back());
    return segments;
  });
}

std::vector<DuePost> SqliteSegmentStore::list_due_posts(Millis now, std::size_t limit) {
  return database_.read_snapshot(
      [&](Connection& connection) { return sqlite::list_due_posts(connection, now, limit); });
}

void SqliteSegmentStore::put_off_posts(std::span<const DuePost> posts, Millis now) {
  if (posts.empty()) return;
  database_.write([&](Connection& connection) {
    for (const auto& post : posts) put_off_post(connection, post, next_attempt_at(post.asked + 1, now));
  });
}

}  // namespace segments::sqlite

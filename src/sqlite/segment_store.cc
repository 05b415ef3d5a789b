#include "sqlite/segment_store.h"

#include "base/error.h"
#include "base/time.h"
#include "sqlite/binding.h"
#include "sqlite/change_log.h"
#include "sqlite/event_log.h"
#include "sqlite/followed_posts.h"
#include "sqlite/idempotency.h"
#include "sqlite/users.h"
#include "store/segment_event.h"

namespace segments::sqlite {

namespace {

void check_version(const SegmentRow& row, std::optional<std::int64_t> if_version) {
  if (if_version && *if_version != row.version)
    throw Error(ErrorKind::precondition_failed, "The segment was changed by somebody else meanwhile.");
}

constexpr std::int64_t first_version = 1;

// False when its id is taken.
bool create_row(Connection& connection, const Segment& segment, std::int64_t user_ref) {
  const auto segment_ref = insert_row(connection, user_ref, first_version, segment);
  if (!segment_ref) return false;
  if (!segment.social_media_usage.empty())
    follow_posts(connection, {*segment_ref, user_ref, first_version, segment});
  note_change(connection, user_ref, *segment_ref, segment.segment_type, +1);
  note_segment_event(connection, user_ref, segment, "segment.created");
  return true;
}

// What came of it; who asked for it has the segment, unless another one was kept for the same request.
struct Creation {
  CreateOutcome::Kind kind;
  std::optional<Segment> kept = std::nullopt;
};

Creation create_in(Connection& connection, const Segment& segment, const std::optional<IdempotencyKey>& key) {
  using Kind = CreateOutcome::Kind;
  if (key) {
    if (auto kept = find_kept_request(connection, *key, now_ms())) {
      if (kept->fingerprint != key->fingerprint) return {Kind::other_request};
      return {Kind::replayed, std::move(kept->segment)};
    }
  }
  // Nothing is written before both conflicts are ruled out: an outcome other than `created` leaves no
  // trace.
  auto owner = find_claim(connection, segment.video_id);
  auto user_ref = find_user(connection, segment.user_id);
  bool is_foreign = owner ? owner != user_ref : !is_free_for(connection, segment.video_id, user_ref);
  if (is_foreign) return {Kind::foreign_video};
  if (!user_ref) user_ref = find_or_make_user(connection, segment.user_id);
  if (!create_row(connection, segment, *user_ref)) return {Kind::taken};
  if (!owner) claim_free(connection, segment.video_id, *user_ref);
  if (key) keep_request(connection, *key, segment, now_ms());
  return {Kind::created};
}

CreateOutcome outcome_of(Creation&& creation, Segment&& segment) {
  CreateOutcome outcome{.kind = creation.kind, .segment = {}};
  if (creation.kind == CreateOutcome::Kind::created) outcome.segment = {std::move(segment), first_version};
  if (creation.kind == CreateOutcome::Kind::replayed)
    outcome.segment = {std::move(*creation.kept), first_version};
  return outcome;
}

std::optional<VersionedSegment> update_in(Connection& connection, std::string_view segment_id,
                                          std::string_view user_id, std::optional<std::int64_t> if_version,
                                          const std::function<void(Segment&)>& change,
                                          std::string_view updated_at) {
  auto row = find_row_of(connection, segment_id, user_id);
  if (!row) return std::nullopt;
  check_version(*row, if_version);
  // What else it may have changed goes with the copy.
  Segment& stored = row->segment;
  Segment edited;
  edited.title = std::move(stored.title);
  edited.description = std::move(stored.description);
  edited.tags = std::move(stored.tags);
  change(edited);
  stored.title = std::move(edited.title);
  stored.description = std::move(edited.description);
  stored.tags = std::move(edited.tags);
  stored.updated_at = updated_at;
  row->version += 1;
  update_edited(connection, *row);
  note_change(connection, row->user_ref, row->segment_ref);
  note_segment_event(connection, *row, "segment.updated");
  return VersionedSegment{std::move(row->segment), row->version};
}

std::optional<Segment> count_download_in(Connection& connection, std::string_view segment_id,
                                         std::string_view user_id, std::string_view at,
                                         const SegmentCheck& check) {
  auto row = find_row_of(connection, segment_id, user_id);
  if (!row) return std::nullopt;
  if (check) check(row->segment);
  row->segment.download_count += 1;
  row->segment.last_downloaded_at = at;
  connection.run(
      "UPDATE \"segments\" SET \"download_count\" = ?, \"last_downloaded_at\" = ? WHERE \"segment_ref\" = ?",
      row->segment.download_count, at, row->segment_ref);
  note_change(connection, row->user_ref, row->segment_ref);
  return std::move(row->segment);
}

}  // namespace

void note_segment_event(Connection& connection, std::int64_t user_ref, const Segment& segment,
                        const char* type) {
  note_event(connection, user_ref, make_segment_event(segment, type, now_ms()));
}

SqliteSegmentStore::SqliteSegmentStore(Database& database, std::size_t library_bytes, Metrics* metrics)
    : database_(database), libraries_(library_bytes) {
  if (!metrics) return;
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<SegmentOrder>>([&](auto order) {
    list_seconds_[static_cast<std::size_t>(order.value)] =
        &metrics->histogram("segments_store_list_seconds", "Lists of segments by the index of their order",
                            {{"index", order.name}});
  });
}

std::optional<VersionedSegment> SqliteSegmentStore::find_segment(std::string_view segment_id) {
  return database_.read([&](Connection& connection) { return find_versioned(connection, segment_id); });
}

CreateOutcome SqliteSegmentStore::create_segment(const Segment& segment,
                                                 const std::optional<IdempotencyKey>& key) {
  auto creation =
      database_.write([&](Connection& connection) { return create_in(connection, segment, key); });
  return outcome_of(std::move(creation), Segment(segment));
}

Later<CreateOutcome> SqliteSegmentStore::create_segment_later(Segment segment,
                                                              std::optional<IdempotencyKey> key) {
  // The writer's thread only reads it: what is allocated here is freed here.
  auto kept = std::make_shared<Segment>(std::move(segment));
  auto creating = database_.write_later(
      [kept, key = std::move(key)](Connection& connection) { return create_in(connection, *kept, key); });
  return std::move(creating).then(
      [kept](Creation&& creation) { return outcome_of(std::move(creation), std::move(*kept)); });
}

MediaOutcome SqliteSegmentStore::put_segment_from_media(const Segment& segment) {
  return database_.write([&](Connection& connection) -> MediaOutcome {
    if (is_removed(connection, segment.video_id)) return MediaOutcome::removed;
    auto row = find_row(connection, segment.segment_id);
    if (row && row->segment.user_id != segment.user_id) return MediaOutcome::foreign_video;
    auto user_ref = find_or_make_user(connection, segment.user_id);
    if (!claim(connection, segment.video_id, user_ref)) return MediaOutcome::foreign_video;
    if (!row) {
      create_row(connection, segment, user_ref);
      return MediaOutcome::changed;
    }
    const SegmentType type_before = row->segment.segment_type;
    if (!take_media(row->segment, segment)) return MediaOutcome::unchanged;
    row->version += 1;
    row->segment.updated_at = segment.updated_at;
    update_row(connection, *row,
               {"segment_type", "segment_number", "s3_key", "s3_url", "duration", "file_size", "content_type",
                "thumbnail_url", "filename", "updated_at"});
    note_change(connection, user_ref, row->segment_ref, type_before, -1);
    note_change(connection, user_ref, row->segment_ref, segment.segment_type, +1);
    note_segment_event(connection, *row, "segment.updated");
    return MediaOutcome::changed;
  });
}

std::optional<VersionedSegment> SqliteSegmentStore::update_segment(
    std::string_view segment_id, std::string_view user_id, std::optional<std::int64_t> if_version,
    const std::function<void(Segment&)>& change, std::string_view updated_at) {
  return database_.write([&](Connection& connection) {
    return update_in(connection, segment_id, user_id, if_version, change, updated_at);
  });
}

Later<std::optional<VersionedSegment>> SqliteSegmentStore::update_segment_later(
    std::string segment_id, std::string user_id, std::optional<std::int64_t> if_version,
    std::function<void(Segment&)> change, std::string updated_at) {
  return database_.write_later([segment_id = std::move(segment_id), user_id = std::move(user_id), if_version,
                                change = std::move(change),
                                updated_at = std::move(updated_at)](Connection& connection) {
    return update_in(connection, segment_id, user_id, if_version, change, updated_at);
  });
}

std::optional<Segment> SqliteSegmentStore::remove_segment(std::string_view segment_id,
                                                          std::string_view user_id,
                                                          std::optional<std::int64_t> if_version) {
  return database_.write([&](Connection& connection) -> std::optional<Segment> {
    auto row = find_row_of(connection, segment_id, user_id);
    if (!row) return std::nullopt;
    check_version(*row, if_version);
    remove_row(connection, *row);
    note_change(connection, row->user_ref, row->segment_ref, row->segment.segment_type, -1);
    note_segment_event(connection, *row, "segment.deleted");
    return std::move(row->segment);
  });
}

std::optional<std::int64_t> SqliteSegmentStore::count_download(std::string_view segment_id,
                                                               std::string_view user_id,
                                                               std::string_view at) {
  auto counted = database_.write([&](Connection& connection) {
    return count_download_in(connection, segment_id, user_id, at, nullptr);
  });
  return counted ? std::optional(counted->download_count) : std::nullopt;
}

Later<std::optional<Segment>> SqliteSegmentStore::count_download_later(std::string segment_id,
                                                                       std::string user_id, std::string at,
                                                                       SegmentCheck check) {
  return database_.write_later([segment_id = std::move(segment_id), user_id = std::move(user_id),
                                at = std::move(at), check = std::move(check)](Connection& connection) {
    return count_download_in(connection, segment_id, user_id, at, check);
  });
}

}  // namespace segments::sqlite

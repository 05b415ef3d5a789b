// Segments in SQLite.
#pragma once

#include <array>

#include "base/metrics.h"
#include "sqlite/database.h"
#include "sqlite/library_shelf.h"
#include "sqlite/match_cache.h"
#include "sqlite/segment_rows.h"
#include "sqlite/users.h"
#include "store/segment_store.h"

namespace segments::sqlite {

// Takes a page's rows one by one; their columns are those of column_names<Segment>().
using TakeRow = std::function<void(Statement&)>;

class SqliteSegmentStore : public SegmentStore {
 public:
  // `library_bytes`: for what lists sort and filter by; a user who has more is served from the file alone.
  SqliteSegmentStore(Database&, std::size_t library_bytes, Metrics*);

  std::optional<VersionedSegment> find_segment(std::string_view segment_id) override;
  CreateOutcome create_segment(const Segment&, const std::optional<IdempotencyKey>&) override;
  MediaOutcome put_segment_from_media(const Segment&) override;
  std::optional<VersionedSegment> update_segment(std::string_view segment_id, std::string_view user_id,
                                                 std::optional<std::int64_t> if_version,
                                                 const std::function<void(Segment&)>& change,
                                                 std::string_view updated_at) override;
  std::optional<Segment> remove_segment(std::string_view segment_id, std::string_view user_id,
                                        std::optional<std::int64_t> if_version) override;
  SegmentPage list_segments(std::string_view user_id, const SegmentQuery&) override;
  PrintedPage print_segments(std::string_view user_id, const SegmentQuery&, TextSink& out,
                             const PrintThumbnail&) override;
  std::optional<std::int64_t> find_list_revision(std::string_view user_id) override;
  std::vector<Segment> list_video_segments(std::string_view video_id, std::string_view user_id,
                                           std::optional<SegmentType>) override;
  std::optional<std::int64_t> count_download(std::string_view segment_id, std::string_view user_id,
                                             std::string_view at) override;
  Later<CreateOutcome> create_segment_later(Segment, std::optional<IdempotencyKey>) override;
  Later<std::optional<VersionedSegment>> update_segment_later(std::string segment_id, std::string user_id,
                                                              std::optional<std::int64_t> if_version,
                                                              std::function<void(Segment&)> change,
                                                              std::string updated_at) override;
  Later<std::optional<Segment>> count_download_later(std::string segment_id, std::string user_id,
                                                     std::string at, SegmentCheck) override;
  LinkOutcome link_post(std::string_view segment_id, std::string_view user_id,
                        const SocialMediaUsage&) override;
  Later<LinkedPost> link_post_later(std::string segment_id, std::string user_id, SocialMediaUsage,
                                    SegmentCheck) override;
  std::int64_t unlink_posts(std::string_view segment_id, std::string_view user_id, SocialMediaPlatform,
                            std::optional<std::string_view> post_id) override;
  bool add_reading(std::string_view segment_id, SocialMediaPlatform, std::string_view post_id,
                   const MetricsReading&) override;
  std::vector<HistoryEntry> list_history(std::string_view segment_id, std::size_t limit) override;
  std::vector<Segment> list_segments_with_posts(std::string_view user_id,
                                                const std::vector<SocialMediaPlatform>&,
                                                std::string_view after, std::size_t limit) override;
  std::vector<DuePost> list_due_posts(Millis now, std::size_t limit) override;
  void put_off_posts(std::span<const DuePost>, Millis now) override;

 private:
  PrintedPage list(std::string_view user_id, const SegmentQuery&, const TakeRow&);
  PrintedPage list_timed(std::string_view user_id, const SegmentQuery&, const TakeRow&);
  PrintedPage list_from_file(Connection&, const SegmentQuery&, const UserCounts&, const TakeRow&);
  Matching find_matching(Connection&, const SegmentQuery&, const UserCounts&);

  Database& database_;
  MatchCache matches_;
  LibraryShelf libraries_;
  std::array<Histogram*, 8> list_seconds_{};  // by SegmentOrder
};

// Notes the event of a segment's change, inside the caller's transaction.
void note_segment_event(Connection&, std::int64_t user_ref, const Segment&, const char* type);
inline void note_segment_event(Connection& connection, const SegmentRow& row, const char* type) {
  note_segment_event(connection, row.user_ref, row.segment, type);
}

}  // namespace segments::sqlite

// Segments in DynamoDB. There are no transactions: every step is a conditional write of one item, in an order
// in which whoever is killed between two of them leaves what the next reader or writer understands or mends.
// Where AWS does not say whether it carried out a write that may not be repeated (count_download()), that is
// Error{unavailable}.
#pragma once

#include <array>
#include <mutex>

#include "base/metrics.h"
#include "dynamodb/segment_item.h"
#include "store/event_log.h"
#include "store/segment_store.h"

namespace segments::dynamodb {

class DynamoSegmentStore : public SegmentStore {
 public:
  // All of them must outlive it.
  DynamoSegmentStore(Table&, EventLog&, Metrics* = nullptr);

  // Half a unit; what was changed a moment ago may yet be shown as it was, but what was created is there.
  std::optional<VersionedSegment> find_segment(std::string_view segment_id) override;
  Later<std::optional<VersionedSegment>> find_segment_later(std::string segment_id) override;
  CreateOutcome create_segment(const Segment&, const std::optional<IdempotencyKey>&) override;
  MediaOutcome put_segment_from_media(const Segment&) override;
  std::optional<VersionedSegment> update_segment(std::string_view segment_id, std::string_view user_id,
                                                 std::optional<std::int64_t> if_version,
                                                 const std::function<void(Segment&)>& change,
                                                 std::string_view updated_at) override;
  std::optional<Segment> remove_segment(std::string_view segment_id, std::string_view user_id,
                                        std::optional<std::int64_t> if_version) override;
  // segment_lists.h says what it costs, and refuses.
  SegmentPage list_segments(std::string_view user_id, const SegmentQuery&) override;
  std::vector<Segment> list_video_segments(std::string_view video_id, std::string_view user_id,
                                           std::optional<SegmentType>) override;
  std::optional<std::int64_t> count_download(std::string_view segment_id, std::string_view user_id,
                                             std::string_view at) override;
  LinkOutcome link_post(std::string_view segment_id, std::string_view user_id,
                        const SocialMediaUsage&) override;
  Later<LinkedPost> link_post_later(std::string segment_id, std::string user_id, SocialMediaUsage,
                                    SegmentCheck) override;
  std::int64_t unlink_posts(std::string_view segment_id, std::string_view user_id, SocialMediaPlatform,
                            std::optional<std::string_view> post_id) override;
  bool add_reading(std::string_view segment_id, SocialMediaPlatform, std::string_view post_id,
                   const MetricsReading&) override;
  std::vector<HistoryEntry> list_history(std::string_view segment_id, std::size_t limit) override;
  // Reads a row of the index for each of the user's segments, and what follows `after` whole until enough is
  // found.
  std::vector<Segment> list_segments_with_posts(std::string_view user_id,
                                                const std::vector<SocialMediaPlatform>&,
                                                std::string_view after, std::size_t limit) override;
  std::vector<DuePost> list_due_posts(Millis now, std::size_t limit) override;
  void put_off_posts(std::span<const DuePost>, Millis now) override;

 private:
  // What became of the one write of a segment that is new.
  enum class Making { made, made_by_another, taken };
  Making make(const Segment&, const std::string& request_id, std::string& made_id);
  CreateOutcome create(const Segment&, const std::string& request_id);
  bool take_back(const Key&, const std::string& made_id);
  void note_created(const Segment&);
  void append(const Segment&, const char* type);

  // One write of parts of the segment, with what is followed afterwards; before it new hints and `further`
  // items.
  struct Part;
  Written write_part(const StoredSegment&, Part&&, const FollowedPosts&, std::optional<Item> further = {});
  // Steps of the verbs about posts: std::nullopt where somebody else was faster, and all is to be read again.
  std::optional<VersionedSegment> link(const StoredSegment&, const SocialMediaUsage&,
                                       const std::string& link_id);
  std::optional<VersionedSegment> fill_in(const StoredSegment&, const std::string& key,
                                          const SocialMediaUsage& given);
  LinkedPost link_checked(std::string_view segment_id, std::string_view user_id, const SocialMediaUsage&,
                          const SegmentCheck&);
  bool unlink(const StoredSegment&, std::span<const std::string> keys);
  bool put_reading(const StoredSegment&, const std::string& key, const MetricsReading&,
                   std::optional<Item> history);
  void remember(const StoredSegment&);
  std::optional<StoredSegment> take_known(std::string_view segment_id);

  Table& table_;
  EventLog& events_;
  std::mutex mutex_;
  std::vector<Key> stale_hints_;        // they go along with the next batch that is written
  std::optional<StoredSegment> known_;  // found a moment ago, with posts: who reads those writes them next
  std::array<Histogram*, 8> list_seconds_{};  // by SegmentOrder
};

}  // namespace segments::dynamodb

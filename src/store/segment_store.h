// Where segments are kept. Calls block. Every change leaves its event in the EventLog, in the same transaction.
// Every implementation passes store/segment_store_contract.h. Any thread may call. A user_id of "" means any user
// (auth mode `none`); otherwise somebody else's segment is absent.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/later.h"
#include "base/time.h"
#include "model/analytics.h"
#include "model/segment.h"
#include "model/segment_query.h"
#include "store/segment_printing.h"

namespace segments {

// A caller's promise that a repeated request is the same one. Kept 24 h.
struct IdempotencyKey {
  std::string user_id;
  std::string key;
  std::string fingerprint;  // digest of the request's body
};

struct CreateOutcome {
  enum class Kind {
    created,
    taken,          // a segment with that id is there; nothing is changed
    foreign_video,  // the video id belongs to another user; nothing is changed
    replayed,       // the key was used for the same request: `segment` is what it made then
    other_request,  // the key was used for another request; nothing is changed
  };
  Kind kind = Kind::created;
  VersionedSegment segment;  // with created and replayed
};

enum class LinkOutcome { linked, already_linked, absent };
struct LinkedPost {
  LinkOutcome outcome = LinkOutcome::absent;
  VersionedSegment segment;  // with the post, unless it is absent
};

// Is shown a segment as it was before a change, and refuses the change by what it throws. It may be called more than
// once, on a thread of the store's, and may read what is stored. Null lets all pass.
using SegmentCheck = std::function<void(const Segment&)>;

// One page of a video's readings of a post, oldest first.
struct HistoryEntry {
  SocialMediaPlatform platform = SocialMediaPlatform::instagram;
  std::string post_id;
  MetricsReading reading;
};

// A post whose counts are followed (model/following.h) and that is to be read by now.
struct DuePost {
  std::string segment_id, user_id;  // the segment's owner
  SocialMediaPlatform platform = SocialMediaPlatform::instagram;
  std::string post_id;
  Millis due_at = 0;  // since when
  int asked = 0;      // how often a reading was asked for since the last one that came
};

// removed: the video is being removed or was, see VideoStore::begin_removal().
enum class MediaOutcome { changed, unchanged, foreign_video, removed };

class SegmentStore {
 public:
  virtual ~SegmentStore() = default;

  virtual std::optional<VersionedSegment> find_segment(std::string_view segment_id) = 0;
  // The first user who stores something under a video id owns that id; see VideoStore::claim_video.
  virtual CreateOutcome create_segment(const Segment&, const std::optional<IdempotencyKey>& = std::nullopt) = 0;
  // A segment made by a task, of which a run before may have left a record: creates it, or replaces what the media
  // tells (number, key, duration, size, type, thumbnail, filename) and keeps what the owner may have changed (title,
  // description, tags), its posts, counters and created_at.
  virtual MediaOutcome put_segment_from_media(const Segment&) = 0;
  // Reads the segment, lets `change` edit title, description and tags, and stores the result as a new version with
  // `updated_at`. With `if_version` other than the stored one: Error{precondition_failed}. Absent or of another
  // user: std::nullopt. `change` may run more than once.
  virtual std::optional<VersionedSegment> update_segment(std::string_view segment_id, std::string_view user_id,
                                                         std::optional<std::int64_t> if_version,
                                                         const std::function<void(Segment&)>& change,
                                                         std::string_view updated_at) = 0;
  // The segment that was removed. Its history goes with it. Version as above.
  virtual std::optional<Segment> remove_segment(std::string_view segment_id, std::string_view user_id,
                                                std::optional<std::int64_t> if_version) = 0;

  // The user's segments; total_count is exact, and a page costs what the page holds wherever no filter is given.
  virtual SegmentPage list_segments(std::string_view user_id, const SegmentQuery&) = 0;
  // The same as JSON: the records go into `out` as print_segment() would write them, with commas between.
  virtual PrintedPage print_segments(std::string_view user_id, const SegmentQuery& query, TextSink& out,
                                     const PrintThumbnail& print_thumbnail) {
    return print_page(out, list_segments(user_id, query), print_thumbnail);
  }
  // A number that is another one after every change of what the user's lists show, whoever made it; a page that
  // was printed at it (PrintedPage::revision) is what would be printed now. std::nullopt: this store keeps none.
  virtual std::optional<std::int64_t> find_list_revision(std::string_view /*user_id*/) { return std::nullopt; }
  // All segments of a video that belong to the user ("" for any user), by number, then id.
  virtual std::vector<Segment> list_video_segments(std::string_view video_id, std::string_view user_id,
                                                   std::optional<SegmentType>) = 0;

  // Raises the counter by exactly one and returns its new value; std::nullopt when absent or of another user ("" for
  // any). Neither the version nor updated_at change.
  virtual std::optional<std::int64_t> count_download(std::string_view segment_id, std::string_view user_id,
                                                     std::string_view at) = 0;

  // Social media. A post is known by platform and post id: linking it twice changes nothing
  // but a post_url or posted_at that was missing. The user as above.
  virtual LinkOutcome link_post(std::string_view segment_id, std::string_view user_id, const SocialMediaUsage&) = 0;
  // Unlinks all posts of the platform, or the one. Says how many. History stays.
  virtual std::int64_t unlink_posts(std::string_view segment_id, std::string_view user_id, SocialMediaPlatform,
                                    std::optional<std::string_view> post_id) = 0;
  // The seed's add_social_media_usage: puts a reading into the post's usage and appends it to the history. A reading
  // older than the stored last_synced goes into the history alone. False when the segment or post is absent.
  virtual bool add_reading(std::string_view segment_id, SocialMediaPlatform, std::string_view post_id,
                           const MetricsReading&) = 0;
  virtual std::vector<HistoryEntry> list_history(std::string_view segment_id, std::size_t limit) = 0;
  // Segments of the user that have posts on any of the platforms (empty: all), by id after `after`, for the batch sync.
  virtual std::vector<Segment> list_segments_with_posts(std::string_view user_id,
                                                        const std::vector<SocialMediaPlatform>&,
                                                        std::string_view after, std::size_t limit) = 0;

  // Followed posts that are due, longest due first; costs what it finds. A post is due at once when it is linked, then as
  // next_reading_at() says after each reading. One that stands further ahead than any can be put off (the clock went
  // back) is due, too.
  virtual std::vector<DuePost> list_due_posts(Millis now, std::size_t limit) = 0;
  // A reading of these was asked for at `now`: unless one comes, they are due again as next_attempt_at() says. What was
  // read, put off or unlinked since it was listed is left alone.
  virtual void put_off_posts(std::span<const DuePost>, Millis now) = 0;

  // The same as the verbs above for callers who do not wait. Nothing begins before what these return is begun; in a
  // store that has no way without waiting it is done when they return.
  virtual Later<std::optional<VersionedSegment>> find_segment_later(std::string segment_id) {
    return Later(find_segment(segment_id));
  }
  virtual Later<CreateOutcome> create_segment_later(Segment segment, std::optional<IdempotencyKey> key) {
    return Later(create_segment(segment, key));
  }
  virtual Later<std::optional<VersionedSegment>> update_segment_later(std::string segment_id, std::string user_id,
                                                                      std::optional<std::int64_t> if_version,
                                                                      std::function<void(Segment&)> change,
                                                                      std::string updated_at) {
    return Later(update_segment(segment_id, user_id, if_version, change, updated_at));
  }
  // The segment with the new value.
  virtual Later<std::optional<Segment>> count_download_later(std::string segment_id, std::string user_id, std::string at,
                                                             SegmentCheck check) {
    auto found = find_segment(segment_id);
    if (!found || (!user_id.empty() && found->segment.user_id != user_id)) return Later(std::optional<Segment>());
    if (check) check(found->segment);
    auto count = count_download(segment_id, user_id, at);
    if (!count) return Later(std::optional<Segment>());
    found->segment.download_count = *count;
    found->segment.last_downloaded_at = std::move(at);
    return Later(std::optional(std::move(found->segment)));
  }
  virtual Later<LinkedPost> link_post_later(std::string segment_id, std::string user_id, SocialMediaUsage,
                                            SegmentCheck check) = 0;

  // The seed's get_social_media_analytics.
  std::optional<SegmentAnalytics> find_analytics(std::string_view segment_id) {
    auto found = find_segment(segment_id);
    if (!found) return std::nullopt;
    return analyse(found->segment);
  }
};

}  // namespace segments

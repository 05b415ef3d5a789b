// All records of an engine, one after the other, in a form that is the same on every engine: for moving them
// from one to another and for comparing two. Events are no records: they are told, not kept for good.
// Every implementation passes store/archive_contract.h. Calls block; any thread may call.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/time.h"
#include "model/segment.h"
#include "model/video.h"

namespace segments {

// Whatever is known under a video's id: whose it is or was last, the video, the promise of its task.
struct VideoRecord {
  std::string video_id;
  std::optional<std::string> owner;  // null with is_removed: nobody knows whose it was, so it is nobody's
  bool is_claimed = false;           // the owner has the id
  bool is_removed = false;           // the video was removed or is about to be
  std::optional<Video> video;
  std::string task_arguments;
  std::string foreign;  // attributes that another service left with it, in DynamoDB's JSON; "" for none
  bool operator==(const VideoRecord&) const = default;
};
BOOST_DESCRIBE_STRUCT(VideoRecord, (),
                      (video_id, owner, is_claimed, is_removed, video, task_arguments, foreign))

// When a post's counts are to be read next (store/segment_store.h, DuePost).
struct FollowRecord {
  SocialMediaPlatform platform = SocialMediaPlatform::instagram;
  std::string post_id;
  Millis since = 0, due_at = 0;
  std::int64_t asked = 0;
  bool operator==(const FollowRecord&) const = default;
};
BOOST_DESCRIBE_STRUCT(FollowRecord, (), (platform, post_id, since, due_at, asked))

struct SegmentRecord {
  Segment segment;
  std::int64_t version = 1;
  std::vector<FollowRecord> followed;  // by platform and post id
  std::string foreign;                 // as above
  bool operator==(const SegmentRecord&) const = default;
};
BOOST_DESCRIBE_STRUCT(SegmentRecord, (), (segment, version, followed, foreign))

// What a request with an idempotency key made.
struct RequestRecord {
  std::string user_id, key, fingerprint;
  std::int64_t expires_at_s = 0;  // seconds since 1970
  Segment segment;
  bool operator==(const RequestRecord&) const = default;
};
BOOST_DESCRIBE_STRUCT(RequestRecord, (), (user_id, key, fingerprint, expires_at_s, segment))

struct TotalRecord {
  std::string name;
  std::int64_t value = 0;
  bool operator==(const TotalRecord&) const = default;
};
BOOST_DESCRIBE_STRUCT(TotalRecord, (), (name, value))

// An entry of a segment's history. Of entries that are equal in all else, `repeat` counts from 0.
struct ReadingRecord {
  std::string segment_id;
  SocialMediaPlatform platform = SocialMediaPlatform::instagram;
  std::string post_id;
  MetricsReading reading;
  std::int64_t repeat = 0;
  bool operator==(const ReadingRecord&) const = default;
};
BOOST_DESCRIBE_STRUCT(ReadingRecord, (), (segment_id, platform, post_id, reading, repeat))

using Record = std::variant<VideoRecord, SegmentRecord, RequestRecord, TotalRecord, ReadingRecord>;
inline constexpr std::size_t record_kinds = std::variant_size_v<Record>;
inline constexpr std::string_view kind_names[record_kinds] = {"videos", "segments", "idempotency keys",
                                                              "totals", "readings"};

std::string title_of(const Record&);  // "the segment seg_v1_001"
// What every engine keeps: no negative zero, posts in one order.
void make_canonical(Record&);

struct RecordPage {
  std::vector<Record> records;
  std::string next;  // where the next page begins; "" where there is none
};

struct PutReport {
  std::int64_t changed = 0;          // created or replaced; the others were there as they are
  std::vector<std::string> refused;  // what this engine cannot keep, as sentences
};

class Archive {
 public:
  virtual ~Archive() = default;
  // A page from `cursor` ("" at the beginning) on, about `limit` records, perhaps none though more follow.
  // Readings come last. Idempotency keys that have expired at `as_of` are left out. What is written meanwhile
  // may be missed or come; what is not is given exactly once.
  virtual RecordPage list_records(std::string_view cursor, std::size_t limit, Millis as_of) = 0;
  // What there is under the same ids, one for each, in order.
  virtual std::vector<std::optional<Record>> find_records(std::span<const Record> like) = 0;
  // Makes them be there as they are given, each id once, readings last. May be repeated, also half done. A
  // reading whose segment is not there is left out. Nothing is told by events. Not for records that others
  // write meanwhile.
  virtual PutReport put_records(std::span<const Record>) = 0;
  // A segment goes with its history. What is not there is left alone.
  virtual void remove_records(std::span<const Record>) = 0;
  // True where nothing was ever stored.
  virtual bool is_empty() = 0;
  // A text under a name, of whoever moves records; no record itself.
  virtual std::optional<std::string> find_note(std::string_view name) = 0;
  virtual void put_note(std::string_view name, std::string_view text) = 0;
};

// A number for a set of records that does not depend on their order: per kind how many, and the sum of their
// SHA-256 modulo 2^256.
struct KindSum {
  std::int64_t count = 0;
  std::string sum = std::string(64, '0');  // hex
  bool operator==(const KindSum&) const = default;
};
BOOST_DESCRIBE_STRUCT(KindSum, (), (count, sum))
void add_to_sum(KindSum&, std::string_view text);

struct RecordSums {
  std::vector<KindSum> kinds = std::vector<KindSum>(record_kinds);  // by Record's index
  void add(const Record&);
  bool operator==(const RecordSums&) const = default;
};
BOOST_DESCRIBE_STRUCT(RecordSums, (), (kinds))

// Of all records that there are.
RecordSums sum_records(Archive&, Millis as_of);

}  // namespace segments

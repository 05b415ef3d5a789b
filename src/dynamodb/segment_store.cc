#include "dynamodb/segment_store.h"

#include <algorithm>

#include "base/error.h"
#include "base/ids.h"
#include "dynamodb/claims.h"
#include "dynamodb/kept_requests.h"
#include "dynamodb/segment_count.h"
#include "dynamodb/segment_history.h"
#include "dynamodb/segment_lists.h"
#include "dynamodb/segment_writes.h"
#include "store/segment_event.h"

namespace segments::dynamodb {

namespace {

using Kind = CreateOutcome::Kind;

void check_version(const StoredSegment& stored, std::optional<std::int64_t> if_version) {
  if (if_version && *if_version != stored.version)
    throw Error(ErrorKind::precondition_failed, "The segment was changed by somebody else meanwhile.");
}

constexpr std::size_t write_ids_kept = 4;

// A new version of what was read: not where there is another already.
bool write_version(Table& table, const StoredSegment& seen, const Segment& next,
                   std::span<const char* const> members) {
  const Key key = *key_of_segment(seen.segment.segment_id);
  std::vector<std::string> write_ids{make_id()};
  for (const auto& id : seen.write_ids)
    if (write_ids.size() < write_ids_kept) write_ids.push_back(id);
  const Item whole = item_of(next);
  Terms terms;
  Changes changes;
  for (const char* name : members) {
    const auto* value = find(whole, name);
    changes.put(terms, terms.name(name), value ? std::optional(*value) : std::nullopt);
  }
  changes.set(terms.name("version"), terms.value(seen.version + 1));
  changes.set(terms.name("write_ids"), terms.value(*attribute_of(write_ids)));
  auto condition = is_segment(terms) + " AND " + terms.name("version") + " = " + terms.value(seen.version);
  auto written = table.update({.key = key,
                               .update = changes.text(),
                               .condition = std::move(condition),
                               .terms = std::move(terms),
                               .repeat = Repeat::safe});
  if (written.is_done || !written.may_be_ours) return written.is_done;
  auto item = table.get(key, true);
  auto now = item ? read_segment(*item) : std::nullopt;
  return now && std::ranges::find(now->write_ids, write_ids.front()) != now->write_ids.end();
}

constexpr const char* edited_members[] = {"title", "description", "tags", "updated_at"};
constexpr const char* media_members[] = {"segment_type", "segment_number", "s3_key",       "s3_url",
                                         "duration",     "file_size",      "content_type", "thumbnail_url",
                                         "filename",     "updated_at"};

std::optional<VersionedSegment> segment_in(const std::optional<Item>& item) {
  auto stored = item ? read_segment(*item) : std::nullopt;
  if (!stored) return std::nullopt;
  return VersionedSegment{std::move(stored->segment), stored->version};
}

// Where nothing is found without waiting, take() waits for the strong read.
class LaterFinding : public LaterSource<std::optional<VersionedSegment>> {
 public:
  LaterFinding(Table& table, Key key)
      : table_(table), key_(std::move(key)), weak_(table.get_later(key_).source()) {}

  void begin(std::function<void()> ready) noexcept override {
    weak_->begin([this, ready = std::move(ready)] {
      if (!weak_->must_wait()) read();
      ready();
    });
  }
  bool must_wait() const override { return !is_read_ || !(found_ || failure_); }
  std::optional<VersionedSegment> take() override {
    if (!is_read_) read();
    if (failure_) std::rethrow_exception(failure_);
    return found_ ? std::move(found_) : segment_in(table_.get(key_, true));
  }

 private:
  void read() noexcept {
    is_read_ = true;
    try {
      found_ = segment_in(weak_->take());
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  Table& table_;
  const Key key_;
  const std::shared_ptr<LaterSource<std::optional<Item>>> weak_;
  bool is_read_ = false;
  std::optional<VersionedSegment> found_;
  std::exception_ptr failure_;
};

// What stays where a segment was that had been made by a request with a key: that request may still be about
// to make it, and must not bring it back.
Item make_tombstone(const StoredSegment& stored, const std::string& removal_id) {
  const Millis now = now_ms();
  Item item = item_of(*key_of_segment(stored.segment.segment_id));
  item["removed_at"] = text(format_time(now));
  item["request_id"] = text(stored.request_id);
  item["removal_id"] = text(removal_id);
  item["expires_at"] = number((now + request_kept_ms) / 1'000);
  return item;
}

}  // namespace

DynamoSegmentStore::DynamoSegmentStore(Table& table, EventLog& events, Metrics* metrics)
    : table_(table), events_(events) {
  if (!metrics) return;
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<SegmentOrder>>([&](auto order) {
    list_seconds_[static_cast<std::size_t>(order.value)] =
        &metrics->histogram("segments_store_list_seconds", "Lists of segments by the index of their order",
                            {{"index", order.name}});
  });
}

void DynamoSegmentStore::append(const Segment& segment, const char* type) {
  events_.append_event(make_segment_event(segment, type, now_ms()));
}

void DynamoSegmentStore::note_created(const Segment& segment) {
  afterwards("count", segment.segment_id, [&] { add_to_count(table_, segment.user_id, +1, now_ms()); });
  append(segment, "segment.created");
}

std::optional<VersionedSegment> DynamoSegmentStore::find_segment(std::string_view segment_id) {
  auto key = key_of_segment(segment_id);
  if (!key) return std::nullopt;
  for (bool is_strong : {false, true}) {
    auto item = table_.get(*key, is_strong);
    auto stored = item ? read_segment(*item) : std::nullopt;
    if (!stored) continue;
    remember(*stored);
    return VersionedSegment{std::move(stored->segment), stored->version};
  }
  return std::nullopt;
}

void DynamoSegmentStore::remember(const StoredSegment& stored) {
  if (stored.is_old || stored.followed.empty()) return;
  std::lock_guard lock(mutex_);
  known_ = stored;
}

std::optional<StoredSegment> DynamoSegmentStore::take_known(std::string_view segment_id) {
  std::lock_guard lock(mutex_);
  if (!known_ || known_->segment.segment_id != segment_id) return std::nullopt;
  return std::exchange(known_, std::nullopt);
}

Later<std::optional<VersionedSegment>> DynamoSegmentStore::find_segment_later(std::string segment_id) {
  using Found = std::optional<VersionedSegment>;
  auto key = key_of_segment(segment_id);
  if (!key) return Later(Found());
  return Later<Found>(std::make_shared<LaterFinding>(table_, *std::move(key)));
}

DynamoSegmentStore::Making DynamoSegmentStore::make(const Segment& segment, const std::string& request_id,
                                                    std::string& made_id) {
  made_id = make_id();
  StoredSegment stored{
      .segment = segment, .made_id = made_id, .write_ids = {made_id}, .request_id = request_id};
  stored.posts = number_posts(segment.social_media_usage);
  stored.followed = follow_posts({}, segment.social_media_usage, now_ms());
  put_hints(table_, segment.segment_id, {}, stored.followed);
  const Item item = make_item(stored);
  for (Contention contention;; contention.wait()) {
    Terms terms;
    auto free = "attribute_not_exists(" + terms.name("segment_id") + ") OR (attribute_exists(" +
                terms.name("removed_at") + ") AND " + terms.name("request_id") + " <> " +
                terms.value(request_id) + ")";
    if (table_.put({.item = item, .condition = free, .terms = terms}).is_done) return Making::made;
    auto found = table_.get(key_of(item), true);
    if (!found) continue;  // it was removed since
    if (text_of(*found, "made_id") == made_id) return Making::made;
    if (!request_id.empty() && text_of(*found, "request_id") == request_id) return Making::made_by_another;
    if (!find(*found, "removed_at")) return Making::taken;
  }
}

CreateOutcome DynamoSegmentStore::create(const Segment& segment, const std::string& request_id) {
  if (!find_claim(table_, segment.video_id, false).is_of(segment.user_id) &&
      !claim(table_, segment.video_id, segment.user_id))
    return {.kind = Kind::foreign_video, .segment = {}};
  std::string made_id;
  const auto making = make(segment, request_id, made_id);
  if (making == Making::taken) return {.kind = Kind::taken, .segment = {}};
  if (making == Making::made) note_created(segment);
  return {.kind = Kind::created, .segment = {segment, 1}};
}

CreateOutcome DynamoSegmentStore::create_segment(const Segment& segment,
                                                 const std::optional<IdempotencyKey>& key) {
  if (video_id_of(segment.segment_id) != segment.video_id)
    throw Error(ErrorKind::invalid, "The segment's id must hold the id of its video.");
  if (!key) return create(segment, "");
  for (Contention contention;; contention.wait()) {
    auto request = begin_request(table_, *key, segment, now_ms());
    if (!request.is_done) {
      auto outcome = create(request.segment, request.id);
      if (outcome.kind != Kind::created) {
        forget_request(table_, *key, request);
        if (request.is_ours) return outcome;
        continue;
      }
      finish_request(table_, *key, request, now_ms());
    }
    if (request.is_ours) return {.kind = Kind::created, .segment = {std::move(request.segment), 1}};
    if (request.fingerprint != key->fingerprint) return {.kind = Kind::other_request, .segment = {}};
    return {.kind = Kind::replayed, .segment = {std::move(request.segment), 1}};
  }
}

// Whether it had to be: removing the video may have begun after it was asked for and before the segment was
// there, and have missed it.
bool DynamoSegmentStore::take_back(const Key& key, const std::string& made_id) {
  if (!find_claim(table_, key.video_id, true).is_removed) return false;
  Terms terms;
  auto is_ours = terms.name("made_id") + " = " + terms.value(made_id);
  table_.remove({.key = key, .condition = is_ours, .terms = terms});
  return true;
}

MediaOutcome DynamoSegmentStore::put_segment_from_media(const Segment& segment) {
  for (Contention contention;; contention.wait()) {
    const auto claimed = find_claim(table_, segment.video_id, true);
    if (claimed.is_removed) return MediaOutcome::removed;
    auto stored = load_segment(table_, segment.segment_id, "");
    if (stored && stored->segment.user_id != segment.user_id) return MediaOutcome::foreign_video;
    if (!claimed.is_of(segment.user_id) && !claim(table_, segment.video_id, segment.user_id))
      return MediaOutcome::foreign_video;
    if (!stored) {
      std::string made_id;
      if (make(segment, "", made_id) == Making::taken) continue;
      if (take_back(*key_of_segment(segment.segment_id), made_id)) return MediaOutcome::removed;
      note_created(segment);
      return MediaOutcome::changed;
    }
    Segment next = stored->segment;
    if (!take_media(next, segment)) return MediaOutcome::unchanged;
    next.updated_at = segment.updated_at;
    if (!write_version(table_, *stored, next, media_members)) continue;
    append(next, "segment.updated");
    return MediaOutcome::changed;
  }
}

std::optional<VersionedSegment> DynamoSegmentStore::update_segment(
    std::string_view segment_id, std::string_view user_id, std::optional<std::int64_t> if_version,
    const std::function<void(Segment&)>& change, std::string_view updated_at) {
  for (Contention contention;; contention.wait()) {
    auto stored = load_segment(table_, segment_id, user_id);
    if (!stored) return std::nullopt;
    check_version(*stored, if_version);
    Segment edited = stored->segment;
    change(edited);
    Segment next = stored->segment;
    next.title = std::move(edited.title);
    next.description = std::move(edited.description);
    next.tags = std::move(edited.tags);
    next.updated_at = updated_at;
    if (!write_version(table_, *stored, next, edited_members)) continue;
    append(next, "segment.updated");
    return VersionedSegment{std::move(next), stored->version + 1};
  }
}

std::optional<Segment> DynamoSegmentStore::remove_segment(std::string_view segment_id,
                                                          std::string_view user_id,
                                                          std::optional<std::int64_t> if_version) {
  for (Contention contention;; contention.wait()) {
    auto stored = load_segment(table_, segment_id, user_id);
    if (!stored) return std::nullopt;
    check_version(*stored, if_version);
    const Key key = *key_of_segment(segment_id);
    const std::string removal_id = make_id();
    Terms terms;
    auto condition = is_segment(terms);
    if (!stored->made_id.empty())
      condition += " AND " + terms.name("made_id") + " = " + terms.value(stored->made_id);
    if (if_version) condition += " AND " + terms.name("version") + " = " + terms.value(*if_version);
    auto written =
        stored->request_id.empty()
            ? table_.remove({.key = key, .condition = condition, .terms = terms, .wants_item = true})
            : table_.put({.item = make_tombstone(*stored, removal_id),
                          .condition = condition,
                          .terms = terms,
                          .wants_item = true});
    if (!written.is_done) {
      if (!written.may_be_ours) continue;
      // Gone by our own doing as far as anybody can tell: of a record that is no more nobody knows who
      // removed it.
      auto left = table_.get(key, true);
      if (left && text_of(*left, "removal_id") != removal_id) continue;
    }
    if (auto last = read_segment(written.item)) stored = std::move(last);
    afterwards("count", segment_id, [&] { add_to_count(table_, stored->segment.user_id, -1, now_ms()); });
    append(stored->segment, "segment.deleted");
    afterwards("history", segment_id, [&] { remove_history(table_, *stored); });
    afterwards("hints", segment_id, [&] { drop_hints(table_, segment_id, stored->followed, {}); });
    return std::move(stored->segment);
  }
}

std::vector<Segment> DynamoSegmentStore::list_video_segments(std::string_view video_id,
                                                             std::string_view user_id,
                                                             std::optional<SegmentType> type) {
  std::vector<Segment> segments;
  if (video_id.empty()) return segments;
  table_.query_all(segments_of_video(video_id), [&](Item&& item) {
    auto stored = read_segment(item);
    if (stored && (user_id.empty() || stored->segment.user_id == user_id) &&
        (!type || stored->segment.segment_type == *type))
      segments.push_back(std::move(stored->segment));
    return true;
  });
  std::ranges::sort(segments, {}, [](const Segment& segment) {
    return std::pair(segment.segment_number, std::string_view(segment.segment_id));
  });
  return segments;
}

std::optional<std::int64_t> DynamoSegmentStore::count_download(std::string_view segment_id,
                                                               std::string_view user_id,
                                                               std::string_view at) {
  auto key = key_of_segment(segment_id);
  if (!key) return std::nullopt;
  Terms terms;
  Changes changes;
  changes.add(terms.name("download_count"), terms.value(std::int64_t{1}));
  changes.set(terms.name("last_downloaded_at"), terms.value(at));
  auto condition = is_segment_of(terms, user_id);
  auto written = table_.update({.key = *key,
                                .update = changes.text(),
                                .condition = condition,
                                .terms = terms,
                                .repeat = Repeat::never,
                                .wants_changed = true});
  if (!written.is_done) return std::nullopt;
  return integer_of(written.item, "download_count");
}

}  // namespace segments::dynamodb

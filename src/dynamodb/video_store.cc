#include "dynamodb/video_store.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "base/error.h"
#include "base/ids.h"
#include "dynamodb/claims.h"
#include "dynamodb/table_definition.h"
#include "dynamodb/waiting_videos.h"
#include "store/job_event.h"

namespace segments::dynamodb {
namespace {

constexpr int most_conflicts = 100;
// So many others may write a video before one whose answer was lost looks whether its own write is there.
constexpr std::size_t most_write_ids = 8;

// What DynamoDB takes as a key.
bool may_be_key(std::string_view video_id) {
  return !video_id.empty() && video_id.size() <= 1'024 && video_id.front() != '#';
}

void wait_after_conflict(int conflicts) {
  thread_local std::minstd_rand engine(std::random_device{}());
  std::uniform_int_distribution<int> some(0, 5 << std::min(conflicts, 6));
  std::this_thread::sleep_for(std::chrono::milliseconds(some(engine)));
}

bool has_write(const std::optional<Item>& item, const std::string& write_id) {
  auto stored = item ? read_video(*item) : std::nullopt;
  return stored && std::ranges::find(stored->write_ids, write_id) != stored->write_ids.end();
}

struct Listed {
  std::string upload_date, video_id;
  auto operator<=>(const Listed&) const = default;
};

void take_keys(std::vector<Listed>& into, const std::vector<Item>& items) {
  // Times of anybody's making sort as times only when they are written alike.
  for (const auto& item : items)
    if (auto stored = read_video(item)) into.push_back({stored->video.upload_date, stored->video.video_id});
}

// All keys of the index, of one user or of all.
std::vector<Listed> list_keys(Table& table, const std::optional<std::string>& user_id) {
  std::vector<Listed> keys;
  if (!user_id) {
    Scan scan{.index = std::string(by_user_upload)};
    do {
      auto page = table.scan(scan);
      take_keys(keys, page.items);
      scan.from = std::move(page.last);
    } while (!scan.from.empty());
    return keys;
  }
  if (user_id->empty()) return keys;  // no key of an index
  Query query{.index = std::string(by_user_upload), .condition = {}};
  query.condition = query.terms.name("user_id") + " = " + query.terms.value(*user_id);
  do {
    auto page = table.query(query);
    take_keys(keys, page.items);
    query.from = std::move(page.last);
  } while (!query.from.empty());
  return keys;
}

}  // namespace

std::optional<Item> DynamoVideoStore::find_item(std::string_view video_id) {
  if (!may_be_key(video_id)) return std::nullopt;
  const auto key = video_key(video_id);
  auto item = table_.get(key);
  // What was created a moment ago is never absent.
  if (!item || !read_video(*item)) item = table_.get(key, true);
  return item;
}

bool DynamoVideoStore::claim_video(std::string_view video_id, std::string_view user_id, bool take_over) {
  Terms terms;
  auto update = "SET " + terms.name("owner") + " = " + terms.value(user_id) + ", " + terms.name("claimed") +
                " = " + terms.value({true}) + " REMOVE " + terms.name("removed");
  auto condition = free_condition(terms, user_id);
  if (take_over) condition += " OR attribute_not_exists(" + terms.name("upload_date") + ")";
  return table_
      .update({.key = video_key(video_id),
               .update = std::move(update),
               .condition = std::move(condition),
               .terms = std::move(terms),
               .repeat = Repeat::safe})
      .is_done;
}

std::optional<std::string> DynamoVideoStore::find_owner(std::string_view video_id) {
  if (!may_be_key(video_id)) return std::nullopt;
  auto claim = find_claim(table_, video_id, true);
  if (!claim.is_claimed) return std::nullopt;
  return claim.owner;
}

std::optional<Video> DynamoVideoStore::find_video(std::string_view video_id) {
  auto item = find_item(video_id);
  auto stored = item ? read_video(*item) : std::nullopt;
  if (!stored) return std::nullopt;
  return std::move(stored->video);
}

bool DynamoVideoStore::create_video(const Video& video, std::string_view task_arguments) {
  if (!task_arguments.empty()) put_waiting_hint(table_, video.video_id);
  const std::string write_id = make_id();
  const StoredVideo stored{video, std::string(task_arguments), 1, {write_id}};
  Terms terms;
  auto condition =
      "attribute_not_exists(" + terms.name("upload_date") + ") AND " + free_condition(terms, video.user_id);
  auto written = table_.put({.item = make_item(stored), .condition = std::move(condition), .terms = terms});
  if (written.is_done || !written.may_be_ours) return written.is_done;
  return has_write(table_.get(video_key(video.video_id), true), write_id);
}

std::vector<WaitingVideo> DynamoVideoStore::list_waiting_videos(Millis before, std::string_view after,
                                                                std::size_t limit) {
  return dynamodb::list_waiting_videos(table_, before, after, limit);
}

VideoPage DynamoVideoStore::list_videos(const std::optional<std::string>& user_id, std::int64_t limit,
                                        std::int64_t offset) {
  auto listed = list_keys(table_, user_id);
  std::ranges::sort(listed, std::greater());
  VideoPage page;
  page.total_count = std::ssize(listed);
  const auto from = std::clamp<std::int64_t>(offset, 0, page.total_count);
  const auto to = from + std::clamp<std::int64_t>(limit, 0, page.total_count - from);
  std::vector<Key> keys;
  for (auto i = from; i < to; ++i) keys.push_back(video_key(listed[static_cast<std::size_t>(i)].video_id));
  std::map<Listed, Video, std::greater<>> videos;
  for (const auto& item : table_.batch_get(keys)) {
    auto stored = read_video(item);
    // The index may still name what was removed a moment ago.
    if (!stored || (user_id && stored->video.user_id != *user_id)) continue;
    Listed at{stored->video.upload_date, stored->video.video_id};
    videos.emplace(std::move(at), std::move(stored->video));
  }
  for (auto& [at, video] : videos) page.videos.push_back(std::move(video));
  return page;
}

void DynamoVideoStore::begin_removal(std::string_view video_id) {
  Terms terms;
  const auto set = terms.value({true});
  auto update = "SET " + terms.name("removed") + " = " + set;
  auto condition =
      terms.name("claimed") + " = " + set + " OR attribute_exists(" + terms.name("user_id") + ")";
  table_.update({.key = video_key(video_id),
                 .update = std::move(update),
                 .condition = std::move(condition),
                 .terms = std::move(terms),
                 .repeat = Repeat::safe});
}

bool DynamoVideoStore::remove_video(std::string_view video_id) {
  begin_removal(video_id);
  auto item = table_.get(video_key(video_id), true);
  if (!item || !read_video(*item)) return false;
  // What was promised under the id, as an address that takes its bytes or a task that still runs, must never
  // reach another user: whose it was is kept for good.
  Item tombstone = item_of(video_key(video_id));
  tombstone["owner"] = text(claim_of(*item).owner);
  tombstone["removed"] = {true};
  Terms terms;
  auto condition = "attribute_exists(" + terms.name("upload_date") + ")";
  auto written =
      table_.put({.item = std::move(tombstone), .condition = std::move(condition), .terms = terms});
  return written.is_done || written.may_be_ours;
}

bool DynamoVideoStore::write(const StoredVideo& before, const Members& members) {
  Terms terms;
  Changes changes;
  const auto revision = terms.name("revision"), write_id = make_id();
  auto write_ids = before.write_ids;
  write_ids.insert(write_ids.begin(), write_id);
  write_ids.resize(std::min(write_ids.size(), most_write_ids));
  changes.set(revision, terms.value(before.revision + 1));
  changes.set(terms.name("write_ids"), terms.value(*attribute_of(write_ids)));
  for (const auto& [name, attribute] : members) changes.put(terms, terms.name(name), attribute);
  // The earlier service's videos have no revision.
  auto condition = before.revision == 0 ? "attribute_not_exists(" + revision + ")"
                                        : revision + " = " + terms.value(before.revision);
  condition += " AND attribute_exists(" + terms.name("upload_date") + ")";
  auto written = table_.update({.key = video_key(before.video.video_id),
                                .update = changes.text(),
                                .condition = std::move(condition),
                                .terms = std::move(terms),
                                .repeat = Repeat::safe});
  if (written.is_done || !written.may_be_ours) return written.is_done;
  return has_write(table_.get(video_key(before.video.video_id), true), write_id);
}

bool DynamoVideoStore::change_video(std::string_view video_id,
                                    const std::function<std::optional<Members>(const StoredVideo&)>& change) {
  if (!may_be_key(video_id)) return false;
  for (int conflicts = 0; conflicts < most_conflicts; ++conflicts) {
    auto item = table_.get(video_key(video_id), true);
    auto stored = item ? read_video(*item) : std::nullopt;
    auto changes = stored ? change(*stored) : std::nullopt;
    if (!changes) return false;
    if (write(*stored, *changes)) return true;
    wait_after_conflict(conflicts);
  }
  throw Error(ErrorKind::unavailable, "The video is being changed by too many at once.", {}, 1);
}

bool DynamoVideoStore::put_progress(const JobProgress& wanted, bool restart) {
  std::optional<JobStep> step;
  std::string user_id;
  bool is_moved = change_video(wanted.job_id, [&](const StoredVideo& stored) -> std::optional<Members> {
    step = next_step(stored.video, wanted, restart);
    if (!step) return std::nullopt;
    if (step->status == VideoStatus::QUEUED && !stored.task_arguments.empty())
      put_waiting_hint(table_, stored.video.video_id);
    user_id = stored.video.user_id;
    const JobProgress& progress = step->progress;
    return Members{{"status", attribute_of(step->status)},
                   {"progress", attribute_of(progress.progress_percentage)},
                   {"stage", attribute_of(progress.stage)},
                   {"message", attribute_of(progress.message)},
                   {"error_message", attribute_of(step->error_message)},
                   {"updated_at", attribute_of(progress.timestamp)}};
  });
  if (is_moved) events_.append_event(make_job_event(user_id, *step, now_ms()));
  return is_moved;
}

bool DynamoVideoStore::update_video(std::string_view video_id, std::optional<double> duration,
                                    const std::optional<std::vector<std::string>>& output_keys,
                                    const std::optional<std::string>& task_id) {
  return change_video(video_id, [&](const StoredVideo&) -> std::optional<Members> {
    Members changes{{"updated_at", text(now_text())}};
    if (duration) changes["duration"] = attribute_of(*duration);
    if (output_keys) changes["output_s3_urls"] = attribute_of(*output_keys);
    if (task_id) changes["task_id"] = attribute_of(*task_id);
    return changes;
  });
}

}  // namespace segments::dynamodb

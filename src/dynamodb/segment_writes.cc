#include "dynamodb/segment_writes.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "base/error.h"
#include "base/log.h"

namespace segments::dynamodb {

namespace {

constexpr Millis most_contention_ms = 30'000;

constexpr const char* type_names[] = {"NULL", "BOOL", "N", "S", "B", "L", "M", "SS", "NS", "BS"};
constexpr std::size_t most_compared = 60;  // an expression has 300 operators at most

// What must hold so that what was read of the attribute may be written over. Of a list of posts that is its
// length, and of each post when it was synced: engines differ in whether lists can be compared whole.
std::string is_as_seen(Terms& terms, const std::string& name, const Attribute* seen) {
  if (!seen) return "attribute_not_exists(" + name + ")";
  auto condition = "attribute_type(" + name + ", " + terms.value(type_names[seen->value.index()]) + ")";
  const auto* list = std::get_if<Attribute::List>(&seen->value);
  if (!list) return condition;
  condition += " AND size(" + name + ") = " + terms.value(std::ssize(*list));
  for (std::size_t i = 0; i < std::min(list->size(), most_compared); ++i) {
    const auto* post = std::get_if<Item>(&(*list)[i].value);
    const auto* synced = post ? find(*post, "last_synced") : nullptr;
    const auto path = name + "[" + std::to_string(i) + "]." + terms.name("last_synced");
    condition += " AND ";
    if (synced)
      condition += path + " = " + terms.value(*synced);
    else
      condition += "attribute_not_exists(" + path + ")";
  }
  return condition;
}

// One write, which is not done where the item has changed since it was read.
void modernise(Table& table, const Item& item, const StoredSegment& stored) {
  Terms terms;
  Changes changes;
  std::string condition = is_segment(terms);
  auto is_map = [](const Attribute* attribute) {
    return attribute && std::holds_alternative<Item>(attribute->value);
  };
  if (const auto* seen = find(item, "social_media_usage"); !is_map(seen)) {
    Item posts;
    for (const auto& [key, post] : stored.posts) posts.emplace(key, attribute_of_post(post));
    const auto usage = terms.name("social_media_usage");
    changes.set(usage, terms.value(Attribute{std::move(posts)}));
    condition += " AND " + is_as_seen(terms, usage, seen);
  }
  if (const auto* seen = find(item, "followed"); !is_map(seen)) {
    auto follow = follow_posts({}, usages_of(stored), now_ms());
    put_hints(table, stored.segment.segment_id, {}, follow);
    const auto followed = terms.name("followed");
    changes.set(followed, terms.value(attribute_of_followed(follow)));
    condition += " AND " + is_as_seen(terms, followed, seen);
  }
  const auto version = terms.name("version");
  changes.set(version, "if_not_exists(" + version + ", " + terms.value(std::int64_t{1}) + ")");
  table.update({.key = key_of(item),
                .update = changes.text(),
                .condition = std::move(condition),
                .terms = std::move(terms),
                .repeat = Repeat::safe});
}

}  // namespace

std::optional<StoredSegment> load_segment(Table& table, std::string_view segment_id,
                                          std::string_view user_id) {
  auto key = key_of_segment(segment_id);
  if (!key) return std::nullopt;
  for (Contention contention;; contention.wait()) {
    auto item = table.get(*key, true);
    auto stored = item ? read_segment(*item) : std::nullopt;
    if (!stored || (!user_id.empty() && stored->segment.user_id != user_id)) return std::nullopt;
    if (!stored->is_old) return stored;
    modernise(table, *item, *stored);
  }
}

void Contention::wait() {
  if (steady_ms() - begun_ > most_contention_ms)
    throw Error(ErrorKind::unavailable, "Too many change the same segment at once.", {}, 1);
  thread_local std::minstd_rand engine(std::random_device{}());
  std::uniform_int_distribution<int> some(0, 5 << std::min(count_++, 7));
  std::this_thread::sleep_for(std::chrono::milliseconds(some(engine)));
}

void afterwards(const char* step, std::string_view segment_id, const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    log_warning("dynamodb.step_left_undone",
                {{"step", step}, {"segment_id", segment_id}, {"detail", error.what()}});
  }
}

void change_followed(Terms& terms, Changes& changes, std::string& condition, const FollowedPosts& before,
                     const FollowedPosts& after) {
  for (const auto& [key, post] : after) {
    auto seen = before.find(key);
    if (seen != before.end() && seen->second == post) continue;
    const auto path = terms.path("followed", key);
    changes.set(path, terms.value(*attribute_of(post)));
    condition += seen == before.end()
                     ? " AND attribute_not_exists(" + path + ")"
                     : " AND " + path + "." + terms.name("hint") + " = " + terms.value(seen->second.hint);
  }
  for (const auto& [key, post] : before)
    if (!after.contains(key)) changes.remove(terms.path("followed", key));
}

std::vector<SocialMediaUsage> usages_of(const StoredSegment& stored) {
  return stored.segment.social_media_usage;
}

}  // namespace segments::dynamodb

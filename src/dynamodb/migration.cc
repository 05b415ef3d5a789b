#include "dynamodb/migration.h"

#include <algorithm>
#include <exception>
#include <map>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/ids.h"
#include "dynamodb/claims.h"
#include "dynamodb/segment_item.h"

namespace segments::dynamodb {
namespace {

constexpr int page_size = 200, workers = 8, most_passes = 10;
constexpr std::size_t most_named = 100;
// On a copy: the digest of the item that it was made of; and with a video, the ids of its segments that came.
constexpr std::string_view digest_name = "migrated", came_name = "migrated_segments";
constexpr std::string_view segment_mark = "segment ";

std::set<std::string> strings_of(const Item& item, std::string_view name) {
  std::vector<std::string> found;
  if (const auto* attribute = find(item, name)) read_attribute(found, *attribute);
  return {found.begin(), found.end()};
}

// How a video's item says that this item came. Of a table of segments alone many are of one video, and each
// has its mark.
std::string mark_of(const ConvertedItem& converted, const Item& old) {
  return std::string(converted.video ? "" : segment_mark) + digest_of(old);
}

bool is_removed(const Item& video) {
  return claim_of(video).is_removed;
}

// What another service or run wrote since differs from what the copy was when it was made.
bool is_untouched(const Item& copy) {
  Item content = copy;
  content.erase(std::string(digest_name));
  // The post that is followed is read by our service itself, asked or not.
  content.erase("followed");
  return digest_of(std::move(content)) == text_of(copy, digest_name);
}

Item with_digest(Item segment) {
  Item content = segment;
  content.erase("followed");
  segment[std::string(digest_name)] = text(digest_of(std::move(content)));
  return segment;
}

void name_one(std::vector<std::string>& in, std::string sentence) {
  if (in.size() < most_named) in.push_back(std::move(sentence));
}

std::string shown_key(const Item& old) {
  std::string json;
  for (const char* name : {"video_id", "segment_id", "id"})
    if (const auto* value = find(old, name)) {
      json += std::string(json.empty() ? "" : ", ") + name + " ";
      encode_attribute(json, *value);
    }
  return json.empty() ? "an item without video_id" : json;
}

// Runs f for each of them on a few threads; what one throws is thrown when all have ended.
template <class T>
void for_each_at_once(const std::vector<T>& all, const std::function<void(const T&)>& f) {
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < std::min<std::size_t>(workers, all.size()); ++t)
      threads.emplace_back([&] {
        try {
          for (std::size_t i; (i = next++) < all.size();) f(all[i]);
        } catch (...) {
          std::lock_guard lock(mutex);
          failure = std::current_exception();
          next = all.size();
        }
      });
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

Migration::Migration(Table& old, Table& ours, std::function<void(const std::string&)> tell)
    : old_(old), ours_(ours), tell_(std::move(tell)) {
  if (old.name() == ours.name())
    throw Error(ErrorKind::invalid, "The old table and the new one are the same: " + old.name() + ".");
}

MigrationReport Migration::run() {
  MigrationReport report;
  Item from = find_progress();
  if (!from.empty()) tell_("Going on where the last run had come to.");
  for (bool is_done = false; !is_done && report.passes < most_passes;) {
    Pass one;
    const bool is_whole = from.empty();
    pass(one, std::move(from));
    from.clear();
    ++report.passes;
    report.copied += one.copied;
    tell_("Pass " + std::to_string(report.passes) + ": " + std::to_string(one.items) + " items read, " +
          std::to_string(one.copied) + " copied.");
    is_done = is_whole && one.copied == 0;
  }
  verify(report);
  ++report.passes;
  return report;
}

void Migration::pass(Pass& one, Item from) {
  Scan scan{.is_strong = true, .limit = page_size, .from = std::move(from)};
  do {
    auto page = old_.scan(scan);
    copy_page(one, page.items);
    note_progress(page.last);
    scan.from = std::move(page.last);
  } while (!scan.from.empty());
}

void Migration::copy_page(Pass& one, const std::vector<Item>& items) {
  std::vector<Key> keys;
  for (const auto& item : items)
    if (auto converted = convert_old_item(item)) keys.push_back(video_key(converted->video_id));
  const auto known = find_items(ours_, std::move(keys));
  for_each_at_once<Item>(items, [&](const Item& item) {
    auto converted = convert_old_item(item);
    if (!converted) return;
    auto at = known.find(video_key(converted->video_id));
    if (copy(item, at == known.end() ? nullptr : &at->second)) ++one.copied;
  });
  one.items += std::ssize(items);
}

// Segments first, the video with the digest last: whoever is killed in between does it all again.
bool Migration::copy(const Item& old, const Item* known) {
  auto converted = *convert_old_item(old);
  const Item none, &video = known ? *known : none;
  if (is_removed(video)) return false;
  const auto mark = mark_of(converted, old);
  if (strings_of(video, digest_name).contains(mark)) return false;
  std::vector<Key> keys;
  for (const auto& segment : converted.segments) keys.push_back(key_of(segment));
  const auto there = find_items(ours_, std::move(keys));
  const auto came = strings_of(video, came_name);
  for (const auto& segment : converted.segments) {
    auto at = there.find(key_of(segment));
    copy_segment(segment, at == there.end() ? nullptr : &at->second,
                 came.contains(text_of(segment, "segment_id")), known);
  }
  // Counted anew when it is asked for next.
  if (!converted.segments.empty()) ours_.remove({.key = {"#user#" + converted.user_id, "#COUNT"}});
  copy_video(converted, video, mark);
  return true;
}

void Migration::copy_segment(const Item& segment, const Item* there, bool was_copied, const Item* video) {
  if (!there && was_copied && video) return;   // our service removed it since
  if (there && !is_untouched(*there)) return;  // and this one it has changed
  Item item = with_digest(segment);
  if (there && text_of(*there, digest_name) == text_of(item, digest_name)) return;
  const auto stored = read_segment(item);
  const auto followed = follow_posts({}, stored->segment.social_media_usage, now_ms());
  put_hints(ours_, stored->segment.segment_id, {}, followed);
  item["followed"] = attribute_of_followed(followed);
  Terms terms;
  auto condition = there ? terms.name(digest_name) + " = " + terms.value(text_of(*there, digest_name))
                         : "attribute_not_exists(" + terms.name("segment_id") + ")";
  // Where the condition fails somebody else was faster, this very migration in another process perhaps.
  ours_.put({.item = std::move(item), .condition = std::move(condition), .terms = std::move(terms)});
}

void Migration::copy_video(const ConvertedItem& converted, const Item& known, const std::string& mark) {
  const auto key = video_key(converted.video_id);
  std::vector<std::string> ids;
  for (const auto& segment : converted.segments) ids.push_back(text_of(segment, "segment_id"));
  // Ours to write as long as our service has not: its videos have a revision.
  if (converted.video && !find(known, "revision")) {
    Item item = *converted.video;
    auto came = strings_of(known, came_name);
    came.insert(ids.begin(), ids.end());
    if (!came.empty()) item[std::string(came_name)] = {Attribute::Strings{{came.begin(), came.end()}}};
    auto marks = strings_of(known, digest_name);
    std::erase_if(marks, [](const std::string& one) { return !one.starts_with(segment_mark); });
    marks.insert(mark);
    item[std::string(digest_name)] = {Attribute::Strings{{marks.begin(), marks.end()}}};
    Terms terms;
    auto condition = "attribute_not_exists(" + terms.name("revision") + ") AND attribute_not_exists(" +
                     terms.name("removed") + ")";
    if (ours_.put({.item = std::move(item), .condition = std::move(condition), .terms = std::move(terms)})
            .is_done)
      return;
  }
  claim(ours_, converted.video_id, converted.user_id);
  Terms terms;
  Changes changes;
  changes.add(terms.name(digest_name), terms.value({Attribute::Strings{{mark}}}));
  if (!ids.empty()) changes.add(terms.name(came_name), terms.value({Attribute::Strings{ids}}));
  ours_.update({.key = key, .update = changes.text(), .terms = std::move(terms), .repeat = Repeat::safe});
}

void Migration::note_progress(const Item& last) {
  const Key key{"#migration#" + old_.name(), "#PROGRESS"};
  if (last.empty()) {
    ours_.remove({.key = key});
    return;
  }
  Item item = item_of(key);
  item["last"] = {last};
  ours_.put({.item = std::move(item)});
}

Item Migration::find_progress() {
  auto item = ours_.get({"#migration#" + old_.name(), "#PROGRESS"}, true);
  const auto* last = item ? find(*item, "last") : nullptr;
  const auto* key = last ? std::get_if<Item>(&last->value) : nullptr;
  return key ? *key : Item{};
}

void Migration::verify(MigrationReport& report) {
  Scan scan{.is_strong = true, .limit = page_size};
  do {
    auto page = old_.scan(scan);
    verify_page(report, page.items);
    scan.from = std::move(page.last);
  } while (!scan.from.empty());
}

void Migration::verify_page(MigrationReport& report, const std::vector<Item>& items) {
  std::vector<ConvertedItem> converted;
  std::vector<Key> keys;
  std::vector<std::string> marks;
  for (const auto& item : items) {
    ++report.old_items;
    auto one = convert_old_item(item);
    if (!one) {
      name_one(report.strange, shown_key(item));
      continue;
    }
    keys.push_back(video_key(one->video_id));
    for (const auto& segment : one->segments) keys.push_back(key_of(segment));
    marks.push_back(mark_of(*one, item));
    converted.push_back(std::move(*one));
  }
  const auto found = find_items(ours_, std::move(keys));
  for (std::size_t i = 0; i < converted.size(); ++i) {
    const auto& one = converted[i];
    auto at = found.find(video_key(one.video_id));
    const Item none, &video = at == found.end() ? none : at->second;
    const bool is_gone = is_removed(video);
    const auto came = strings_of(video, came_name);
    if (!is_gone && !strings_of(video, digest_name).contains(marks[i])) ++report.changed;
    if (one.video) {
      ++report.videos;
      if (is_gone)
        ++report.removed_since;
      else if (!find(video, "upload_date"))
        name_one(report.missing, "the video " + one.video_id);
    }
    for (const auto& segment : one.segments) {
      ++report.segments;
      if (find(segment, "rebuilt")) ++report.rebuilt;
      if (found.contains(key_of(segment))) continue;
      if (is_gone || came.contains(text_of(segment, "segment_id")))
        ++report.removed_since;
      else
        name_one(report.missing, "the segment " + text_of(segment, "segment_id"));
    }
  }
}

}  // namespace segments::dynamodb

#include "dynamodb/archive.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <iterator>
#include <mutex>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/text.h"
#include "describe/decode.h"
#include "dynamodb/archive_items.h"
#include "dynamodb/segment_history.h"
#include "dynamodb/segment_item.h"
#include "dynamodb/totals.h"
#include "dynamodb/waiting_videos.h"

namespace segments::dynamodb {
namespace {

constexpr std::size_t put_at_once = 100;  // what one thread writes at a time
constexpr int writers = 8;
constexpr std::string_view note_prefix = "#move#";

// --- Cursors: 0 or 1 (the readings), and the key behind which the page begins. ---

struct Place {
  bool is_of_readings = false;
  std::optional<Key> after;
};

Place parse_place(std::string_view cursor) {
  if (cursor.empty()) return {};
  Place place{.is_of_readings = cursor.front() == '1', .after = {}};
  const auto parts = split(cursor.substr(1), '|');
  if (parts.size() != 2) return place;
  auto video_id = percent_decode(parts[0]), segment_id = percent_decode(parts[1]);
  if (!video_id || !segment_id) throw Error(ErrorKind::invalid, "The place to go on from is not understood.");
  place.after = Key{std::move(*video_id), std::move(*segment_id)};
  return place;
}

std::string text_of_place(bool is_of_readings, const Item& last) {
  std::string out = is_of_readings ? "1" : "0";
  if (last.empty()) return out;
  const auto key = key_of(last);
  return out + percent_encode(key.video_id) + "|" + percent_encode(key.segment_id);
}

bool has_expired(const Record& record, Millis as_of) {
  const auto* request = std::get_if<RequestRecord>(&record);
  return request && request->expires_at_s <= as_of / 1'000;
}

// Runs f(0) to f(count - 1) on a few threads; what one throws is thrown when all have ended.
void run_at_once(std::size_t count, const std::function<void(std::size_t)>& f) {
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < std::min<std::size_t>(writers, count); ++t)
      threads.emplace_back([&] {
        try {
          for (std::size_t i; (i = next++) < count;) f(i);
        } catch (...) {
          std::lock_guard lock(mutex);
          failure = std::current_exception();
          next = count;
        }
      });
  }
  if (failure) std::rethrow_exception(failure);
}

// Some records with what is there of them.
struct Found {
  std::map<Key, Item> segments;          // of readings
  std::vector<std::optional<Key>> keys;  // of each record
  std::map<Key, Item> items;
  std::vector<std::optional<Record>> there;  // under each record's id
};

Found find_all(Table& table, std::span<const Record> records, std::vector<Key> others = {}) {
  Found found;
  if (auto keys = keys_of_segments(records); !keys.empty())
    found.segments = find_items(table, std::move(keys));
  for (const auto& record : records) {
    found.keys.push_back(key_of_record(record, found.segments));
    if (found.keys.back()) others.push_back(*found.keys.back());
  }
  found.items = find_items(table, std::move(others));
  std::vector<Item> items;
  for (const auto& [key, item] : found.items) items.push_back(item);
  const RecordItems known(table, std::move(items));
  for (const auto& key : found.keys) {
    auto at = key ? found.items.find(*key) : found.items.end();
    found.there.push_back(at == found.items.end() ? std::nullopt : known.record_of(at->second));
  }
  return found;
}

Key count_key(const std::string& user_id) {
  return {"#user#" + user_id, "#COUNT"};
}

// Those of the users' counts that somebody asked for while records come.
std::vector<Key> keys_of_counts(std::span<const Record> records) {
  std::set<Key> keys;
  for (const auto& record : records)
    if (const auto* segment = std::get_if<SegmentRecord>(&record))
      keys.insert(count_key(segment->segment.user_id));
  return {keys.begin(), keys.end()};
}

// The record is in one item; what was added elsewhere since is in it or is to go.
void add_keys_of_parts(const Record& record, std::vector<Key>& keys) {
  if (const auto* total = std::get_if<TotalRecord>(&record))
    std::ranges::move(other_keys_of_total(total->name), std::back_inserter(keys));
}

bool is_waiting(const Record& record) {
  const auto* video = std::get_if<VideoRecord>(&record);
  return video && video->video && video->video->status == VideoStatus::QUEUED &&
         !video->task_arguments.empty();
}

// Hints first, what they lead to next, what is led to no more last.
class Writing {
 public:
  Writing(Table& table, PutReport& report) : table_(table), report_(report) {}

  void add(const Record& record, const Key& key, const Item* there) {
    auto made = make_item(record, key, there);
    if (is_waiting(record)) put_waiting_hint(table_, key.video_id);
    if (const auto* segment = std::get_if<SegmentRecord>(&record)) {
      put_hints(table_, segment->segment.segment_id, made.before, made.after);
      if (there) replaced_.push_back({*there, made});
    }
    titles_.push_back(title_of(record));
    items_.push_back(std::move(made.item));
  }

  void write(const std::vector<Key>& removals) {
    try {
      table_.batch_write(items_, removals);
      report_.changed += std::ssize(items_);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::too_large && error.kind() != ErrorKind::internal) throw;
      write_each();
    }
    for (const auto& [item, made] : replaced_) {
      auto before = read_segment(item);
      if (!before) continue;
      drop_hints(table_, before->segment.segment_id, made.before, made.after);
      if (made.has_new_history) remove_history(table_, *before);
    }
  }

 private:
  // One of them is not taken; DynamoDB does not say which.
  void write_each() {
    for (std::size_t i = 0; i < items_.size(); ++i) {
      try {
        table_.put({.item = items_[i]});
        ++report_.changed;
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::too_large) throw;
        report_.refused.push_back(titles_[i] + " is larger than DynamoDB's 400 KB.");
      }
    }
  }

  struct Replaced {
    Item item;
    MadeItem made;
  };
  Table& table_;
  PutReport& report_;
  std::vector<Item> items_;
  std::vector<std::string> titles_;
  std::vector<Replaced> replaced_;
};

PutReport put_some(Table& table, std::span<const Record> records) {
  PutReport report;
  auto removals = keys_of_counts(records);
  const auto found = find_all(table, records, removals);
  std::erase_if(removals, [&](const Key& key) { return !found.items.contains(key); });
  Writing writing(table, report);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto& key = found.keys[i];
    if (!key && std::holds_alternative<SegmentRecord>(records[i]))
      report.refused.push_back(title_of(records[i]) + " has an id that does not hold its video's.");
    if (!key || found.there[i] == records[i]) continue;
    auto at = found.items.find(*key);
    writing.add(records[i], *key, at == found.items.end() ? nullptr : &at->second);
    add_keys_of_parts(records[i], removals);
  }
  writing.write(removals);
  return report;
}

}  // namespace

RecordPage DynamoArchive::list_records(std::string_view cursor, std::size_t limit, Millis as_of) {
  const auto place = parse_place(cursor);
  Scan scan{.is_strong = true, .limit = static_cast<int>(std::min<std::size_t>(limit, 10'000))};
  const auto is_history =
      "begins_with(" + scan.terms.name("video_id") + ", " + scan.terms.value("#history#") + ")";
  scan.filter = place.is_of_readings ? is_history : "NOT " + is_history;
  if (place.after) scan.from = item_of(*place.after);
  auto page = table_.scan(scan);
  const RecordItems known(table_, page.items);
  RecordPage out;
  for (const auto& item : page.items) {
    auto record = known.record_of(item);
    if (record && !has_expired(*record, as_of)) out.records.push_back(std::move(*record));
  }
  if (!page.last.empty())
    out.next = text_of_place(place.is_of_readings, page.last);
  else if (!place.is_of_readings)
    out.next = text_of_place(true, {});
  return out;
}

std::vector<std::optional<Record>> DynamoArchive::find_records(std::span<const Record> like) {
  return find_all(table_, like).there;
}

PutReport DynamoArchive::put_records(std::span<const Record> records) {
  PutReport all;
  std::mutex mutex;
  auto put_all = [&](std::span<const Record> some) {
    run_at_once((some.size() + put_at_once - 1) / put_at_once, [&](std::size_t i) {
      const auto from = i * put_at_once;
      auto report = put_some(table_, some.subspan(from, std::min(put_at_once, some.size() - from)));
      std::lock_guard lock(mutex);
      all.changed += report.changed;
      std::ranges::move(report.refused, std::back_inserter(all.refused));
    });
  };
  // A reading's key is known once its segment is there.
  const auto first = std::ranges::find_if(
      records, [](const Record& record) { return std::holds_alternative<ReadingRecord>(record); });
  const auto others = static_cast<std::size_t>(first - records.begin());
  put_all(records.first(others));
  put_all(records.subspan(others));
  return all;
}

void DynamoArchive::remove_records(std::span<const Record> records) {
  for (std::size_t from = 0; from < records.size(); from += put_at_once) {
    const auto some = records.subspan(from, std::min(put_at_once, records.size() - from));
    const auto found = find_all(table_, some, keys_of_counts(some));
    std::set<Key> removals;
    for (std::size_t i = 0; i < some.size(); ++i) {
      if (!found.keys[i] || !found.items.contains(*found.keys[i])) continue;
      removals.insert(*found.keys[i]);
      std::vector<Key> parts;
      add_keys_of_parts(some[i], parts);
      removals.insert(parts.begin(), parts.end());
      const auto* segment = std::get_if<SegmentRecord>(&some[i]);
      if (!segment) continue;
      removals.insert(count_key(segment->segment.user_id));
      auto stored = read_segment(found.items.at(*found.keys[i]));
      if (!stored) continue;
      remove_history(table_, *stored);
      drop_hints(table_, stored->segment.segment_id, stored->followed, {});
    }
    table_.batch_write({}, {removals.begin(), removals.end()});
  }
}

bool DynamoArchive::is_empty() {
  Scan scan{.is_strong = true};
  scan.filter = "NOT begins_with(" + scan.terms.name("video_id") + ", " + scan.terms.value(note_prefix) + ")";
  do {
    auto page = table_.scan(scan);
    if (!page.items.empty()) return false;
    scan.from = std::move(page.last);
  } while (!scan.from.empty());
  return true;
}

std::optional<std::string> DynamoArchive::find_note(std::string_view name) {
  auto item = table_.get({std::string(note_prefix) + std::string(name), "#NOTE"}, true);
  if (!item) return std::nullopt;
  return text_of(*item, "text");
}

void DynamoArchive::put_note(std::string_view name, std::string_view note) {
  Item item = item_of(Key{std::string(note_prefix) + std::string(name), "#NOTE"});
  item["text"] = text(note);
  table_.put({.item = std::move(item)});
}

}  // namespace segments::dynamodb

#include "move/mover.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "base/error.h"
#include "describe/decode.h"
#include "move/objects.h"

namespace segments::move {
namespace {

constexpr std::size_t most_named = 100, object_threads = 4;
constexpr Millis tell_every_ms = 2'000;
// What stores say about the time of an object is of their own clocks.
constexpr Millis clock_slack_ms = 600'000;

// An idempotency key is forgotten when it expires, whoever writes.
RecordSums lasting(RecordSums sums) {
  sums.kinds.at(2) = {};
  return sums;
}

std::int64_t count_of(const RecordSums& sums) {
  std::int64_t count = 0;
  for (const auto& kind : sums.kinds) count += kind.count;
  return count;
}

}  // namespace

Mover::Mover(Side source, Side target, Options options)
    : options_(std::move(options)),
      source_records_(source.records, [this](const std::string& fault, Millis ms) { wait(fault, ms); }),
      target_records_(target.records, [this](const std::string& fault, Millis ms) { wait(fault, ms); }),
      source_{std::move(source.name), source_records_, source.objects},
      target_{std::move(target.name), target_records_, target.objects} {}

void Mover::check_stopped() const {
  if (options_.is_stopped())
    throw Error(ErrorKind::conflict, "Stopped. The same command goes on where this one has come to.");
}

void Mover::wait(const std::string& fault, Millis ms) {
  options_.tell(fault + " Trying again in " + std::to_string(ms / 1'000) + " s.");
  check_stopped();
  options_.sleep(ms);
}

void Mover::save() {
  target_.records.put_note(note_name, encode(note_));
}

void Mover::go_on(const std::string& said) {
  check_stopped();
  const Millis now = steady_ms();
  if (now - told_ < tell_every_ms) return;
  told_ = now;
  options_.tell(said);
}

void Mover::begin() {
  auto text = target_.records.find_note(note_name);
  if (!text) {
    const bool is_empty = target_.records.is_empty() && target_.objects.list_objects("", "", 1).empty();
    if (!is_empty && !options_.overwrites)
      throw Error(ErrorKind::conflict,
                  "The target (" + target_.name +
                      ") is not empty. Take an empty one; or, with --overwrite, what is recorded there and "
                      "not in the source is removed.");
    note_ = Note{.source = source_.name, .began_empty = is_empty};
    save();
    return;
  }
  note_ = decode<Note>(*text);
  if (note_.source != source_.name)
    throw Error(
        ErrorKind::conflict,
        "The target (" + target_.name + ") holds what was moved from another source (" + note_.source + ").");
  if (note_.step != Step::done) {
    options_.tell("Going on where the last run had come to.");
    return;
  }
  options_.tell("The move was done before: looking for what has changed since.");
  const bool is_untouched = lasting(sum_records(target_.records, now_ms())) == lasting(note_.target);
  if (!is_untouched && !options_.overwrites)
    throw Error(ErrorKind::conflict,
                "The target (" + target_.name +
                    ") was written to since everything was moved there: it seems to be in service. Another "
                    "move would undo that; --overwrite does it all the same.");
  note_.step = Step::comparison;
}

Report Mover::run() {
  Report report;
  begin();
  bool is_first = true;
  while (report.passes < options_.most_passes) {
    // What was being compared is gone through again, beginning with what is cheap where nothing changed.
    if (note_.step == Step::comparison || !is_first) {
      const Millis verified = note_.pass_began;
      note_ = Note{.source = note_.source, .began_empty = note_.began_empty, .verified_before = verified};
    }
    is_first = false;
    const auto before = report;
    pass(report);
    if (!is_alike(report)) {
      const auto removed = prune(report);
      const bool is_stuck = removed == 0 && report.changed_records == before.changed_records &&
                            report.copied_objects == before.copied_objects;
      if (is_stuck) break;
      continue;
    }
    report.has_changed = !is_source_unchanged(report);
    if (report.has_changed) continue;
    report.is_alike = true;
    note_.step = Step::done;
    note_.target = report.target_records;
    save();
    return report;
  }
  name_differences(report, false);
  return report;
}

void Mover::pass(Report& report) {
  ++report.passes;
  if (note_.pass_began == 0) note_.pass_began = now_ms();
  if (note_.step == Step::objects) {
    move_objects(report);
    note_.step = Step::records;
    save();
  }
  if (note_.step == Step::records) {
    move_records(report);
    note_.step = Step::comparison;
    save();
  }
  report.source_objects = note_.objects;
  report.source_records = note_.records;
}

void Mover::move_objects(Report& report) {
  for_each_page(source_.objects, note_.object_after, options_.objects_at_once, [&](const auto& page) {
    std::mutex mutex;
    std::exception_ptr failure;
    std::atomic<std::size_t> next = 0;
    auto work = [&] {
      for (std::size_t i; (i = next++) < page.size();) {
        try {
          const bool is_verified = page[i].modified + clock_slack_ms < note_.verified_before;
          auto outcome = copy_object(source_.objects, target_.objects, page[i], is_verified);
          std::lock_guard lock(mutex);
          report.copied_objects += outcome.is_copied ? 1 : 0;
          report.copied_bytes += outcome.copied;
          if (!outcome.fault.empty()) options_.tell(outcome.fault);
        } catch (...) {
          std::lock_guard lock(mutex);
          failure = std::current_exception();
          next = page.size();
        }
      }
    };
    {
      std::vector<std::jthread> threads;
      for (std::size_t t = 0; t < std::min(object_threads, page.size()); ++t) threads.emplace_back(work);
    }
    if (failure) std::rethrow_exception(failure);
    for (const auto& info : page) add_to_sums(note_.objects, info);
    note_.object_after = page.back().key;
    save();
    go_on("Objects: " + std::to_string(note_.objects.contents.count) + " gone through, " +
          std::to_string(note_.objects.bytes) + " bytes; " + std::to_string(report.copied_objects) +
          " copied.");
    return true;
  });
}

void Mover::move_records(Report& report) {
  // A run that was killed has listed by the same time.
  for (;;) {
    auto page = source_.records.list_records(note_.record_cursor, options_.records_at_once, note_.pass_began);
    auto put = target_.records.put_records(page.records);
    report.changed_records += put.changed;
    for (const auto& sentence : put.refused) options_.tell("Not taken: " + sentence);
    for (const auto& record : page.records) note_.records.add(record);
    note_.record_cursor = page.next;
    if (page.next.empty()) return;
    save();
    go_on("Records: " + std::to_string(count_of(note_.records)) + " gone through, " +
          std::to_string(report.changed_records) + " written.");
  }
}

// Those of the target that are in the source, too: others were in its store before, and are no business of
// ours.
ObjectSums Mover::sum_moved_objects() {
  ObjectSums sums;
  for_each_page(source_.objects, "", options_.records_at_once, [&](const auto& page) {
    for (const auto& info : page) {
      if (auto there = target_.objects.find_object(info.key)) add_to_sums(sums, *there);
      go_on("Target: " + std::to_string(sums.contents.count) + " objects found.");
    }
    return true;
  });
  return sums;
}

bool Mover::is_alike(Report& report) {
  options_.tell("Comparing.");
  report.target_records = sum_records(target_.records, note_.pass_began);
  report.target_objects =
      note_.began_empty
          ? sum_objects(target_.objects,
                        [&](const ObjectSums& sums) {
                          go_on("Target: " + std::to_string(sums.contents.count) + " objects listed.");
                        })
          : sum_moved_objects();
  return report.target_records == report.source_records &&
         report.target_objects.contents == report.source_objects.contents;
}

bool Mover::is_source_unchanged(const Report& report) {
  return sum_records(source_.records, note_.pass_began) == report.source_records &&
         sum_objects(source_.objects, [&](const ObjectSums& sums) {
           go_on("Source: " + std::to_string(sums.contents.count) + " objects listed.");
         }) == report.source_objects;
}

std::int64_t Mover::prune(Report& report) {
  std::int64_t removed = 0;
  std::string cursor;
  do {
    auto page = target_.records.list_records(cursor, options_.records_at_once, note_.pass_began);
    const auto there = source_.records.find_records(page.records);
    std::vector<Record> gone;
    for (std::size_t i = 0; i < page.records.size(); ++i)
      if (!there[i]) gone.push_back(std::move(page.records[i]));
    if (!gone.empty()) target_.records.remove_records(gone);
    removed += std::ssize(gone);
    cursor = std::move(page.next);
    go_on("Looking for what is no longer in the source.");
  } while (!cursor.empty());
  report.removed_records += removed;
  const auto removed_objects = note_.began_empty ? prune_objects() : 0;
  report.removed_objects += removed_objects;
  return removed + removed_objects;
}

std::int64_t Mover::prune_objects() {
  std::int64_t removed = 0;
  for_each_page(target_.objects, "", options_.records_at_once, [&](const auto& page) {
    for (const auto& info : page) {
      if (source_.objects.find_object(info.key)) continue;
      target_.objects.remove_object(info.key);
      ++removed;
    }
    go_on("Looking for objects that are no longer in the source.");
    return true;
  });
  return removed;
}

Report Mover::compare() {
  Report report;
  if (auto text = target_.records.find_note(note_name)) note_ = decode<Note>(*text);
  const Millis now = now_ms();
  auto tell = [&](const ObjectSums&) { go_on("Listing objects."); };
  report.source_records = sum_records(source_.records, now);
  report.target_records = sum_records(target_.records, now);
  report.source_objects = sum_objects(source_.objects, tell);
  report.target_objects = sum_objects(target_.objects, tell);
  name_differences(report, true);
  report.is_alike = report.differences == 0;
  return report;
}

void Mover::name_one(Report& report, std::string sentence) {
  ++report.differences;
  if (report.named.size() < most_named) report.named.push_back(std::move(sentence));
}

void Mover::name_differences(Report& report, bool reads_objects) {
  options_.tell("Looking for the differences.");
  name_records(report, false);
  name_records(report, true);
  name_objects(report, reads_objects);
}

void Mover::name_records(Report& report, bool is_backwards) {
  Archive& listed = is_backwards ? target_.records : source_.records;
  Archive& other = is_backwards ? source_.records : target_.records;
  const Millis now = now_ms();
  std::string cursor;
  do {
    auto page = listed.list_records(cursor, options_.records_at_once, now);
    const auto there = other.find_records(page.records);
    for (std::size_t i = 0; i < page.records.size(); ++i) {
      if (!there[i])
        name_one(report, (is_backwards ? "only in the target: " : "missing: ") + title_of(page.records[i]));
      else if (!is_backwards && *there[i] != page.records[i])
        name_one(report, "differs: " + title_of(page.records[i]));
    }
    cursor = std::move(page.next);
    go_on("Comparing records one by one.");
  } while (!cursor.empty());
}

void Mover::name_objects(Report& report, bool reads) {
  auto look = [&](ObjectStore& listed, bool is_backwards) {
    for_each_page(listed, "", options_.records_at_once, [&](const auto& page) {
      for (const auto& info : page) {
        if (is_backwards && source_.objects.find_object(info.key)) continue;
        auto sentence = difference_of(source_.objects, target_.objects, info.key, reads);
        if (!sentence.empty()) name_one(report, std::move(sentence));
        go_on("Comparing objects one by one.");
      }
      return true;
    });
  };
  look(source_.objects, false);
  if (note_.began_empty) look(target_.objects, true);
}

}  // namespace segments::move

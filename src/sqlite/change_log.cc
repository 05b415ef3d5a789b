#include "sqlite/change_log.h"

#include <algorithm>
#include <array>

#include "sqlite/event_log.h"
#include "sqlite/users.h"

namespace segments::sqlite {

namespace {

constexpr std::int64_t kept = 50'000;  // transactions
constexpr std::int64_t trimmed_at_once = 256;
constexpr std::int64_t no_segment = 0;  // which no row has

// Seven bits a byte, the lowest first; all but the last have the eighth set.
void append_number(std::string& bytes, std::int64_t number) {
  auto rest = static_cast<std::uint64_t>(number);
  for (; rest >= 0x80; rest >>= 7) bytes += static_cast<char>(rest | 0x80);
  bytes += static_cast<char>(rest);
}

std::int64_t take_number(std::string_view& bytes) {
  std::uint64_t number = 0;
  for (int shift = 0; !bytes.empty() && shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    number |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return static_cast<std::int64_t>(number);
}

void forget_old(Connection& connection, std::int64_t newest) {
  if (newest % trimmed_at_once == 0)
    connection.run("DELETE FROM \"changes\" WHERE \"position\" <= ?", newest - kept);
}

}  // namespace

void make_change_log(Connection& connection) {
  connection.run_script(
      "CREATE TABLE \"changes\" (\"position\" INTEGER PRIMARY KEY, \"segments\" BLOB NOT NULL);");
}

void note_change(Connection& connection, std::int64_t user_ref, std::int64_t segment_ref, SegmentType type,
                 int count) {
  connection.notes().changes.push_back({user_ref, segment_ref, static_cast<int>(type), count});
  if (!connection.keeps_notes()) write_notes(connection);
}

void note_shown(Connection& connection, std::int64_t user_ref) {
  note_change(connection, user_ref, no_segment);
}

void write_notes(Connection& connection) {
  write_noted_events(connection);
  auto& notes = connection.notes().changes;
  if (notes.empty()) return;
  std::ranges::stable_sort(notes, {}, &Notes::Change::user_ref);
  std::string bytes;  // of each user: the user, how many segments, which
  for (auto note = notes.begin(); note != notes.end();) {
    const auto user_ref = note->user_ref;
    const auto end =
        std::find_if(note, notes.end(), [&](const Notes::Change& n) { return n.user_ref != user_ref; });
    const auto logged = std::count_if(note, end, [](const auto& n) { return n.segment_ref != no_segment; });
    if (logged) {
      append_number(bytes, user_ref);
      append_number(bytes, logged);
    }
    SegmentCounts counts{};
    for (; note != end; ++note) {
      if (note->segment_ref != no_segment) append_number(bytes, note->segment_ref);
      counts[static_cast<std::size_t>(note->type)] += note->count;
    }
    add_counts(connection, user_ref, counts);
  }
  notes.clear();
  if (bytes.empty()) return;
  auto insert = connection.prepare("INSERT INTO \"changes\" (\"segments\") VALUES (?)");
  insert.bind_bytes(1, bytes);
  insert.run();
  forget_old(connection, connection.last_row_id());
}

std::int64_t newest_change(Connection& connection) {
  return connection.find_integer("SELECT max(\"position\") FROM \"changes\"").value_or(0);
}

std::optional<std::vector<std::int64_t>> list_changes(Connection& connection, std::int64_t user_ref,
                                                      std::int64_t after) {
  std::vector<std::int64_t> changed;
  auto select = connection.prepare(
      "SELECT \"position\", \"segments\" FROM \"changes\" WHERE \"position\" > ? ORDER BY \"position\"");
  select.with(after);
  for (auto expected = after + 1; select.step(); ++expected) {
    if (select.integer(0) != expected) return std::nullopt;
    for (auto bytes = select.bytes(1); !bytes.empty();) {
      const bool is_of_user = take_number(bytes) == user_ref;
      for (auto left = take_number(bytes); left > 0 && !bytes.empty(); --left) {
        const auto segment_ref = take_number(bytes);
        if (is_of_user) changed.push_back(segment_ref);
      }
    }
  }
  return changed;
}

}  // namespace segments::sqlite

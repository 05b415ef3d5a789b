#include "sqlite/archive.h"

#include "sqlite/archive_rows.h"

namespace segments::sqlite {
namespace {

std::optional<Record> find_any(Connection& connection, const Record& like) {
  return std::visit(
      [&](const auto& one) -> std::optional<Record> {
        auto found = find_record(connection, one);
        if (!found) return std::nullopt;
        Record record(std::move(*found));
        make_canonical(record);
        return record;
      },
      like);
}

bool put_any(Connection& connection, const Record& record) {
  if (const auto* reading = std::get_if<ReadingRecord>(&record))
    if (has_no_segment(connection, *reading)) return false;
  if (find_any(connection, record) == record) return false;
  std::visit([&](const auto& one) { put_record(connection, one); }, record);
  return true;
}

}  // namespace

void make_archive_tables(Connection& connection) {
  connection.run_script(
      "CREATE TABLE \"notes\" (\"name\" TEXT PRIMARY KEY, \"text\" TEXT NOT NULL) WITHOUT ROWID;"
      "CREATE TABLE \"foreign_attributes\" (\"kind\" TEXT NOT NULL, \"id\" TEXT NOT NULL, \"json\" TEXT NOT "
      "NULL, PRIMARY KEY (\"kind\", \"id\")) WITHOUT ROWID;");
}

void forget_foreign_attributes(Connection& connection, std::string_view kind, std::string_view id) {
  connection.run("DELETE FROM \"foreign_attributes\" WHERE \"kind\" = ? AND \"id\" = ?", kind, id);
}

RecordPage SqliteArchive::list_records(std::string_view cursor, std::size_t limit, Millis as_of) {
  auto page = database_.read_snapshot(
      [&](Connection& connection) { return sqlite::list_records(connection, cursor, limit, as_of); });
  for (auto& record : page.records) make_canonical(record);
  return page;
}

std::vector<std::optional<Record>> SqliteArchive::find_records(std::span<const Record> like) {
  return database_.read_snapshot([&](Connection& connection) {
    std::vector<std::optional<Record>> found;
    for (const auto& record : like) found.push_back(find_any(connection, record));
    return found;
  });
}

PutReport SqliteArchive::put_records(std::span<const Record> records) {
  return database_.write([&](Connection& connection) {
    PutReport report;
    for (const auto& record : records) report.changed += put_any(connection, record) ? 1 : 0;
    return report;
  });
}

void SqliteArchive::remove_records(std::span<const Record> records) {
  database_.write([&](Connection& connection) {
    for (const auto& record : records)
      std::visit([&](const auto& one) { remove_record(connection, one); }, record);
  });
}

bool SqliteArchive::is_empty() {
  return database_.read_snapshot([&](Connection& connection) {
    for (const char* table : {"claims", "videos", "removed_videos", "segments", "idempotency", "totals"})
      if (connection.find_integer("SELECT 1 FROM \"" + std::string(table) + "\" LIMIT 1")) return false;
    return true;
  });
}

std::optional<std::string> SqliteArchive::find_note(std::string_view name) {
  return database_.read([&](Connection& connection) -> std::optional<std::string> {
    auto select = connection.prepare("SELECT \"text\" FROM \"notes\" WHERE \"name\" = ?");
    if (!select.with(name).step()) return std::nullopt;
    return std::string(select.text(0));
  });
}

void SqliteArchive::put_note(std::string_view name, std::string_view text) {
  database_.write([&](Connection& connection) {
    connection.run("INSERT OR REPLACE INTO \"notes\" (\"name\", \"text\") VALUES (?, ?)", name, text);
  });
}

}  // namespace segments::sqlite

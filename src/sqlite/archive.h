// Every record of the file, for moving.
#pragma once

#include "sqlite/database.h"
#include "store/archive.h"

namespace segments::sqlite {

// A step of the schema: notes, and the attributes that another service left with records.
void make_archive_tables(Connection&);
// What goes with a segment or a video. Inside the caller's transaction.
void forget_foreign_attributes(Connection&, std::string_view kind, std::string_view id);

class SqliteArchive : public Archive {
 public:
  explicit SqliteArchive(Database& database) : database_(database) {}

  RecordPage list_records(std::string_view cursor, std::size_t limit, Millis as_of) override;
  std::vector<std::optional<Record>> find_records(std::span<const Record> like) override;
  PutReport put_records(std::span<const Record>) override;
  void remove_records(std::span<const Record>) override;
  bool is_empty() override;
  std::optional<std::string> find_note(std::string_view name) override;
  void put_note(std::string_view name, std::string_view text) override;

 private:
  Database& database_;
};

}  // namespace segments::sqlite

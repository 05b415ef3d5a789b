// Every record of the table, for moving.
#pragma once

#include "dynamodb/table.h"
#include "store/archive.h"

namespace segments::dynamodb {

class DynamoArchive : public Archive {
 public:
  explicit DynamoArchive(Table& table) : table_(table) {}

  // Reads the whole table twice: once for the readings, once for all else. A page costs what its items hold.
  RecordPage list_records(std::string_view cursor, std::size_t limit, Millis as_of) override;
  std::vector<std::optional<Record>> find_records(std::span<const Record> like) override;
  // Writes only what is not there as it is given, on a few threads, and counts a user's segments anew when
  // they are asked for next.
  PutReport put_records(std::span<const Record>) override;
  void remove_records(std::span<const Record>) override;
  bool is_empty() override;
  std::optional<std::string> find_note(std::string_view name) override;
  void put_note(std::string_view name, std::string_view text) override;

 private:
  Table& table_;
};

}  // namespace segments::dynamodb

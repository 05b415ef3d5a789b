// The head of the index of a file's write-ahead log, in memory that all processes share. Its format is
// SQLite's for good (https://sqlite.org/walformat.html, "The WAL-Index File Format").
#pragma once

#include <array>
#include <cstdint>

struct sqlite3;

namespace segments::sqlite {

class LogIndex {
 public:
  LogIndex() = default;
  // Of a file in WAL mode that the connection has read from before; it must not outlive the connection.
  explicit LogIndex(sqlite3*);
  // False where it cannot be had.
  explicit operator bool() const { return numbers_ != nullptr; }

  // Another one after each commit, of whichever process, before that commit returns.
  using State = std::array<std::uint32_t, 12>;
  State state() const;
  // Whether the log has pages that are not in the file yet.
  bool has_pages_to_move() const;

 private:
  std::uint32_t number(std::size_t place) const;

  std::uint32_t* numbers_ = nullptr;
};

}  // namespace segments::sqlite

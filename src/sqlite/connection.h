// A connection to a SQLite file and its prepared statements. A connection belongs to one thread at a time.
// Whatever SQLite reports becomes an Error: unavailable (with Retry-After) for what may pass, such as a full
// disk or a busy file, internal for the rest; the log has the details.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "base/text.h"
#include "describe/members.h"

struct sqlite3;
struct sqlite3_stmt;

namespace segments::sqlite {

class Connection;

// What the changes of the transaction under way leave to be written at its end, once for all of them.
struct Notes {
  // A segment was changed, and the count of its type by so many.
  struct Change {
    std::int64_t user_ref = 0;
    std::int64_t segment_ref = 0;
    int type = 0;  // of SegmentType
    int count = 0;
  };
  struct Event {
    std::int64_t user_ref = 0;
    std::int64_t at = 0;
    std::string type, data;
  };
  std::vector<Change> changes;
  std::vector<Event> events;

  struct Mark {
    std::size_t changes, events;
  };
  Mark mark() const { return {changes.size(), events.size()}; }
  void undo_to(const Mark& mark) {
    changes.resize(mark.changes);
    events.resize(mark.events);
  }
  bool empty() const { return changes.empty() && events.empty(); }
};

// A prepared statement in use; given back to its connection's cache at the end of its scope. Parameters count
// from 1, columns from 0. Texts that are bound must live until the statement ends.
class Statement {
 public:
  Statement(Connection&, sqlite3_stmt*, bool* in_use);
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  void bind_null(int parameter);
  void bind(int parameter, std::int64_t);
  void bind(int parameter, double);
  void bind(int parameter, std::string_view);
  void bind_copy(int parameter, std::string_view);  // of a text that does not live long enough
  void bind_bytes(int parameter, std::string_view);
  template <class T>
  void bind(int parameter, const std::optional<T>& value) {
    if (value)
      bind_value(parameter, *value);
    else
      bind_null(parameter);
  }
  // Binds parameters 1, 2, 3, ...
  template <class... T>
  Statement& with(const T&... values) {
    int parameter = 0;
    (bind_value(++parameter, values), ...);
    return *this;
  }

  bool step();         // true while there is a row
  std::int64_t run();  // to the end; rows changed by it
  bool is_null(int column);
  std::int64_t integer(int column);
  double number(int column);
  std::string_view text(int column);  // until the next step; without an address where it is NULL
  std::string_view bytes(int column);
  void reset();        // to be bound and run anew
  std::string plan();  // of EXPLAIN QUERY PLAN, for tests

 private:
  template <class T>
  void bind_value(int parameter, const T& value) {
    if constexpr (DescribedEnum<T>)
      bind(parameter, std::string_view(name_of(value)));
    else if constexpr (std::is_integral_v<T>)
      bind(parameter, static_cast<std::int64_t>(value));
    else if constexpr (std::is_floating_point_v<T>)
      bind(parameter, static_cast<double>(value));
    else if constexpr (OptionalOf<T>::value)
      bind(parameter, value);
    else
      bind(parameter, std::string_view(value));
  }
  void check(int code);

  Connection* connection_;
  sqlite3_stmt* statement_;
  bool* in_use_;  // of the cache's entry; null for a statement of its own
};

struct ConnectionOptions {
  std::filesystem::path file;
  bool read_only = false;
  int busy_timeout_ms = 15'000;
  int cache_mb = 8;
  std::int64_t max_pages = 0;
  bool gathers_log = false;  // of who commits: gathering_vfs.h
};

class Connection {
  // Statements of a thousand bytes are looked up several times a change: their ends tell them apart as well.
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const {
      constexpr std::size_t enough = 96;
      const auto size = s.size();
      if (size > enough) s.remove_prefix(size - enough);
      return std::hash<std::string_view>{}(s) + size;
    }
  };

 public:
  explicit Connection(const ConnectionOptions&);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // `sql` is prepared once; the same text again costs a lookup.
  Statement prepare(std::string_view sql);
  // Prepares, binds and runs to the end; rows changed.
  template <class... T>
  std::int64_t run(std::string_view sql, const T&... values) {
    return prepare(sql).with(values...).run();
  }
  // Several statements without parameters, not cached.
  void run_script(const std::string& sql);
  std::optional<std::int64_t> find_integer(std::string_view sql);  // first column of the first row
  std::int64_t last_row_id();
  bool in_transaction();
  // Whether it reads the file through a mapping (its first gigabyte) instead of copying pages; not at first.
  // Outside of transactions.
  void map_file(bool);
  // See change_log.h. Where nobody is there to write them at the end, each is written at once.
  Notes& notes() { return notes_; }
  // Numbers by text that are the same for good once they are committed. What is undone takes them with it.
  using Numbers = std::unordered_map<std::string, std::int64_t, Hash, std::equal_to<>>;
  Numbers& numbers() { return numbers_; }
  bool keeps_notes() const { return keeps_notes_; }
  void keep_notes() { keeps_notes_ = true; }
  sqlite3* handle() { return handle_; }
  const std::filesystem::path& file() const { return file_; }

  // Throws the Error that belongs to SQLite's result code.
  [[noreturn]] void fail(int code, const char* during);
  int busy_timeout_ms() const { return busy_timeout_ms_; }

 private:
  struct Prepared {
    sqlite3_stmt* statement = nullptr;
    bool in_use = false;
  };
  sqlite3_stmt* compile(std::string_view sql);

  std::filesystem::path file_;
  int busy_timeout_ms_;
  sqlite3* handle_ = nullptr;
  Notes notes_;
  Numbers numbers_;
  bool keeps_notes_ = false;
  bool is_mapped_ = false;
  std::unordered_map<std::string, Prepared, Hash, std::equal_to<>> statements_;
};

// Turns the file's write-ahead log on, waiting for other processes that do so at the same time.
void use_write_ahead_log(Connection&);

// BEGIN DEFERRED ... COMMIT: every read in its scope sees the same state.
class Snapshot {
 public:
  explicit Snapshot(Connection&);
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

 private:
  Connection& connection_;
};

}  // namespace segments::sqlite

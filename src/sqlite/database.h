// One SQLite file in WAL mode as a process uses it: one writer, whose transactions carry many callers'
// changes, and read connections as many as threads read at once. Generic over what is stored.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/metrics.h"
#include "base/time.h"
#include "sqlite/connection.h"
#include "sqlite/later_change.h"
#include "sqlite/log_index.h"
#include "sqlite/migrations.h"
#include "sqlite/writer.h"

namespace segments::sqlite {

struct DatabaseOptions {
  std::filesystem::path file;
  int busy_timeout_ms = 15'000;
  int cache_mb = 64;           // of the writer
  std::int64_t max_pages = 0;  // 0: no bound
  std::string name = "store";  // label of its metrics
  // Prepares every connection: registers SQL functions.
  std::function<void(Connection&)> on_open = {};
};

class Database {
 public:
  // Makes the file and its folder when absent, and migrates it.
  Database(const DatabaseOptions&, const Schema&, Metrics*);
  ~Database();

  // Runs `f(Connection&)` inside a write transaction that it may share with other callers' functions; returns
  // what `f` returned when that transaction is durable. What `f` throws undoes its own changes alone and is
  // thrown here. `f` runs on the writer's thread and may run more than once, so it must leave no trace but in
  // the database.
  template <class F>
  auto write(F&& f) {
    using Result = std::invoke_result_t<F&, Connection&>;
    if constexpr (std::is_void_v<Result>) {
      writer_->write([&](Connection& connection) { f(connection); });
    } else {
      std::optional<Result> result;
      writer_->write([&](Connection& connection) { result.emplace(f(connection)); });
      return std::move(*result);
    }
  }

  // The same for who does not wait. `f` owns what it uses.
  template <class F>
  auto write_later(F f) {
    using Result = std::invoke_result_t<F&, Connection&>;
    return Later<Result>(std::make_shared<LaterChange<F>>(*writer_, std::move(f)));
  }

  // Runs `f(Connection&)` on a read connection, which sees every commit that returned before, of whichever
  // process.
  template <class F>
  auto read(F&& f) {
    Reader reader(*this);
    return f(reader.connection());
  }
  // The same, all statements seeing one state.
  template <class F>
  auto read_snapshot(F&& f) {
    Reader reader(*this);
    if (reader.is_snapshot()) return f(reader.connection());
    Snapshot snapshot(reader.connection());
    return f(reader.connection());
  }

  // Called on the writer's thread inside each transaction that has notes. Set before the first write.
  void before_commit(std::function<void(Connection&)> f) { writer_->before_commit(std::move(f)); }
  // Called on the writer's thread after each commit; it must not block. Set before the first write.
  void after_commit(std::function<void()> f) { writer_->after_commit(std::move(f)); }
  // A connection of the caller's own, for reading.
  std::unique_ptr<Connection> open_reader();
  // Throws Error{unavailable} when the file cannot be read and written.
  void check();
  const std::filesystem::path& file() const { return options_.file; }

 private:
  struct HeldSnapshot;
  // A read connection for one call: borrowed for it, or the one that the thread holds for a batch of them.
  class Reader {
   public:
    explicit Reader(Database&);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    Connection& connection() { return *connection_; }
    bool is_snapshot() const { return held_ != nullptr; }

   private:
    Database& database_;
    HeldSnapshot* held_;
    std::unique_ptr<Connection> borrowed_;
    Connection* connection_;
  };
  HeldSnapshot* hold_snapshot();
  void note_state(const LogIndex::State&);
  std::unique_ptr<Connection> borrow();
  void give_back(std::unique_ptr<Connection>);

  DatabaseOptions options_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
  LogIndex::State seen_{};
  Millis changed_at_ = 0;
  std::unique_ptr<Writer> writer_;
};

}  // namespace segments::sqlite

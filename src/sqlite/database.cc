#include "sqlite/database.h"

#include "base/batch.h"
#include "base/error.h"
#include "sqlite/log_index.h"

namespace segments::sqlite {

namespace {

// More threads than this that read at the same moment open connections of their own for that moment.
constexpr std::size_t most_idle_readers = 64;
// After any commit SQLite lets go of a file's whole mapping, and the next read makes it anew, fault by fault,
// while the other processors are told to forget it. Without one, a read copies its pages.
constexpr Millis rest_before_mapping_ms = 100;

ConnectionOptions connection_options(const DatabaseOptions& options, bool read_only) {
  return {.file = options.file,
          .read_only = read_only,
          .busy_timeout_ms = options.busy_timeout_ms,
          .cache_mb = read_only ? 8 : options.cache_mb,
          .max_pages = options.max_pages};
}

}  // namespace

Database::Database(const DatabaseOptions& options, const Schema& schema, Metrics* metrics)
    : options_(options) {
  std::error_code error;
  if (options_.file.has_parent_path())
    std::filesystem::create_directories(options_.file.parent_path(), error);
  if (error)
    throw Error(ErrorKind::unavailable, "The folder \"" + options_.file.parent_path().string() +
                                            "\" cannot be made: " + error.message() + ".");
  auto for_changes = connection_options(options_, false);
  for_changes.gathers_log = true;
  auto connection = std::make_unique<Connection>(for_changes);
  migrate(*connection, schema);
  if (options_.on_open) options_.on_open(*connection);
  auto for_checkpoints = connection_options(options_, false);
  // A checkpoint that meets a slow reader gives way instead of making writers wait.
  for_checkpoints.busy_timeout_ms = 100;
  for_checkpoints.cache_mb = 1;
  writer_ = std::make_unique<Writer>(std::move(connection), std::make_unique<Connection>(for_checkpoints),
                                     options_.busy_timeout_ms, options_.name, metrics);
}

Database::~Database() {
  // The writer's connection goes last: closing it moves what is left in the log into the file.
  idle_.clear();
  writer_.reset();
}

std::unique_ptr<Connection> Database::open_reader() {
  auto connection = std::make_unique<Connection>(connection_options(options_, true));
  if (options_.on_open) options_.on_open(*connection);
  connection->find_integer("SELECT count(*) FROM sqlite_master");  // opens the log's index
  return connection;
}

// Beginning and ending a read transaction costs two locks of the file, more than finding a row: on a thread
// that answers many requests in a batch, one transaction goes on for as long as nobody has committed
// anything.
struct Database::HeldSnapshot {
  explicit HeldSnapshot(Database& d) : database(d), connection(d.borrow()), index(connection->handle()) {}
  ~HeldSnapshot() {
    snapshot.reset();
    database.give_back(std::move(connection));
  }
  HeldSnapshot(const HeldSnapshot&) = delete;
  HeldSnapshot& operator=(const HeldSnapshot&) = delete;

  // Afterwards the transaction sees what is committed now.
  void renew() {
    const auto now = index.state();
    // SQLite ends a transaction by itself after some errors.
    if (snapshot && now == state && connection->in_transaction()) return;
    snapshot.reset();
    database.note_state(now);
    state = now;  // of before: what is committed meanwhile only makes the next call begin anew
    snapshot.emplace(*connection);
  }

  Database& database;
  std::unique_ptr<Connection> connection;
  LogIndex index;
  LogIndex::State state{};
  std::optional<Snapshot> snapshot;
  bool is_in_use = false;  // a read within a read has a connection of its own
};

Database::HeldSnapshot* Database::hold_snapshot() {
  auto* batch = Batch::of_this_thread();
  if (!batch) return nullptr;
  auto& kept = batch->kept_for(this);
  if (!kept) kept = std::make_shared<HeldSnapshot>(*this);
  auto* held = static_cast<HeldSnapshot*>(kept.get());
  if (held->is_in_use || !held->index) return nullptr;
  held->renew();
  return held;
}

Database::Reader::Reader(Database& database)
    : database_(database),
      held_(database.hold_snapshot()),
      borrowed_(held_ ? nullptr : database.borrow()),
      connection_(held_ ? held_->connection.get() : borrowed_.get()) {
  if (held_) held_->is_in_use = true;
}

Database::Reader::~Reader() {
  if (held_)
    held_->is_in_use = false;
  else
    database_.give_back(std::move(borrowed_));
}

// The one given back last is taken first: its pages are the likeliest to be in the processor's cache.
std::unique_ptr<Connection> Database::borrow() {
  std::unique_ptr<Connection> connection;
  bool is_at_rest = false;
  {
    std::lock_guard lock(mutex_);
    is_at_rest = steady_ms() - changed_at_ >= rest_before_mapping_ms;
    if (!idle_.empty()) {
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!connection) connection = open_reader();
  connection->map_file(is_at_rest);
  return connection;
}

void Database::note_state(const LogIndex::State& state) {
  std::lock_guard lock(mutex_);
  if (state == seen_) return;
  seen_ = state;
  changed_at_ = steady_ms();
}

void Database::give_back(std::unique_ptr<Connection> connection) {
  std::lock_guard lock(mutex_);
  if (idle_.size() < most_idle_readers) idle_.push_back(std::move(connection));
}

void Database::check() {
  read([](Connection& connection) { connection.find_integer("SELECT count(*) FROM sqlite_master"); });
  // Writes the first page as it is: a full disk shows itself only to who really writes.
  write([](Connection& connection) {
    auto version = connection.find_integer("PRAGMA user_version").value_or(0);
    connection.run_script("PRAGMA user_version=" + std::to_string(version));
  });
}

}  // namespace segments::sqlite

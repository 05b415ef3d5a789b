#include "sqlite/database.h"

#include "base/error.h"

namespace segments::sqlite {

namespace {

// More threads than this that read at the same moment open connections of their own for that moment.
constexpr std::size_t most_idle_readers = 64;

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
  auto connection = std::make_unique<Connection>(connection_options(options_, false));
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
  return connection;
}

// The one given back last is taken first: its pages are the likeliest to be in the processor's cache.
std::unique_ptr<Connection> Database::borrow() {
  {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  return open_reader();
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

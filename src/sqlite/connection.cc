#include "sqlite/connection.h"

#include <sqlite3.h>

#include <chrono>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "sqlite/gathering_vfs.h"
#include "sqlite/page_cache.h"

namespace segments::sqlite {

namespace {

// Lists make a statement for each combination of filters and order; a cache without bound would keep them
// all.
constexpr std::size_t most_statements = 256;
constexpr int retry_busy_s = 1;
constexpr int retry_disk_s = 30;

void configure_once() {
  static std::once_flag once;
  // SQLite's memory statistics take a lock of the whole process on every allocation; nobody reads them.
  std::call_once(once, [] {
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    use_page_cache();
  });
}

Error error_of(int code, const std::filesystem::path& file) {
  const std::string name = "\"" + file.string() + "\"";
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Error(ErrorKind::unavailable, "The database is busy; try again.", {}, retry_busy_s);
    case SQLITE_FULL:
      return Error(ErrorKind::unavailable, "The disk is full; nothing was stored.", {}, retry_disk_s);
    case SQLITE_IOERR:
      return Error(ErrorKind::unavailable, "The disk cannot be read or written now.", {}, retry_disk_s);
    case SQLITE_CANTOPEN:
      return Error(ErrorKind::unavailable, "The database file " + name + " cannot be opened.", {},
                   retry_disk_s);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return Error(ErrorKind::unavailable, "The database file " + name + " cannot be written.", {},
                   retry_disk_s);
    case SQLITE_NOMEM:
      return Error(ErrorKind::unavailable, "There is not enough memory now; try again.", {}, retry_busy_s);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return Error(ErrorKind::internal, "The database file " + name + " is damaged or is no database.");
    default:
      return Error(ErrorKind::internal, "The database refused a statement.");
  }
}

}  // namespace

Statement::Statement(Connection& connection, sqlite3_stmt* statement, bool* in_use)
    : connection_(&connection), statement_(statement), in_use_(in_use) {
  if (in_use_) *in_use_ = true;
}

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_), statement_(other.statement_), in_use_(other.in_use_) {
  other.statement_ = nullptr;
}

Statement::~Statement() {
  if (!statement_) return;
  if (!in_use_) {
    sqlite3_finalize(statement_);
    return;
  }
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  *in_use_ = false;
}

void Statement::check(int code) {
  if (code != SQLITE_OK) connection_->fail(code, sqlite3_sql(statement_));
}

void Statement::bind_null(int parameter) {
  check(sqlite3_bind_null(statement_, parameter));
}
void Statement::bind(int parameter, std::int64_t value) {
  check(sqlite3_bind_int64(statement_, parameter, value));
}
void Statement::bind(int parameter, double value) {
  check(sqlite3_bind_double(statement_, parameter, value));
}
// An empty view may have no address, which SQLite would take for NULL.
void Statement::bind(int parameter, std::string_view value) {
  check(sqlite3_bind_text64(statement_, parameter, value.data() ? value.data() : "", value.size(),
                            SQLITE_STATIC, SQLITE_UTF8));
}
void Statement::bind_copy(int parameter, std::string_view value) {
  check(sqlite3_bind_text64(statement_, parameter, value.data() ? value.data() : "", value.size(),
                            SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Statement::bind_bytes(int parameter, std::string_view value) {
  check(sqlite3_bind_blob64(statement_, parameter, value.data(), value.size(), SQLITE_STATIC));
}
void Statement::reset() {
  sqlite3_reset(statement_);
}

bool Statement::step() {
  int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) connection_->fail(code, sqlite3_sql(statement_));
  return false;
}

std::int64_t Statement::run() {
  while (step()) continue;
  return sqlite3_changes64(connection_->handle());
}

bool Statement::is_null(int column) {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
std::int64_t Statement::integer(int column) {
  return sqlite3_column_int64(statement_, column);
}
double Statement::number(int column) {
  return sqlite3_column_double(statement_, column);
}
std::string_view Statement::text(int column) {
  // sqlite3_column_text() and sqlite3_column_bytes() look each at the whole statement anew. Values may be
  // read this way on the connection's one thread.
  auto* value = sqlite3_column_value(statement_, column);
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(value));
  if (!text) return {};
  return {text, static_cast<std::size_t>(sqlite3_value_bytes(value))};
}

std::string_view Statement::bytes(int column) {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return {bytes, bytes ? static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)) : 0};
}

std::string Statement::plan() {
  std::string lines;
  while (step()) lines.append(text(3)).append("\n");
  return lines;
}

Connection::Connection(const ConnectionOptions& options)
    : file_(options.file), busy_timeout_ms_(options.busy_timeout_ms) {
  configure_once();
  int code = sqlite3_open_v2(file_.c_str(), &handle_,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                             options.gathers_log ? gathering_vfs() : nullptr);
  try {
    if (code != SQLITE_OK) fail(code, "open");
    sqlite3_extended_result_codes(handle_, 1);
    sqlite3_busy_timeout(handle_, options.busy_timeout_ms);
    if (options.gathers_log) forget_with_rollback(handle_);
    std::string pragmas =
        "PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=0;"
        "PRAGMA journal_size_limit=201326592; PRAGMA cache_size=-" +
        std::to_string(options.cache_mb * 1024) + ";";
    if (options.max_pages) pragmas += "PRAGMA max_page_count=" + std::to_string(options.max_pages) + ";";
    // Not opened read-only: a reader must be able to recover the log after a crash.
    if (options.read_only) pragmas += "PRAGMA query_only=1;";
    run_script(pragmas);
  } catch (...) {
    sqlite3_close_v2(handle_);
    throw;
  }
}

Connection::~Connection() {
  for (auto& [sql, prepared] : statements_) sqlite3_finalize(prepared.statement);
  // Closing would do the same, but tell no hook.
  if (in_transaction()) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_close_v2(handle_);
}

sqlite3_stmt* Connection::compile(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                &statement, nullptr);
  if (code != SQLITE_OK) fail(code, std::string(sql).c_str());
  return statement;
}

Statement Connection::prepare(std::string_view sql) {
  auto found = statements_.find(sql);
  if (found != statements_.end() && !found->second.in_use)
    return Statement(*this, found->second.statement, &found->second.in_use);
  sqlite3_stmt* statement = compile(sql);
  if (found != statements_.end()) return Statement(*this, statement, nullptr);
  if (statements_.size() >= most_statements) {
    std::erase_if(statements_, [](auto& entry) {
      if (entry.second.in_use) return false;
      sqlite3_finalize(entry.second.statement);
      return true;
    });
  }
  auto& entry = statements_.emplace(std::string(sql), Prepared{statement, false}).first->second;
  return Statement(*this, statement, &entry.in_use);
}

void Connection::run_script(const std::string& sql) {
  int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code, sql.c_str());
}

std::optional<std::int64_t> Connection::find_integer(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement.step() || statement.is_null(0)) return std::nullopt;
  return statement.integer(0);
}

std::int64_t Connection::last_row_id() {
  return sqlite3_last_insert_rowid(handle_);
}
void Connection::map_file(bool is_wanted) {
  if (is_mapped_ == is_wanted) return;
  find_integer(is_wanted ? "PRAGMA mmap_size=1073741824" : "PRAGMA mmap_size=0");
  is_mapped_ = is_wanted;
}

bool Connection::in_transaction() {
  return sqlite3_get_autocommit(handle_) == 0;
}

void Connection::fail(int code, const char* during) {
  std::string reason = handle_ ? sqlite3_errmsg(handle_) : sqlite3_errstr(code);
  log_error("store.error", {{"file", file_.string()},
                            {"code", code},
                            {"reason", reason},
                            {"during", std::string_view(during).substr(0, 300)}});
  throw error_of(code, file_);
}

void use_write_ahead_log(Connection& connection) {
  // SQLite asks no busy handler while it changes the journal's mode.
  const Millis deadline = steady_ms() + connection.busy_timeout_ms();
  for (;;) {
    sqlite3_stmt* statement = nullptr;
    int code = sqlite3_prepare_v2(connection.handle(), "PRAGMA journal_mode=WAL", -1, &statement, nullptr);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    bool is_wal = code == SQLITE_ROW &&
                  std::string_view(reinterpret_cast<const char*>(sqlite3_column_text(statement, 0))) == "wal";
    sqlite3_finalize(statement);
    if (is_wal) return;
    bool is_busy = code == SQLITE_ROW || (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED;
    if (!is_busy || steady_ms() > deadline)
      connection.fail(code == SQLITE_ROW ? SQLITE_BUSY : code, "journal_mode");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

Snapshot::Snapshot(Connection& connection) : connection_(connection) {
  connection_.run("BEGIN");
}

Snapshot::~Snapshot() {
  try {
    connection_.run("COMMIT");
  } catch (const std::exception&) {
    // A read transaction that SQLite has ended by itself; the error was logged and nothing was to be written.
  }
}

}  // namespace segments::sqlite

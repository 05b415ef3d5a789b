#include "sqlite/event_log.h"

#include <chrono>

#include "base/error.h"
#include "base/log.h"
#include "sqlite/users.h"

namespace segments::sqlite {

namespace {

// Commits of other processes are found by asking; PRAGMA data_version costs about a microsecond.
constexpr auto look_every = std::chrono::milliseconds(50);
// Under load commits come by the hundred a second: what each brings goes out together with what the next ones
// do.
constexpr auto look_again_after = std::chrono::milliseconds(5);
// Removing a week's events in one transaction would hold up every writer.
constexpr std::int64_t removed_at_once = 1'000;
constexpr std::size_t rows_at_once = 16;

constexpr std::string_view select_event =
    "SELECT e.\"id\", e.\"type\", u.\"user_id\", e.\"job_id\", e.\"data\", e.\"at\" FROM \"events\" e "
    "JOIN \"users\" u ON u.\"user_ref\" = e.\"user_ref\" ";

Event read_event(Statement& row) {
  Event event{.id = row.integer(0),
              .type = std::string(row.text(1)),
              .user_id = std::string(row.text(2)),
              .job_id = std::nullopt,
              .data = std::string(row.text(4)),
              .at = row.integer(5)};
  if (!row.is_null(3)) event.job_id = row.text(3);
  return event;
}

std::int64_t newest_id(Connection& connection) {
  // Not the table's highest: after a week without events it is empty, and ids would seem to begin anew.
  return connection.find_integer("SELECT \"seq\" FROM sqlite_sequence WHERE \"name\" = 'events'").value_or(0);
}

}  // namespace

void note_event(Connection& connection, std::int64_t user_ref, Event&& event) {
  connection.notes().events.push_back({user_ref, event.at, std::move(event.type), std::move(event.data)});
  if (!connection.keeps_notes()) write_noted_events(connection);
}

// Several rows a statement: AUTOINCREMENT reads and writes its own table once for each statement. OR FAIL:
// should a row be refused, whoever wrote the transaction undoes it whole; without, SQLite copies every page
// that the statement changes, to undo its other rows.
void write_noted_events(Connection& connection) {
  static const auto insert_rows = [](std::size_t rows) {
    std::string sql =
        "INSERT OR FAIL INTO \"events\" (\"user_ref\", \"at\", \"type\", \"data\") VALUES (?, ?, ?, ?)";
    for (std::size_t row = 1; row < rows; ++row) sql += ", (?, ?, ?, ?)";
    return sql;
  };
  static const std::string one = insert_rows(1), many = insert_rows(rows_at_once);
  auto& events = connection.notes().events;
  for (std::size_t begin = 0; begin < events.size();) {
    const std::size_t rows = events.size() - begin >= rows_at_once ? rows_at_once : 1;
    auto insert = connection.prepare(rows == 1 ? one : many);
    int parameter = 0;
    for (const auto end = begin + rows; begin < end; ++begin) {
      const auto& event = events[begin];
      insert.bind(++parameter, event.user_ref);
      insert.bind(++parameter, event.at);
      insert.bind(++parameter, std::string_view(event.type));
      insert.bind(++parameter, std::string_view(event.data));
    }
    insert.run();
  }
  events.clear();
}

std::int64_t append_event(Connection& connection, std::int64_t user_ref, const Event& event) {
  write_noted_events(connection);
  connection.run(
      "INSERT INTO \"events\" (\"user_ref\", \"at\", \"type\", \"job_id\", \"data\") VALUES (?, ?, ?, ?, ?)",
      user_ref, event.at, event.type, event.job_id, event.data);
  return connection.last_row_id();
}

SqliteEventLog::SqliteEventLog(Database& database) : database_(database) {}

SqliteEventLog::~SqliteEventLog() {
  stop_watching();
}

std::int64_t SqliteEventLog::append_event(const Event& event) {
  return database_.write([&](Connection& connection) {
    return sqlite::append_event(connection, find_or_make_user(connection, event.user_id), event);
  });
}

std::vector<Event> SqliteEventLog::list_events(const EventFilter& filter, std::int64_t after,
                                               std::size_t limit) {
  return database_.read_snapshot([&](Connection& connection) {
    std::vector<Event> events;
    std::optional<std::int64_t> user_ref;
    if (filter.user_id) {
      user_ref = find_user(connection, *filter.user_id);
      if (!user_ref) return events;
    }
    std::string sql(select_event);
    sql += "WHERE e.\"id\" > ?1";
    // A job's events are few: its index is the one to walk when both are given.
    if (filter.job_id) sql += " AND e.\"job_id\" = ?2";
    if (filter.user_id) sql += filter.job_id ? " AND +e.\"user_ref\" = ?3" : " AND e.\"user_ref\" = ?3";
    sql += " ORDER BY e.\"id\" LIMIT ?4";
    auto select = connection.prepare(sql);
    select.bind(1, after);
    if (filter.job_id) select.bind(2, std::string_view(*filter.job_id));
    if (user_ref) select.bind(3, *user_ref);
    select.bind(4, static_cast<std::int64_t>(limit));
    while (select.step()) events.push_back(read_event(select));
    return events;
  });
}

std::optional<Event> SqliteEventLog::find_last_event(std::string_view job_id) {
  return database_.read([&](Connection& connection) -> std::optional<Event> {
    auto select = connection.prepare(std::string(select_event) +
                                     "WHERE e.\"job_id\" = ? ORDER BY e.\"id\" DESC LIMIT 1");
    if (!select.with(job_id).step()) return std::nullopt;
    return read_event(select);
  });
}

std::int64_t SqliteEventLog::newest_event_id() {
  return database_.read(newest_id);
}

std::int64_t SqliteEventLog::oldest_event_id() {
  return database_.read_snapshot([](Connection& connection) {
    if (auto oldest = connection.find_integer("SELECT min(\"id\") FROM \"events\"")) return *oldest;
    auto newest = newest_id(connection);
    return newest ? newest + 1 : 0;
  });
}

void SqliteEventLog::remove_events_before(Millis before) {
  // Events are appended in the order of their times but for small differences of clocks: the oldest ids are
  // looked at first, and it ends at the first thousand that has none old enough.
  for (std::int64_t removed = removed_at_once; removed == removed_at_once;) {
    removed = database_.write([&](Connection& connection) {
      return connection.run(
          "DELETE FROM \"events\" WHERE \"id\" IN (SELECT \"id\" FROM \"events\" ORDER BY \"id\" LIMIT ?) "
          "AND \"at\" < ?",
          removed_at_once, before);
    });
  }
}

void SqliteEventLog::on_new_events(std::function<void()> notify) {
  std::lock_guard lock(listener_mutex_);
  stop_watching();
  if (!notify) return;
  {
    std::lock_guard state(mutex_);
    is_watching_ = true;
  }
  watcher_ = std::thread([this, notify = std::move(notify)] { watch(notify); });
}

void SqliteEventLog::stop_watching() {
  if (!watcher_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    is_watching_ = false;
  }
  wake_.notify_one();
  watcher_.join();
}

void SqliteEventLog::look() {
  {
    std::lock_guard lock(mutex_);
    if (!is_watching_) return;
    has_committed_ = true;
  }
  wake_.notify_one();
}

void SqliteEventLog::watch(const std::function<void()>& notify) {
  std::unique_ptr<Connection> connection;
  std::int64_t seen = -1;
  std::int64_t version = -1;
  std::unique_lock lock(mutex_);
  while (is_watching_) {
    has_committed_ = false;
    lock.unlock();
    bool is_new = false;
    try {
      if (!connection) connection = database_.open_reader();
      auto version_now = connection->find_integer("PRAGMA data_version").value_or(0);
      if (version_now != version) {
        auto newest = newest_id(*connection);
        // The first look calls too: what was appended while nobody watched may be news to the listener.
        is_new = newest > seen;
        seen = newest;
        version = version_now;
      }
    } catch (const Error&) {
      connection.reset();  // opened again at the next look
    }
    if (is_new) notify();
    lock.lock();
    wake_.wait_for(lock, look_again_after, [this] { return !is_watching_; });
    wake_.wait_for(lock, look_every, [this] { return !is_watching_ || has_committed_; });
  }
}

void SqliteTotals::add_total(std::string_view name, std::int64_t n) {
  database_.write([&](Connection& connection) {
    connection.run(
        "INSERT INTO \"totals\" (\"name\", \"value\") VALUES (?, ?) ON CONFLICT (\"name\") DO UPDATE SET "
        "\"value\" = \"value\" + excluded.\"value\"",
        name, n);
  });
}

std::vector<std::pair<std::string, std::int64_t>> SqliteTotals::list_totals() {
  return database_.read([](Connection& connection) {
    std::vector<std::pair<std::string, std::int64_t>> totals;
    auto select = connection.prepare("SELECT \"name\", \"value\" FROM \"totals\" ORDER BY \"name\"");
    while (select.step()) totals.emplace_back(select.text(0), select.integer(1));
    return totals;
  });
}

}  // namespace segments::sqlite

#include "embedded_queue/embedded_queue.h"

#include <algorithm>
#include <cmath>

#include "embedded_queue/change.h"
#include "embedded_queue/schema.h"

namespace segments {

using sqlite::Connection;
using sqlite::Statement;

namespace {

std::optional<std::string> text_of(Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return std::string(row.text(column));
}

std::optional<std::string> time_of(Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return format_time(row.integer(column));
}

TaskState state_of(Statement& row, Millis now) {
  TaskState state{.task_id = std::string(row.text(0)),
                  .name = std::string(row.text(1)),
                  .user_id = std::string(row.text(2)),
                  .status = enum_from<TaskStatus>(row.text(3)).value_or(TaskStatus::PENDING),
                  .progress = row.number(4),
                  .message = text_of(row, 5),
                  .result = {},
                  .error = text_of(row, 7),
                  .retries = static_cast<int>(row.integer(8)),
                  .created_at = format_time(row.integer(9)),
                  .started_at = time_of(row, 10),
                  .finished_at = time_of(row, 11),
                  .next_attempt_at = {},
                  .worker = text_of(row, 14),
                  .parent_id = text_of(row, 15),
                  .children = row.integer(16),
                  .children_done = row.integer(17)};
  if (auto result = text_of(row, 6)) state.result = RawJson{std::move(*result)};
  bool waits = row.integer(12) < 2;
  if (waits && row.integer(13) > now) state.next_attempt_at = format_time(row.integer(13));
  return state;
}

// Of each step of priority_step(): their index is ordered by it first.
constexpr std::string_view oldest_ready_sql =
    "SELECT min(oldest) FROM (SELECT (SELECT min(ready_at) FROM task WHERE phase = 1 AND priority = column1)"
    " AS oldest FROM (VALUES (0), (3), (6), (9)))";

}  // namespace

EmbeddedQueue::EmbeddedQueue(const std::filesystem::path& file, std::function<Millis()> clock,
                             Metrics* metrics)
    : clock_(std::move(clock)) {
  sqlite::DatabaseOptions options;
  options.file = file;
  options.cache_mb = 16;
  options.name = "queue";
  database_ = std::make_unique<sqlite::Database>(options, queue_schema(), metrics);
}

EmbeddedQueue::~EmbeddedQueue() = default;

std::optional<TaskState> EmbeddedQueue::find_task(std::string_view task_id) {
  Millis now = clock_();
  return database_->read([&](Connection& connection) -> std::optional<TaskState> {
    auto row = connection.prepare(
        "SELECT id, name, user_id, status, progress, message, result, error, retries, created_at, started_at,"
        " finished_at, phase, ready_at, worker, nullif(task.parent_id, ''), coalesce(children, 0),"
        " coalesce(children_done, 0) FROM task LEFT JOIN batch ON batch.parent_id = task.id WHERE id = ?");
    if (!row.with(task_id).step()) return std::nullopt;
    return state_of(row, now);
  });
}

bool EmbeddedQueue::revoke(std::string_view task_id) {
  // A running task keeps its lease, so that nobody is told of its end while the run still goes on.
  return change(
      "UPDATE task SET untold = iif(phase = 2, 2, 0), phase = 3, status = 'REVOKED', finished_at = ?2,"
      " error = NULL WHERE id = ?1 AND phase < 3",
      task_id, clock_());
}

std::vector<DeadLetter> EmbeddedQueue::list_dead_letters(std::string_view after, std::size_t limit) {
  return database_->read([&](Connection& connection) {
    std::vector<DeadLetter> letters;
    auto row = connection.prepare(
        "SELECT id, name, arguments, error, finished_at, retries FROM task WHERE dead = 1 AND id > ?"
        " ORDER BY id LIMIT ?");
    row.with(after, std::min<std::size_t>(limit, 10'000));
    while (row.step())
      letters.push_back({std::string(row.text(0)), std::string(row.text(1)), std::string(row.text(2)),
                         std::string(row.text(3)), format_time(row.integer(4)),
                         static_cast<int>(row.integer(5))});
    return letters;
  });
}

bool EmbeddedQueue::requeue_dead_letter(std::string_view task_id) {
  return change(
      "UPDATE task SET phase = 1, status = 'PENDING', ready_at = ?2, expires = 0, retries = 0, deaths = 0,"
      " lease_until = 0, worker = NULL, progress = 0, message = NULL, error = NULL, started_at = NULL,"
      " finished_at = NULL, dead = 0, untold = 0 WHERE id = ?1 AND dead = 1",
      task_id, clock_());
}

bool EmbeddedQueue::remove_dead_letter(std::string_view task_id) {
  // The row stays as an ordinary result, which is what finds it gone after its 24 h.
  return change("UPDATE task SET dead = 0 WHERE id = ? AND dead = 1", task_id);
}

QueueHealth EmbeddedQueue::health() {
  Millis now = clock_();
  return database_->read_snapshot([&](Connection& connection) {
    QueueHealth health;
    auto total =
        connection.prepare("SELECT name, status, amount FROM total WHERE amount <> 0 ORDER BY name, status");
    while (total.step()) {
      if (auto status = enum_from<TaskStatus>(total.text(1)))
        health.counts.push_back({std::string(total.text(0)), *status, total.integer(2)});
      else
        health.dead_letters += total.integer(2);
    }
    Millis ready = connection.find_integer(oldest_ready_sql).value_or(0);
    Millis delayed = connection.find_integer("SELECT min(ready_at) FROM task WHERE phase = 0").value_or(0);
    if (delayed > now) delayed = 0;
    health.oldest_waiting = ready && delayed ? std::min(ready, delayed) : std::max(ready, delayed);
    health.newest_worker_heartbeat = connection.find_integer("SELECT max(beat_at) FROM worker").value_or(0);
    return health;
  });
}

void EmbeddedQueue::sweep() {
  Millis now = clock_(), old = now - results_kept_ms;
  bool due = database_->read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT EXISTS (SELECT 1 FROM task WHERE phase = 2 AND lease_until <= ?1)"
        " OR EXISTS (SELECT 1 FROM task WHERE phase < 2 AND expires > 0 AND expires < ?1)"
        " OR EXISTS (SELECT 1 FROM task WHERE phase = 3 AND dead = 0 AND untold = 0 AND finished_at <= ?2)"
        " OR EXISTS (SELECT 1 FROM task WHERE dead = 1 AND finished_at <= ?3)"
        " OR EXISTS (SELECT 1 FROM batch WHERE touched_at <= ?2)"
        " OR EXISTS (SELECT 1 FROM worker WHERE beat_at <= ?2)");
    return row.with(now, old, now - dead_letters_kept_ms).step() && row.integer(0) != 0;
  });
  if (!due) return;
  database_->write([&](Connection& connection) {
    end_dead_leases(connection, now);
    expire_tasks(connection, now);
    // They go on as ordinary results, which the next lines find too old.
    connection.run("UPDATE task SET dead = 0 WHERE dead = 1 AND finished_at <= ?",
                   now - dead_letters_kept_ms);
    connection.run("DELETE FROM worker WHERE beat_at <= ?", old);
  });
  // In small transactions: a day's results at once would keep every other writer waiting.
  constexpr int at_once = 500;
  while (database_->write([&](Connection& connection) {
    return connection.run(
        "DELETE FROM task WHERE seq IN (SELECT seq FROM task WHERE phase = 3 AND dead = 0 AND untold = 0"
        " AND finished_at <= ? LIMIT ?)",
        old, at_once);
  }) == at_once) {
  }
  change(
      "DELETE FROM batch WHERE touched_at <= ? AND children_done >= children"
      " AND NOT EXISTS (SELECT 1 FROM task WHERE task.id = batch.parent_id)",
      old);
}

}  // namespace segments

#include <algorithm>
#include <cmath>
#include <string>

#include "embedded_queue/change.h"

namespace segments {

using sqlite::Connection;
using sqlite::Statement;

namespace {

constexpr int deaths_allowed = 5;

// Columns of every query that gives a LeasedTask, after its seq.
LeasedTask leased_task_of(Statement& row) {
  return {.id = std::string(row.text(1)),
          .name = std::string(row.text(2)),
          .arguments = std::string(row.text(3)),
          .user_id = std::string(row.text(4)),
          .retries = static_cast<int>(row.integer(5)),
          .max_retries = static_cast<int>(row.integer(6)),
          .time_limit_s = static_cast<int>(row.integer(7)),
          .soft_time_limit_s = static_cast<int>(row.integer(8)),
          .fence = 0};
}

// Fences come from one counter of the whole file: an id that is used again after its task was swept must not
// meet a fence that an old lease still holds.
std::int64_t next_fence(Connection& connection) {
  connection.run("UPDATE fence SET last = last + 1");
  return connection.find_integer("SELECT last FROM fence").value();
}

}  // namespace

void end_dead_leases(Connection& connection, Millis now) {
  static const std::string error =
      "The worker died " + std::to_string(deaths_allowed) + " times while running it.";
  connection.run(
      "UPDATE task SET phase = 3, status = 'FAILURE', error = ?, finished_at = ?2, deaths = deaths + 1,"
      " lease_until = 0, dead = 1, untold = 1 WHERE phase = 2 AND lease_until <= ?2 AND deaths + 1 >= ?",
      error, now, deaths_allowed);
  connection.run(
      "UPDATE task SET phase = 1, status = iif(retries = 0, 'PENDING', 'RETRY'), deaths = deaths + 1,"
      " lease_until = 0, worker = NULL WHERE phase = 2 AND lease_until <= ?",
      now);
}

void expire_tasks(Connection& connection, Millis now) {
  connection.run(
      "UPDATE task SET phase = 3, status = 'REVOKED', error = 'The task was not begun before it expired.',"
      " finished_at = ?1, lease_until = 0, untold = 1 WHERE phase < 2 AND expires > 0 AND expires < ?1",
      now);
}

void EmbeddedQueue::beat(std::string_view worker) {
  change("INSERT INTO worker VALUES (?, ?) ON CONFLICT DO UPDATE SET beat_at = excluded.beat_at", worker,
         clock_());
}

std::vector<LeasedTask> EmbeddedQueue::lease_tasks(std::string_view worker, int most, int lease_ms) {
  if (most <= 0) return {};
  Millis now = clock_();
  bool due = database_->read([&](Connection& connection) {
    auto row = connection.prepare(
        "SELECT EXISTS (SELECT 1 FROM task WHERE phase = 1)"
        " OR EXISTS (SELECT 1 FROM task WHERE phase = 0 AND ready_at <= ?1)"
        " OR EXISTS (SELECT 1 FROM task WHERE phase = 2 AND lease_until <= ?1)");
    return row.with(now).step() && row.integer(0) != 0;
  });
  if (!due) return {};
  return database_->write([&](Connection& connection) {
    end_dead_leases(connection, now);
    expire_tasks(connection, now);
    connection.run("UPDATE task SET phase = 1 WHERE phase = 0 AND ready_at <= ?", now);

    std::vector<LeasedTask> tasks;
    std::vector<std::int64_t> seqs;
    auto row = connection.prepare(
        "SELECT seq, id, name, arguments, user_id, retries, max_retries, time_limit_s,"
        " soft_time_limit_s FROM task WHERE phase = 1 ORDER BY priority, ready_at, seq LIMIT ?");
    row.with(most);
    while (row.step()) {
      seqs.push_back(row.integer(0));
      tasks.push_back(leased_task_of(row));
    }
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      tasks[i].fence = next_fence(connection);
      connection.run(
          "UPDATE task SET phase = 2, status = 'STARTED', worker = ?, started_at = ?, lease_until = ?, fence "
          "= ?"
          " WHERE seq = ?",
          worker, now, now + lease_ms, tasks[i].fence, seqs[i]);
    }
    return tasks;
  });
}

bool EmbeddedQueue::renew(const LeasedTask& task, int lease_ms) {
  return change("UPDATE task SET lease_until = ?3 WHERE id = ?1 AND fence = ?2 AND phase = 2", task.id,
                task.fence, clock_() + lease_ms);
}

bool EmbeddedQueue::put_task_progress(std::string_view task_id, double progress, std::string_view message) {
  double percent = std::isnan(progress) ? 0 : std::clamp(progress, 0.0, 100.0);
  return change(
      "UPDATE task SET progress = max(progress, ?2), message = nullif(?3, '') WHERE id = ?1 AND phase = 2",
      task_id, percent, message);
}

bool EmbeddedQueue::finish(const LeasedTask& task, std::string_view result_json) {
  return change(
      "UPDATE task SET phase = 3, status = 'SUCCESS', result = ?3, error = NULL, progress = 100, finished_at "
      "= ?4,"
      " lease_until = 0 WHERE id = ?1 AND fence = ?2 AND phase = 2",
      task.id, task.fence, result_json, clock_());
}

bool EmbeddedQueue::retry(const LeasedTask& task, std::string_view error, Millis not_before) {
  Millis now = clock_();
  return change(
      "UPDATE task SET phase = ?4, status = 'RETRY', error = ?3, ready_at = ?5, retries = retries + 1, "
      "deaths = 0,"
      " lease_until = 0, worker = NULL WHERE id = ?1 AND fence = ?2 AND phase = 2",
      task.id, task.fence, error, not_before > now ? 0 : 1, std::max(not_before, now));
}

bool EmbeddedQueue::fail(const LeasedTask& task, std::string_view error) {
  return change(
      "UPDATE task SET phase = 3, status = 'FAILURE', error = ?3, finished_at = ?4, lease_until = 0, dead = "
      "1,"
      " untold = 1 WHERE id = ?1 AND fence = ?2 AND phase = 2",
      task.id, task.fence, error, clock_());
}

bool EmbeddedQueue::hand_back(const LeasedTask& task) {
  return database_->write([&](Connection& connection) {
    bool waits_again = connection.run(
        "UPDATE task SET phase = 1, status = iif(retries = 0, 'PENDING', 'RETRY'), lease_until = 0, worker = "
        "NULL"
        " WHERE id = ? AND fence = ? AND phase = 2",
        task.id, task.fence);
    // Of a run that was revoked only the lease is left to give back.
    return waits_again || connection.run(
                              "UPDATE task SET lease_until = 0 WHERE id = ? AND fence = ? AND untold = 2"
                              " AND lease_until > 0",
                              task.id, task.fence);
  });
}

std::vector<std::string> EmbeddedQueue::revoked_tasks(const std::vector<std::string>& task_ids) {
  std::vector<std::string> revoked;
  if (task_ids.empty()) return revoked;
  database_->read([&](Connection& connection) {
    for (const auto& id : task_ids) {
      auto row = connection.prepare("SELECT 1 FROM task WHERE id = ? AND status = 'REVOKED'");
      if (row.with(id).step()) revoked.push_back(id);
    }
  });
  return revoked;
}

std::vector<GivenUpTask> EmbeddedQueue::lease_given_up(int most, int lease_ms) {
  if (most <= 0) return {};
  Millis now = clock_();
  bool due = database_->read([&](Connection& connection) {
    auto row = connection.prepare("SELECT 1 FROM task WHERE untold > 0 AND lease_until <= ? LIMIT 1");
    return row.with(now).step();
  });
  if (!due) return {};
  return database_->write([&](Connection& connection) {
    std::vector<GivenUpTask> given_up;
    std::vector<std::int64_t> seqs;
    auto row = connection.prepare(
        "SELECT seq, id, name, arguments, user_id, retries, max_retries, time_limit_s, soft_time_limit_s,"
        " coalesce(error, 'The task was revoked.'), untold FROM task"
        " WHERE untold > 0 AND lease_until <= ? ORDER BY lease_until LIMIT ?");
    row.with(now, most);
    while (row.step()) {
      seqs.push_back(row.integer(0));
      given_up.push_back({leased_task_of(row), std::string(row.text(9)), row.integer(10) == 2});
    }
    for (std::size_t i = 0; i < given_up.size(); ++i) {
      given_up[i].task.fence = next_fence(connection);
      connection.run("UPDATE task SET fence = ?, lease_until = ? WHERE seq = ?", given_up[i].task.fence,
                     now + lease_ms, seqs[i]);
    }
    return given_up;
  });
}

bool EmbeddedQueue::settle_given_up(const LeasedTask& task) {
  return change("UPDATE task SET untold = 0 WHERE id = ? AND fence = ? AND untold > 0", task.id, task.fence);
}

}  // namespace segments

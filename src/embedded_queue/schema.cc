#include "embedded_queue/schema.h"

namespace segments {

namespace {

// untold: 0 nothing to tell, 1 failed or expired, 2 revoked while it ran (TaskQueue::lease_given_up).
constexpr const char* tables = R"sql(
CREATE TABLE task (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  arguments TEXT NOT NULL,
  user_id TEXT NOT NULL,
  parent_id TEXT NOT NULL,
  priority INTEGER NOT NULL,
  max_retries INTEGER NOT NULL,
  time_limit_s INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  phase INTEGER NOT NULL,
  status TEXT NOT NULL,
  ready_at INTEGER NOT NULL,
  retries INTEGER NOT NULL DEFAULT 0,
  deaths INTEGER NOT NULL DEFAULT 0,
  fence INTEGER NOT NULL DEFAULT 0,
  lease_until INTEGER NOT NULL DEFAULT 0,
  worker TEXT,
  progress REAL NOT NULL DEFAULT 0,
  message TEXT,
  result TEXT,
  error TEXT,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  dead INTEGER NOT NULL DEFAULT 0,
  untold INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX task_ready ON task (priority DESC, ready_at) WHERE phase = 1;
CREATE INDEX task_age ON task (ready_at) WHERE phase = 1;
CREATE INDEX task_delayed ON task (ready_at) WHERE phase = 0;
CREATE INDEX task_leased ON task (lease_until) WHERE phase = 2;
CREATE INDEX task_expiring ON task (expires) WHERE phase < 2 AND expires > 0;
CREATE INDEX task_old ON task (finished_at) WHERE phase = 3 AND dead = 0 AND untold = 0;
CREATE INDEX task_untold ON task (lease_until) WHERE untold > 0;
CREATE INDEX task_dead ON task (id) WHERE dead = 1;
CREATE INDEX task_dead_age ON task (finished_at) WHERE dead = 1;

CREATE TABLE fence (last INTEGER NOT NULL);
INSERT INTO fence VALUES (0);
CREATE TABLE worker (name TEXT PRIMARY KEY, beat_at INTEGER NOT NULL);

CREATE TABLE batch (
  parent_id TEXT PRIMARY KEY,
  children INTEGER NOT NULL,
  children_done INTEGER NOT NULL,
  touched_at INTEGER NOT NULL
);
CREATE INDEX batch_touched ON batch (touched_at);

CREATE TABLE total (
  name TEXT NOT NULL,
  status TEXT NOT NULL,
  amount INTEGER NOT NULL,
  PRIMARY KEY (name, status)
);
)sql";

// Totals are kept by the database itself, so that no verb can forget them; but for those of new tasks, see
// cheaper_enqueuing. DEAD stands beside the statuses: the dead letters that are kept now.
constexpr const char* triggers = R"sql(
CREATE TRIGGER task_is_new AFTER INSERT ON task BEGIN
  INSERT INTO total VALUES (new.name, new.status, 1) ON CONFLICT DO UPDATE SET amount = amount + 1;
END;
CREATE TRIGGER task_status AFTER UPDATE OF status ON task WHEN old.status <> new.status BEGIN
  UPDATE total SET amount = amount - 1
    WHERE name = old.name AND status = old.status AND status IN ('PENDING', 'STARTED', 'RETRY');
  INSERT INTO total VALUES (new.name, new.status, 1) ON CONFLICT DO UPDATE SET amount = amount + 1;
END;
CREATE TRIGGER task_dies AFTER UPDATE OF dead ON task WHEN old.dead <> new.dead BEGIN
  INSERT INTO total VALUES (new.name, 'DEAD', 1)
    ON CONFLICT DO UPDATE SET amount = amount + new.dead - old.dead;
END;
CREATE TRIGGER task_is_removed AFTER DELETE ON task WHEN old.dead = 1 BEGIN
  UPDATE total SET amount = amount - 1 WHERE name = old.name AND status = 'DEAD';
END;
CREATE TRIGGER child_is_new AFTER INSERT ON task WHEN new.parent_id <> '' BEGIN
  INSERT INTO batch VALUES (new.parent_id, 1, 0, new.created_at)
    ON CONFLICT DO UPDATE SET children = children + 1, touched_at = new.created_at;
END;
CREATE TRIGGER child_phase AFTER UPDATE OF phase ON task
  WHEN new.parent_id <> '' AND (old.phase = 3) <> (new.phase = 3) BEGIN
  UPDATE batch SET children_done = children_done + (new.phase = 3) - (old.phase = 3),
      touched_at = max(touched_at, coalesce(new.finished_at, 0))
    WHERE parent_id = new.parent_id;
END;
)sql";

// Priorities became Celery's, 0 served first in four steps, and `priority` holds the step. They were served
// from the highest to the lowest before, with 0 for the ordinary ones.
constexpr const char* celery_priorities = R"sql(
DROP INDEX task_ready;
UPDATE task SET priority = CASE WHEN priority >= 0 THEN 0 ELSE 9 END;
CREATE INDEX task_ready ON task (priority, ready_at) WHERE phase = 1;
ALTER TABLE task ADD COLUMN soft_time_limit_s INTEGER NOT NULL DEFAULT 0;
)sql";

// Tasks are queued far more often than anything else happens to them, and by one function alone, which counts
// them itself: a trigger makes SQLite keep what each INSERT would have to undo, which cost more than the row.
// The oldest of the four steps of priority is found by `task_ready` as well.
constexpr const char* cheaper_enqueuing = R"sql(
DROP TRIGGER task_is_new;
DROP TRIGGER child_is_new;
DROP INDEX task_age;
)sql";

}  // namespace

const sqlite::Schema& queue_schema() {
  static const sqlite::Schema schema{
      0x53474d51,  // "SGMQ"
      {[](sqlite::Connection& connection) {
         connection.run_script(tables);
         connection.run_script(triggers);
       },
       [](sqlite::Connection& connection) { connection.run_script(celery_priorities); },
       [](sqlite::Connection& connection) { connection.run_script(cheaper_enqueuing); }}};
  return schema;
}

}  // namespace segments

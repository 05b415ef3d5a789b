#include "sqlite/migrations.h"

#include <string>

#include "base/error.h"
#include "base/log.h"

namespace segments::sqlite {

namespace {

std::int64_t read_version(Connection& connection, const Schema& schema) {
  const std::string name = "\"" + connection.file().string() + "\"";
  auto application = connection.find_integer("PRAGMA application_id").value_or(0);
  auto version = connection.find_integer("PRAGMA user_version").value_or(0);
  bool is_empty = connection.find_integer("SELECT count(*) FROM sqlite_master").value_or(0) == 0;
  if (application != schema.application_id && !(application == 0 && version == 0 && is_empty))
    throw Error(ErrorKind::internal, "The file " + name + " is a database of another program.");
  auto known = static_cast<std::int64_t>(schema.steps.size());
  if (version > known)
    throw Error(ErrorKind::internal,
                "The database " + name + " was written by a newer version of this program (schema " +
                    std::to_string(version) + "; this one knows " + std::to_string(known) + ").");
  return version;
}

// One step, unless another process has done it meanwhile. The version after it.
std::int64_t do_next_step(Connection& connection, const Schema& schema) {
  connection.run("BEGIN IMMEDIATE");
  try {
    auto version = read_version(connection, schema);
    if (version < static_cast<std::int64_t>(schema.steps.size())) {
      schema.steps[static_cast<std::size_t>(version)](connection);
      ++version;
      connection.run_script("PRAGMA application_id=" + std::to_string(schema.application_id) +
                            "; PRAGMA user_version=" + std::to_string(version));
    }
    connection.run("COMMIT");
    return version;
  } catch (...) {
    if (connection.in_transaction()) connection.run("ROLLBACK");
    throw;
  }
}

}  // namespace

void migrate(Connection& connection, const Schema& schema) {
  std::int64_t version = 0;
  {
    // One state of the file: another process may be making the tables at this moment.
    Snapshot snapshot(connection);
    version = read_version(connection, schema);
  }
  use_write_ahead_log(connection);
  while (version < static_cast<std::int64_t>(schema.steps.size())) {
    version = do_next_step(connection, schema);
    log_info("store.migrated", {{"file", connection.file().string()}, {"schema", version}});
  }
}

}  // namespace segments::sqlite

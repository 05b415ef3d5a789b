// A file's schema, brought from any earlier version to the newest in steps that are each one transaction. The
// number of steps that were done is kept in the file (PRAGMA user_version). Several processes may start at
// once.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "sqlite/connection.h"

namespace segments::sqlite {

struct Schema {
  std::int32_t application_id;  // marks the file as this program's (PRAGMA application_id)
  std::vector<std::function<void(Connection&)>> steps;  // only ever added to at the end
};

// Throws Error{internal} when the file is of a newer version or of another program.
void migrate(Connection&, const Schema&);

}  // namespace segments::sqlite

// How the verbs of the embedded queue change one task.
#pragma once

#include "embedded_queue/embedded_queue.h"
#include "sqlite/database.h"

namespace segments {

inline constexpr Millis results_kept_ms = 24 * 3'600'000;
inline constexpr Millis dead_letters_kept_ms = 30 * results_kept_ms;

// One statement as a transaction of its own; whether it changed anything.
template <class... T>
bool EmbeddedQueue::change(std::string_view sql, const T&... values) {
  return database_->write([&](sqlite::Connection& connection) { return connection.run(sql, values...) > 0; });
}

// Within a write transaction: tasks whose leases ended wait again or, after too many deaths, fail.
void end_dead_leases(sqlite::Connection&, Millis now);
// Within a write transaction: waiting tasks that may not begin any more are revoked.
void expire_tasks(sqlite::Connection&, Millis now);

}  // namespace segments

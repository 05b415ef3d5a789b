// The tables of the embedded queue.
#pragma once

#include "sqlite/migrations.h"

namespace segments {

// Where a task stands for the queue itself; TaskStatus is what is shown of it. SQL names these by number,
// because a partial index is used only where the query repeats the index's own condition.
//   0 delayed: waits for ready_at    1 ready: the next free slot takes it    2 running: leased    3 final
const sqlite::Schema& queue_schema();

}  // namespace segments

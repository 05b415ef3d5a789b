// Tasks that failed for good, for whoever runs the service.
#pragma once

#include <ostream>
#include <string>

#include "queue/task_queue.h"

namespace segments {

// One line each, its fields parted by tabs: id, when it died, name, error. The exit code.
int list_dead_letters(TaskQueue&, std::ostream&);
// All that is known of one, as JSON. Throws Error{not_found}.
int show_dead_letter(TaskQueue&, const std::string& task_id, std::ostream&);

}  // namespace segments

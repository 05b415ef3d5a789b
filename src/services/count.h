// Counts of what has been done.
#pragma once

#include <string>

#include "services/services.h"

namespace segments {

// Adds one to a total, for something that is done already: it stays done where this fails. What the store
// does not take is missing in the total, and in the log; it may have been added, so it is not added again.
void count(Services&, const std::string& total);

}  // namespace segments

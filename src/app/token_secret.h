// The secret that tokens are signed with, where everything moves: those that were given out stay good.
#pragma once

#include <ostream>

#include "app/config.h"

namespace segments {

// SEGMENTS_AUTH_SECRET, else what the data folder holds; "" where there is none yet.
std::string find_auth_secret(const Config&);
// Puts SEGMENTS_AUTH_SECRET into the data folder. Throws Error{conflict} where another is there, and
// Error{invalid} where it is not set though tokens are asked for.
void keep_auth_secret(const Config&);
// What to set in the cloud's processes. The secret itself only if `shows_it`.
void tell_auth_secret(const Config&, bool shows_it, std::ostream&);

}  // namespace segments

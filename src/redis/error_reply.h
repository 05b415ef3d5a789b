// What error replies mean to those who asked.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "redis/reply.h"

namespace segments::redis {

// Error{unavailable} for a server that cannot do it now, Error{internal} for what it never does.
Error error_of(const Reply& error, std::string_view command);
// Another connection may fare better: to the server that is the master now, or with our name told again.
bool wants_new_connection(const Reply&);
// The text of an error reply as a sentence may carry it.
std::string shown_error(const Reply& error);

}  // namespace segments::redis

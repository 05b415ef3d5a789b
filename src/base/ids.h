// Ids that sort by the time they were made in: 26 lower-case characters of Crockford's base 32, 48 bits of
// milliseconds and 80 random bits (a ULID, https://github.com/ulid/spec, in lower case).
#pragma once

#include <string>

#include "base/time.h"

namespace segments {

std::string make_id(Millis at);
inline std::string make_id() {
  return make_id(now_ms());
}
// `bytes` random bytes of the operating system as lower-case hex.
std::string make_secret(int bytes);

}  // namespace segments

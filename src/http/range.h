// Byte ranges (RFC 9110, 14) of something whose size is known.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"

namespace segments {

struct ByteRange {
  enum class Kind { absent, satisfiable, unsatisfiable };
  Kind kind = Kind::absent;
  std::int64_t offset = 0;
  std::int64_t length = 0;
};

// Of a Range header. Several ranges, other units and nonsense count as absent: the whole is answered then.
// Unsatisfiable is a 416 with "Content-Range: bytes */{size}".
ByteRange parse_range(std::string_view header, std::int64_t size);
// Whether a Range header counts beside this If-Range header ("" when there is none). Weak tags never hold.
bool if_range_holds(std::string_view header, std::string_view etag, Millis modified);
// "bytes 0-499/1234", or "bytes */1234" when unsatisfiable.
std::string content_range(const ByteRange&, std::int64_t size);
// "Sun, 06 Nov 1994 08:49:37 GMT", as Last-Modified, Date and If-Range have it.
std::string format_http_date(Millis);

}  // namespace segments

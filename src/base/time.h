// Time as the program keeps it: milliseconds since 1970 in UTC, and its text, RFC 3339 with `Z` and exactly
// three decimals ("2026-11-22T17:00:00.123Z"), whose fixed width sorts as time does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace segments {

using Millis = std::int64_t;

Millis now_ms();
// Milliseconds of a clock that never goes back; for deadlines and durations within one process.
Millis steady_ms();
std::string format_time(Millis);
inline std::string now_text() {
  return format_time(now_ms());
}
// Takes any RFC 3339 time (any offset, any decimals) and a plain date ("2026-11-22", midnight UTC); years
// 1970-9999.
std::optional<Millis> parse_time(std::string_view);

}  // namespace segments

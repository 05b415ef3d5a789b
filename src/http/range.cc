#include "http/range.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <limits>
#include <optional>

#include "base/text.h"

namespace segments {

namespace {

// Digits only. A number beyond 2^63 is still a number: it lies behind the end of every file.
std::optional<std::int64_t> parse_position(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  return parse_integer(text).value_or(std::numeric_limits<std::int64_t>::max());
}

}  // namespace

ByteRange parse_range(std::string_view header, std::int64_t size) {
  using Kind = ByteRange::Kind;
  auto equals = header.find('=');
  if (equals == std::string_view::npos || lower_ascii(trim(header.substr(0, equals))) != "bytes") return {};
  auto range = trim(header.substr(equals + 1));
  auto dash = range.find('-');
  if (dash == std::string_view::npos) return {};
  auto first = range.substr(0, dash);
  auto last = parse_position(range.substr(dash + 1));
  if (!last && dash + 1 != range.size()) return {};
  if (first.empty()) {
    if (!last) return {};
    auto length = std::min(*last, size);
    if (length == 0) return {Kind::unsatisfiable, 0, 0};
    return {Kind::satisfiable, size - length, length};
  }
  auto offset = parse_position(first);
  if (!offset || (last && *last < *offset)) return {};
  if (*offset >= size) return {Kind::unsatisfiable, 0, 0};
  auto end = last ? std::min(*last, size - 1) : size - 1;
  return {Kind::satisfiable, *offset, end - *offset + 1};
}

bool if_range_holds(std::string_view header, std::string_view etag, Millis modified) {
  header = trim(header);
  if (header.empty()) return true;
  if (header.starts_with("W/")) return false;
  if (header.starts_with('"')) return header == etag;
  return header == format_http_date(modified);
}

std::string content_range(const ByteRange& range, std::int64_t size) {
  if (range.kind == ByteRange::Kind::unsatisfiable) return "bytes */" + std::to_string(size);
  return "bytes " + std::to_string(range.offset) + "-" + std::to_string(range.offset + range.length - 1) +
         "/" + std::to_string(size);
}

std::string format_http_date(Millis at) {
  static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::time_t seconds = at / 1000;
  std::tm t{};
  gmtime_r(&seconds, &t);
  std::array<char, 80> text;
  std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[t.tm_wday], t.tm_mday,
                months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
  return text.data();
}

}  // namespace segments

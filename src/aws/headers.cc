#include "aws/headers.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/time.h"

namespace segments::aws {

std::optional<std::string_view> find_header(const Headers& headers, std::string_view lower_name) {
  auto is_lower = [](char c, char lower) {
    return c == lower || (c >= 'A' && c <= 'Z' && (c | 0x20) == lower);
  };
  for (const auto& [name, value] : headers)
    if (std::ranges::equal(name, lower_name, is_lower)) return value;
  return std::nullopt;
}

std::optional<std::int64_t> parse_http_date(std::string_view text) {
  static constexpr std::array months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || text.substr(3, 2) != ", " || !text.ends_with(" GMT")) return std::nullopt;
  auto month = std::ranges::find(months, text.substr(8, 3));
  if (month == months.end()) return std::nullopt;
  auto number = std::to_string(month - months.begin() + 1);
  std::string as_rfc3339(text.substr(12, 4));
  as_rfc3339 += '-' + std::string(2 - number.size(), '0') + number + '-';
  as_rfc3339 += std::string(text.substr(5, 2)) + 'T' + std::string(text.substr(17, 8)) + 'Z';
  return parse_time(as_rfc3339);
}

}  // namespace segments::aws

// Header fields, in the order in which they stand. Names compare without regard to case.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace segments::aws {

using Headers = std::vector<std::pair<std::string, std::string>>;

// The first of that name (given in lower case).
std::optional<std::string_view> find_header(const Headers&, std::string_view lower_name);

// "Sun, 06 Nov 1994 08:49:37 GMT", the one form in which servers write Date and Last-Modified; milliseconds
// since 1970.
std::optional<std::int64_t> parse_http_date(std::string_view);

}  // namespace segments::aws

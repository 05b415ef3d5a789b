// repr() as Python prints values that came from JSON: for argsrepr, kwargsrepr and the texts in events.
// Display only.
#pragma once

#include <string>
#include <string_view>

#include "celery/json.h"

namespace segments::celery {

inline constexpr std::size_t max_repr = 1'024;

// At most `most` bytes, whole characters; one that is cut ends in "...".
std::string python_repr(const Json&, std::size_t most = max_repr);
// Of an array, as Python shows arguments: "(1, 'a')", "(1,)", "()".
std::string python_tuple_repr(const Json&, std::size_t most = max_repr);
std::string python_repr(std::string_view text, std::size_t most = max_repr);

}  // namespace segments::celery

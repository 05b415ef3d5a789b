// AWS's own environment variables, read through a function, so that a program decides where they come from
// and tests need not touch the process's.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace segments::aws {

// The value of a variable; std::nullopt where it is not set. Any thread may call it.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

// Set and not empty: AWS's programs take an empty variable for none.
inline std::optional<std::string> find_variable(const Environment& environment, std::string_view name) {
  auto value = environment(name);
  if (value && value->empty()) return std::nullopt;
  return value;
}

}  // namespace segments::aws

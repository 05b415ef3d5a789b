// The texts of settings: a `.env` file's lines, and a setting's value as text.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "describe/decode.h"

namespace segments {

// Lines KEY=VALUE, with `export ` before and quotes around the value if one likes; empty lines and those that
// begin with # are passed over, and so is what follows " #" after a value without quotes. A later line wins.
std::map<std::string, std::string> parse_env_file(std::string_view text, Faults&);

// As a setting is written in the environment: yes and no, comma-separated lists; nothing where it has no
// value.
template <class T>
std::string setting_text(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "yes" : "no";
  } else if constexpr (OptionalOf<T>::value) {
    return value ? setting_text(*value) : "";
  } else if constexpr (DescribedEnum<T>) {
    return name_of(value);
  } else if constexpr (std::is_arithmetic_v<T>) {
    return std::to_string(value);
  } else if constexpr (VectorOf<T>::value) {
    std::string text;
    for (const auto& item : value) text += (text.empty() ? "" : ",") + setting_text(item);
    return text;
  } else {
    return value;
  }
}

// What a setting may be, for people; from its type and rule.
std::string allowed_values(std::string_view member);

}  // namespace segments

// What a member of a described struct must obey beyond its type. A struct states its rules once, in a
// constexpr function found by argument-dependent lookup:
//   constexpr Rule rule_of(Describes<CreateSegment>, std::string_view member) {
//     if (member == "title") return {.max_length = 500, .about = "Shown as the clip's name"};
//     return {};
//   }
// The decoder, the JSON schema and the query decoder all read them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace segments {

template <class T>
struct Describes {};  // a tag: names a struct without making one

struct Rule {
  double minimum = -std::numeric_limits<double>::infinity();  // inclusive
  double maximum = std::numeric_limits<double>::infinity();
  bool above_minimum = false;  // minimum itself is refused
  std::size_t min_length = 0;  // of a string, or of each string in an array, in code points
  std::size_t max_length = 10'000;
  std::size_t max_items = 1'000;  // of an array
  bool defaulted = false;         // may be absent: the member keeps its initial value
  bool one_line = true;           // refuses control characters; false takes line breaks and tabs
  // A further check of a string: returns nullptr or one plain sentence that says what is allowed.
  const char* (*check)(std::string_view) = nullptr;
  const char* format = nullptr;  // "date-time", "uri": for the schema
  const char* about = nullptr;   // one sentence for the schema
};

template <class T>
constexpr Rule rule_of(Describes<T>, std::string_view) {
  return {};
}

// Members of the JSON that are known, taken and not used (a client in use sends them).
template <class T>
constexpr std::array<std::string_view, 0> ignored_members(Describes<T>) {
  return {};
}

}  // namespace segments

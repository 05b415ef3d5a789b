// Structs that the tests of this room decode and encode: every kind of member there is.
#pragma once

#include <boost/describe.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "describe/encode.h"
#include "describe/patch.h"
#include "describe/rule.h"

namespace segments::sample {

enum class Colour { red, green };
BOOST_DESCRIBE_ENUM(Colour, red, green)

struct Point {
  double x = 0;
  double y = 0;
  bool operator==(const Point&) const = default;
};
BOOST_DESCRIBE_STRUCT(Point, (), (x, y))

inline const char* fault_of_word(std::string_view text) {
  return text.find(' ') == text.npos ? nullptr : "The word has no spaces.";
}

struct Thing {
  std::string name;
  std::int64_t count = 0;
  double length = 0;
  bool is_new = false;
  Colour colour = Colour::red;
  std::string kind = "plain";
  std::optional<std::string> note;
  std::optional<std::vector<std::string>> words;
  std::vector<Point> points;
  std::map<std::string, std::int64_t> counts;
  std::optional<Colour> second;
  std::optional<Point> origin;
  RawJson extra;
  bool operator==(const Thing&) const = default;
};
BOOST_DESCRIBE_STRUCT(Thing, (),
                      (name, count, length, is_new, colour, kind, note, words, points, counts, second, origin,
                       extra))

constexpr Rule rule_of(Describes<Thing>, std::string_view member) {
  if (member == "name") return {.min_length = 1, .max_length = 10, .about = "What it is called"};
  if (member == "count") return {.minimum = 0, .maximum = 1'000};
  if (member == "length") return {.minimum = 0, .above_minimum = true};
  if (member == "kind") return {.defaulted = true};
  if (member == "note") return {.max_length = 20, .one_line = false, .format = "uri"};
  if (member == "words") return {.min_length = 2, .max_length = 5, .max_items = 3, .check = fault_of_word};
  if (member == "points" || member == "counts" || member == "extra")
    return {.max_items = 4, .defaulted = true};
  return {};
}
constexpr std::array<std::string_view, 1> ignored_members(Describes<Thing>) {
  return {"legacy"};
}

struct Change {
  Patch<std::string> title;
  Patch<std::vector<std::string>> tags;
};
BOOST_DESCRIBE_STRUCT(Change, (), (title, tags))

struct Wide {
  std::int64_t whole = 0;
  double real = 0;
};
BOOST_DESCRIBE_STRUCT(Wide, (), (whole, real))

struct Narrow {
  int small = 0;
  unsigned positive = 0;
};
BOOST_DESCRIBE_STRUCT(Narrow, (), (small, positive))

struct Nothing {};
BOOST_DESCRIBE_STRUCT(Nothing, (), ())

struct Filter {
  std::optional<std::string> text;
  std::optional<std::int64_t> count;
  std::optional<double> length;
  std::optional<bool> flag;
  std::optional<Colour> colour;
  std::optional<std::vector<std::string>> tags;
};
BOOST_DESCRIBE_STRUCT(Filter, (), (text, count, length, flag, colour, tags))
constexpr Rule rule_of(Describes<Filter>, std::string_view member) {
  if (member == "text") return {.max_length = 5};
  if (member == "count" || member == "length") return {.minimum = 0, .maximum = 100};
  if (member == "tags") return {.max_length = 3, .max_items = 3};
  return {};
}
constexpr std::array<std::string_view, 1> ignored_members(Describes<Filter>) {
  return {"ticket"};
}

}  // namespace segments::sample

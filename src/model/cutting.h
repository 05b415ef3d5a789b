// Where a video is cut: options as the client sends them, and the plan they give for a video's length. Pure.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "describe/rule.h"

namespace segments {

enum class CuttingType { fixed, random, marks };
BOOST_DESCRIBE_ENUM(CuttingType, fixed, random, marks)
enum class CuttingMode {
  exact,
  keyframe
};  // exact: re-encoded at the very frame; keyframe: copied from keyframe to keyframe
BOOST_DESCRIBE_ENUM(CuttingMode, exact, keyframe)

struct CuttingOptions {
  CuttingType type = CuttingType::fixed;
  std::optional<double> duration_seconds;                 // fixed; default 30
  std::optional<double> min_duration, max_duration;       // random; defaults 15 and 45
  std::optional<std::vector<std::vector<double>>> marks;  // [[start, end], …], seconds
  CuttingMode mode = CuttingMode::exact;
};
BOOST_DESCRIBE_STRUCT(CuttingOptions, (), (type, duration_seconds, min_duration, max_duration, marks, mode))
constexpr Rule rule_of(Describes<CuttingOptions>, std::string_view member) {
  if (member == "type" || member == "mode") return {.defaulted = true};
  if (member == "duration_seconds" || member == "min_duration" || member == "max_duration")
    return {.minimum = 0, .maximum = 86'400, .above_minimum = true, .about = "Seconds"};
  if (member == "marks") return {.minimum = 0, .maximum = 604'800, .max_items = 1'000};
  return {};
}

struct Cut {
  double start = 0;  // seconds from the video's start
  double end = 0;
  bool operator==(const Cut&) const = default;
};

// Throws Error{invalid} with every fault that does not depend on the video (min above max, a mark that ends
// before it starts).
void check_cutting(const CuttingOptions&);
// The cuts of a video of `duration` seconds. fixed and random cover all of it without gaps; a remainder
// shorter than a tenth of a piece (at least 0.1 s, at most 1 s) joins its predecessor; a video shorter than
// one cut gives one piece. random is drawn from `seed` alone. marks are clipped to the video; those past its
// end are dropped. Throws Error{invalid} when nothing or more than 10,000 pieces would be left.
std::vector<Cut> plan_cuts(const CuttingOptions&, double duration, std::string_view seed);

// The text that is drawn onto the pieces.
enum class TextStrategy { one_for_all, base_vary, unique_for_all };
BOOST_DESCRIBE_ENUM(TextStrategy, one_for_all, base_vary, unique_for_all)
struct TextInput {
  std::optional<TextStrategy> strategy;
  std::optional<std::string> base_text;
  std::optional<std::string> context;
  std::optional<std::vector<std::string>> unique_texts;
};
BOOST_DESCRIBE_STRUCT(TextInput, (), (strategy, base_text, context, unique_texts))
constexpr Rule rule_of(Describes<TextInput>, std::string_view) {
  return {.max_length = 1'000, .max_items = 10'000, .one_line = false};
}

// The text of each of `count` pieces; "" for none. base_vary changes wording, order and punctuation by fixed
// rules and adds no facts.
std::vector<std::string> plan_texts(std::optional<TextStrategy>, const TextInput&, std::size_t count);

}  // namespace segments

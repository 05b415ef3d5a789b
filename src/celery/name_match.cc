#include "celery/name_match.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"

namespace segments::celery {
namespace {

constexpr std::size_t max_code_points = 1'000;  // of a name or a pattern
constexpr std::size_t max_program = 2'000;      // steps of a compiled expression
constexpr int max_groups = 100;                 // of parentheses within each other

std::u32string code_points(std::string_view text) {
  std::u32string out;
  for (std::size_t at = 0; at < text.size();) {
    auto first = static_cast<unsigned char>(text[at++]);
    int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
    char32_t code = more ? first & (0x3F >> more) : first;
    for (; more > 0 && at < text.size(); --more)
      code = code << 6 | (static_cast<unsigned char>(text[at++]) & 0x3F);
    out += code;
  }
  return out;
}

bool is_word(char32_t c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c >= 0xAA;
}
bool is_space(char32_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// One character's class.
struct CharSet {
  struct Range {
    char32_t first, last;
  };
  std::vector<Range> ranges;
  std::u32string shorthands;  // of d D w W s S
  bool negated = false;

  static bool fits_shorthand(char32_t shorthand, char32_t c) {
    switch (shorthand) {
      case 'd':
        return c >= '0' && c <= '9';
      case 'D':
        return c < '0' || c > '9';
      case 'w':
        return is_word(c);
      case 'W':
        return !is_word(c);
      case 's':
        return is_space(c);
      default:
        return !is_space(c);
    }
  }
  bool fits(char32_t c) const {
    bool inside = std::any_of(ranges.begin(), ranges.end(),
                              [&](const Range& r) { return c >= r.first && c <= r.last; }) ||
                  std::any_of(shorthands.begin(), shorthands.end(),
                              [&](char32_t shorthand) { return fits_shorthand(shorthand, c); });
    return inside != negated;
  }
};

struct RegexStep {
  enum class Kind { set, split, jump, begin, end, boundary, no_boundary, match } kind = Kind::match;
  std::size_t to = 0, other = 0;  // of split and jump, relative to the step itself until linked
  CharSet set;
};
using Program = std::vector<RegexStep>;

// Thrown and caught in this file alone: the pattern is none, or too large.
struct BadPattern {};

// Relative jumps, so that pieces of a program can be put together and repeated.
class RegexCompiler {
 public:
  explicit RegexCompiler(const std::u32string& pattern) : pattern_(pattern) {}

  Program compile() {
    auto program = read_alternatives(0);
    if (at_ != pattern_.size()) throw BadPattern{};
    program.push_back({});
    return program;
  }

 private:
  static void append(Program& to, const Program& piece) {
    if (to.size() + piece.size() > max_program) throw BadPattern{};
    to.insert(to.end(), piece.begin(), piece.end());
  }
  static RegexStep forward(RegexStep::Kind kind, std::size_t to, std::size_t other = 0) {
    RegexStep step;
    step.kind = kind;
    step.to = to;
    step.other = other;
    return step;
  }
  bool at_end() const { return at_ == pattern_.size(); }
  char32_t peek() const { return at_end() ? 0 : pattern_[at_]; }
  char32_t next() {
    if (at_end()) throw BadPattern{};
    return pattern_[at_++];
  }

  Program read_alternatives(int depth) {
    if (depth > max_groups) throw BadPattern{};
    auto program = read_sequence(depth);
    while (!at_end() && peek() == '|') {
      ++at_;
      auto right = read_sequence(depth);
      Program both{forward(RegexStep::Kind::split, 1, program.size() + 2)};
      append(both, program);
      both.push_back(forward(RegexStep::Kind::jump, right.size() + 1));
      append(both, right);
      program = std::move(both);
    }
    return program;
  }

  Program read_sequence(int depth) {
    Program program;
    while (!at_end() && peek() != '|' && peek() != ')') {
      auto piece = read_atom(depth);
      append(program, read_repeats(std::move(piece)));
    }
    return program;
  }

  Program read_atom(int depth) {
    RegexStep step;
    step.kind = RegexStep::Kind::set;
    char32_t c = next();
    switch (c) {
      case '(':
        return read_group(depth);
      case '[':
        step.set = read_class();
        break;
      case '.':
        step.set = {{{'\n', '\n'}}, {}, true};
        break;
      case '^':
        step.kind = RegexStep::Kind::begin;
        break;
      case '$':
        step.kind = RegexStep::Kind::end;
        break;
      case '\\':
        read_escape(step);
        break;
      case '*':
      case '+':
      case '?':
        throw BadPattern{};
      default:
        step.set.ranges.push_back({c, c});
    }
    return {step};
  }

  Program read_group(int depth) {
    if (peek() == '?') {
      ++at_;
      char32_t kind = next();
      if (kind == 'P' && next() == '<') {  // a named group is a group
        while (next() != '>') {
        }
      } else if (kind != ':') {
        throw BadPattern{};
      }
    }
    auto program = read_alternatives(depth + 1);
    if (next() != ')') throw BadPattern{};
    return program;
  }

  // A single character's escape in a class or outside of one.
  char32_t plain_escape(char32_t letter) {
    switch (letter) {
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case 'r':
        return '\r';
      case 'f':
        return '\f';
      case 'v':
        return '\v';
      default:
        if ((letter >= '0' && letter <= '9') || (letter < 0x80 && letter != '_' && is_word(letter)))
          throw BadPattern{};
        return letter;
    }
  }

  void read_escape(RegexStep& step) {
    char32_t letter = next();
    if (std::u32string_view(U"dDwWsS").find(letter) != std::u32string_view::npos)
      step.set.shorthands += letter;
    else if (letter == 'b')
      step.kind = RegexStep::Kind::boundary;
    else if (letter == 'B')
      step.kind = RegexStep::Kind::no_boundary;
    else if (letter == 'A')
      step.kind = RegexStep::Kind::begin;
    else if (letter == 'Z')
      throw BadPattern{};
    else
      step.set.ranges.push_back({plain_escape(letter), plain_escape(letter)});
  }

  // The next character of a class; empty for a shorthand, which is put into the set.
  std::optional<char32_t> read_class_char(CharSet& set) {
    char32_t c = next();
    if (c != '\\') return c;
    c = next();
    if (std::u32string_view(U"dDwWsS").find(c) != std::u32string_view::npos) {
      set.shorthands += c;
      return std::nullopt;
    }
    return c == 'b' ? U'\b' : plain_escape(c);
  }

  CharSet read_class() {
    CharSet set;
    if (peek() == '^') {
      ++at_;
      set.negated = true;
    }
    for (bool first = true; first || peek() != ']'; first = false) {
      if (at_end()) throw BadPattern{};
      auto begin = read_class_char(set);
      bool is_range = peek() == '-' && at_ + 1 < pattern_.size() && pattern_[at_ + 1] != ']';
      if (!is_range) {
        if (begin) set.ranges.push_back({*begin, *begin});
        continue;
      }
      ++at_;
      auto end = read_class_char(set);
      if (!begin || !end || *end < *begin) throw BadPattern{};
      set.ranges.push_back({*begin, *end});
    }
    ++at_;
    return set;
  }

  Program read_repeats(Program piece) {
    if (at_end()) return piece;
    std::size_t least = 0, most = 0;
    bool endless = false;
    char32_t c = peek();
    if (c == '*' || c == '+' || c == '?') {
      ++at_;
      least = c == '+';
      most = 1;
      endless = c != '?';
    } else if (c != '{' || !read_counts(least, most, endless)) {
      return piece;
    }
    if (peek() == '?') ++at_;  // lazy: whether it fits is the same
    if (peek() == '*' || peek() == '+' || peek() == '?') throw BadPattern{};
    return repeat(piece, least, most, endless);
  }

  // "{2}", "{2,}", "{,3}", "{2,3}" at the brace; otherwise false, and the brace is a character.
  bool read_counts(std::size_t& least, std::size_t& most, bool& endless) {
    auto at = at_ + 1;
    auto read = [&]() -> std::optional<std::size_t> {
      std::optional<std::size_t> number;
      for (; at < pattern_.size() && pattern_[at] >= '0' && pattern_[at] <= '9'; ++at)
        number = std::min<std::size_t>(number.value_or(0) * 10 + (pattern_[at] - '0'), 100'000);
      return number;
    };
    auto first = read(), second = first;
    bool comma = at < pattern_.size() && pattern_[at] == ',';
    if (comma) {
      ++at;
      second = read();
    }
    if (at >= pattern_.size() || pattern_[at] != '}' || (!comma && !first)) return false;
    at_ = at + 1;
    least = first.value_or(0);
    most = second.value_or(least);
    endless = !second;
    if (most < least) throw BadPattern{};
    return true;
  }

  static Program repeat(const Program& piece, std::size_t least, std::size_t most, bool endless) {
    if (!piece.empty() && (least > max_program || most > max_program)) throw BadPattern{};
    Program program;
    if (piece.empty()) return program;
    for (std::size_t i = 0; i < least; ++i) append(program, piece);
    if (endless) {
      // split over the piece; the piece; back.
      append(program, {forward(RegexStep::Kind::split, 1, piece.size() + 2)});
      append(program, piece);
      append(program, {forward(RegexStep::Kind::jump, static_cast<std::size_t>(0) - (piece.size() + 1))});
      return program;
    }
    for (std::size_t i = least; i < most; ++i) {
      append(program, {forward(RegexStep::Kind::split, 1, piece.size() + 1)});
      append(program, piece);
    }
    return program;
  }

  const std::u32string& pattern_;
  std::size_t at_ = 0;
};

// All ways through the program at once, a character of the name after the other: never more steps than there
// are pairs of a place in the program and one in the name.
class RegexRun {
 public:
  RegexRun(const Program& program, const std::u32string& name) : program_(program), name_(name) {}

  bool matches() {
    std::vector<std::size_t> now, then;
    for (std::size_t at = 0;; ++at) {
      seen_.assign(program_.size(), false);
      if (at == 0) now.push_back(0);
      then.clear();
      while (!now.empty()) {
        auto place = now.back();
        now.pop_back();
        if (seen_[place]) continue;
        seen_[place] = true;
        const auto& step = program_[place];
        if (step.kind == RegexStep::Kind::match) return true;
        if (step.kind == RegexStep::Kind::set) {
          if (at < name_.size() && step.set.fits(name_[at])) then.push_back(place + 1);
        } else {
          follow(step, place, at, now);
        }
      }
      if (then.empty()) return false;
      now.swap(then);
    }
  }

 private:
  void follow(const RegexStep& step, std::size_t place, std::size_t at, std::vector<std::size_t>& now) const {
    using Kind = RegexStep::Kind;
    if (step.kind == Kind::split) {
      now.push_back(place + step.to);
      now.push_back(place + step.other);
    } else if (step.kind == Kind::jump) {
      now.push_back(place + step.to);
    } else if (holds(step.kind, at)) {
      now.push_back(place + 1);
    }
  }
  bool holds(RegexStep::Kind kind, std::size_t at) const {
    if (kind == RegexStep::Kind::begin) return at == 0;
    if (kind == RegexStep::Kind::end)
      return at == name_.size() || (at + 1 == name_.size() && name_[at] == '\n');
    bool before = at > 0 && is_word(name_[at - 1]), after = at < name_.size() && is_word(name_[at]);
    return (before != after) == (kind == RegexStep::Kind::boundary);
  }

  const Program& program_;
  const std::u32string& name_;
  std::vector<bool> seen_;
};

// Whether the character fits what is at `at` of a glob, one past the "*"s; moves past it.
bool fits_one(char32_t c, const std::u32string& glob, std::size_t& at) {
  char32_t wanted = glob[at++];
  if (wanted == '?') return true;
  if (wanted != '[') return c == wanted;
  auto begin = at;
  if (begin < glob.size() && glob[begin] == '!') ++begin;
  auto end = glob.find(U']', begin + 1);
  if (begin >= glob.size() || end == glob.npos) return c == '[';
  CharSet set;
  set.negated = glob[at] == '!';
  for (auto i = begin; i < end; ++i) {
    if (i + 2 < end && glob[i + 1] == '-') {
      set.ranges.push_back({glob[i], glob[i + 2]});
      i += 2;
    } else {
      set.ranges.push_back({glob[i], glob[i]});
    }
  }
  at = end + 1;
  return set.fits(c);
}

}  // namespace

bool matches_glob(std::string_view name_text, std::string_view pattern_text) {
  auto name = code_points(name_text), glob = code_points(pattern_text);
  if (name.size() > max_code_points || glob.size() > max_code_points) return false;
  std::size_t n = 0, g = 0, star = glob.npos, star_name = 0;
  while (n < name.size()) {
    auto next = g;
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      star_name = n;
    } else if (g < glob.size() && fits_one(name[n], glob, next)) {
      g = next;
      ++n;
    } else if (star != glob.npos) {
      g = star + 1;
      n = ++star_name;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

bool matches_regex(std::string_view name_text, std::string_view pattern_text) {
  auto name = code_points(name_text), pattern = code_points(pattern_text);
  if (name.size() > max_code_points || pattern.size() > max_code_points) return false;
  try {
    auto program = RegexCompiler(pattern).compile();
    return RegexRun(program, name).matches();
  } catch (const BadPattern&) {
    return false;
  }
}

}  // namespace segments::celery

#include "celery/name_match.h"

#include <re2/re2.h>

#include <string>

namespace segments::celery {
namespace {

constexpr std::size_t max_length = 1'000;  // bytes of a name or a pattern

bool fits(std::string_view name, const std::string& expression, RE2::Anchor anchor) {
  RE2::Options options;
  options.set_log_errors(false);  // the pattern is a client's, and its fault no news of ours
  options.set_dot_nl(anchor == RE2::ANCHOR_BOTH);
  RE2 compiled(expression, options);
  return compiled.ok() && compiled.Match(re2::StringPiece(name.data(), name.size()), 0, name.size(), anchor,
                                         nullptr, 0);
}

// The class that begins behind a "[" at `at`, which is moved behind its "]"; "" where it has no end, and the
// bracket stands for itself.
std::string read_class(std::string_view glob, std::size_t& at) {
  bool negated = at < glob.size() && glob[at] == '!';
  auto begin = at + (negated ? 1 : 0);
  auto end = glob.find(']', begin + 1);  // a "]" that comes first is a member
  if (begin >= glob.size() || end == glob.npos) return "";
  std::string members;
  for (auto i = begin; i < end; ++i) {
    bool is_range = i + 2 < end && glob[i + 1] == '-';
    if (is_range && glob[i + 2] >= glob[i])
      members += RE2::QuoteMeta(re2::StringPiece(&glob[i], 1)) + "-" +
                 RE2::QuoteMeta(re2::StringPiece(&glob[i + 2], 1));
    else if (!is_range)
      members += RE2::QuoteMeta(re2::StringPiece(&glob[i], 1));
    if (is_range) i += 2;
  }
  at = end + 1;
  if (members.empty()) return negated ? "." : "[^\\x00-\\x{10FFFF}]";
  return (negated ? "[^" : "[") + members + "]";
}

std::string expression_of(std::string_view glob) {
  std::string out;
  for (std::size_t at = 0; at < glob.size();) {
    char c = glob[at++];
    std::string set = c == '[' ? read_class(glob, at) : "";
    if (!set.empty())
      out += set;
    else if (c == '*')
      out += out.ends_with(".*") ? "" : ".*";
    else if (c == '?')
      out += ".";
    else
      out += RE2::QuoteMeta(re2::StringPiece(&c, 1));
  }
  return out;
}

}  // namespace

bool matches_glob(std::string_view name, std::string_view pattern) {
  if (name.size() > max_length || pattern.size() > max_length) return false;
  return fits(name, expression_of(pattern), RE2::ANCHOR_BOTH);
}

bool matches_regex(std::string_view name, std::string_view pattern) {
  if (name.size() > max_length || pattern.size() > max_length) return false;
  return fits(name, std::string(pattern), RE2::ANCHOR_START);
}

}  // namespace segments::celery

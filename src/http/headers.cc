#include "http/headers.h"

#include <strings.h>

#include <algorithm>

#include "base/text.h"

namespace segments {

namespace {

constexpr std::size_t usual_bytes = 512;  // of all the lines of an answer of the API

bool ends_line(char c) {
  return c == '\r' || c == '\n' || c == '\0';
}

}  // namespace

std::size_t Headers::line_of(std::string_view name) const {
  for (std::size_t at = 0; at < lines_.size(); at = lines_.find('\n', at) + 1)
    if (lines_.size() - at > name.size() && lines_[at + name.size()] == ':' &&
        strncasecmp(lines_.data() + at, name.data(), name.size()) == 0)
      return at;
  return std::string::npos;
}

void Headers::set(std::string_view name, std::string_view value) {
  if (lines_.empty()) lines_.reserve(usual_bytes);
  if (auto old = line_of(name); old != std::string::npos) lines_.erase(old, lines_.find('\n', old) + 1 - old);
  lines_.append(name).append(": ");
  auto begin = lines_.size();
  lines_ += value;
  if (has_control(value))
    std::replace_if(lines_.begin() + static_cast<std::ptrdiff_t>(begin), lines_.end(), ends_line, ' ');
  lines_ += "\r\n";
}

std::string_view Headers::find(std::string_view name) const {
  auto at = line_of(name);
  if (at == std::string::npos) return {};
  at += name.size() + 2;
  return std::string_view(lines_).substr(at, lines_.find('\r', at) - at);
}

}  // namespace segments

#include "app/env_file.h"

#include <cctype>

#include "base/text.h"

namespace segments {
namespace {

bool is_key(std::string_view text) {
  if (text.empty() || std::isdigit(static_cast<unsigned char>(text.front()))) return false;
  for (unsigned char c : text)
    if (!std::isalnum(c) && c != '_') return false;
  return true;
}

// std::nullopt for a quote without its end, or with something after it.
std::optional<std::string> value_of(std::string_view text) {
  if (text.empty() || (text.front() != '"' && text.front() != '\'')) {
    if (text.starts_with('#')) return "";
    for (std::size_t i = 1; i < text.size(); ++i)
      if (text[i] == '#' && (text[i - 1] == ' ' || text[i - 1] == '\t'))
        return std::string(trim(text.substr(0, i)));
    return std::string(text);
  }
  auto end = text.find(text.front(), 1);
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view rest = trim(text.substr(end + 1));
  if (!rest.empty() && !rest.starts_with('#')) return std::nullopt;
  return std::string(text.substr(1, end - 1));
}

}  // namespace

std::map<std::string, std::string> parse_env_file(std::string_view text, Faults& faults) {
  std::map<std::string, std::string> found;
  int number = 0;
  for (const auto& raw : split(text, '\n')) {
    ++number;
    std::string_view line = trim(raw);
    if (line.empty() || line.starts_with('#')) continue;
    if (line.starts_with("export ")) line = trim(line.substr(7));
    auto equals = line.find('=');
    std::string_view key = equals == std::string_view::npos ? "" : trim(line.substr(0, equals));
    auto value = is_key(key) ? value_of(trim(line.substr(equals + 1))) : std::nullopt;
    if (!value) {
      std::string where = ".env line " + std::to_string(number);
      faults.push_back({where, "format", where + ": this is not of the form KEY=VALUE."});
      continue;
    }
    found[std::string(key)] = *value;
  }
  return found;
}

}  // namespace segments

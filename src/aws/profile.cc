#include "aws/profile.h"

#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>

#include "base/error.h"
#include "base/text.h"

namespace segments::aws {

namespace {

bool is_indent(char c) {
  return c == ' ' || c == '\t';
}

// Without a comment, which begins at a blank and # or ;.
std::string_view without_comment(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i)
    if ((text[i] == '#' || text[i] == ';') && is_indent(text[i - 1])) return text.substr(0, i);
  return text;
}

std::string read_whole(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in && (errno == ENOENT || errno == ENOTDIR)) return "";
  std::ostringstream out;
  if (in) out << in.rdbuf();
  if (!in)
    throw Error(ErrorKind::unavailable,
                "The file " + path + " cannot be read: " + std::system_category().message(errno) + ".");
  return out.str();
}

IniFile read_ini(const Environment& environment, const char* variable, const char* beneath_home) {
  if (auto path = find_variable(environment, variable)) return parse_ini(read_whole(*path));
  auto home = find_variable(environment, "HOME");
  return home ? parse_ini(read_whole(*home + beneath_home)) : IniFile();
}

}  // namespace

IniFile parse_ini(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  IniFile out;
  std::map<std::string, std::string>* section = nullptr;
  for (const auto& line : split(text, '\n')) {
    if (line.empty() || is_indent(line[0]) || line[0] == '#' || line[0] == ';') continue;
    if (line[0] == '[') {
      auto end = line.find(']');
      section = nullptr;
      if (end == line.npos) continue;
      // "profile  dev" is "profile dev".
      std::string name;
      for (const auto& word : split(std::string(trim(line.substr(1, end - 1))), ' '))
        if (!trim(word).empty()) name += (name.empty() ? "" : " ") + std::string(trim(word));
      section = &out[name];
      continue;
    }
    auto equals = line.find('=');
    if (!section || equals == line.npos) continue;
    auto key = lower_ascii(trim(line.substr(0, equals)));
    if (!key.empty()) (*section)[key] = trim(without_comment(std::string_view(line).substr(equals + 1)));
  }
  return out;
}

std::optional<std::string> Profile::find(const std::string& key) const {
  for (const auto* file : {&credentials, &config}) {
    auto at = file->find(key);
    if (at != file->end() && !at->second.empty()) return at->second;
  }
  return std::nullopt;
}

std::optional<Profile> find_profile(const Environment& environment) {
  auto asked = find_variable(environment, "AWS_PROFILE");
  Profile out;
  out.name = asked.value_or("default");
  auto credentials = read_ini(environment, "AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials");
  auto config = read_ini(environment, "AWS_CONFIG_FILE", "/.aws/config");
  bool is_there = false;
  auto take = [&](IniFile& from, const std::string& section, auto& into) {
    auto at = from.find(section);
    if (at == from.end()) return;
    into = at->second;
    is_there = true;
  };
  take(credentials, out.name, out.credentials);
  if (out.name == "default") take(config, "default", out.config);
  take(config, "profile " + out.name, out.config);
  if (is_there) return out;
  if (asked)
    throw Error(ErrorKind::invalid, "AWS_PROFILE names the profile \"" + clean_utf8(*asked, 100) +
                                        "\", which neither of AWS's shared files has.");
  return std::nullopt;
}

}  // namespace segments::aws

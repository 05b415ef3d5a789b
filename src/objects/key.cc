#include "objects/key.h"

#include <algorithm>

#include "base/error.h"
#include "base/object_key.h"

namespace segments {
namespace {

constexpr std::size_t longest_name = 240;  // file systems take 255 bytes; a mark of two follows

// Where a name of at most longest_name bytes ends: neither within a character nor within an escape. Three
// bytes at least stay behind, so that a part of many dots never leaves "." or ".." as a name of its own.
std::size_t cut_of(std::string_view escaped) {
  std::size_t cut = std::min(longest_name, escaped.size() - 3);
  while ((static_cast<unsigned char>(escaped[cut]) & 0xC0) == 0x80) --cut;
  if (std::size_t percent = escaped.rfind('%', cut - 1); percent != escaped.npos && percent + 3 > cut)
    cut = percent;
  return cut;
}

void append_part(std::string& path, std::string_view part, bool is_folder) {
  std::string escaped;
  for (char c : part) {
    if (c == '%')
      escaped += "%25";
    else
      escaped += c;
  }
  if (!is_folder && escaped.back() == '+') escaped.replace(escaped.size() - 1, 1, "%2B");
  std::string_view rest = escaped;
  while (rest.size() > longest_name) {
    std::size_t cut = cut_of(rest);
    path.append(rest.substr(0, cut)).append("%~/");
    rest.remove_prefix(cut);
  }
  path += rest;
  if (is_folder) path += "+/";
}

// Only what append_part escapes is taken back, so that every key has one path.
std::optional<std::string> unescape(std::string_view text, bool is_folder) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    std::string_view escape = text.substr(i, 3);
    if (escape == "%25")
      out += '%';
    else if (escape == "%2B" && !is_folder && i + 3 == text.size())
      out += '+';
    else
      return std::nullopt;
    i += 2;
  }
  return out;
}

}  // namespace

void check_object_key(std::string_view key) {
  if (const char* fault = fault_of_object_key(key)) throw invalid_input({{"", "format", fault}});
}

std::string path_of_folder(std::string_view folder) {
  std::string path;
  while (!folder.empty()) {
    std::size_t end = folder.find('/');
    append_part(path, folder.substr(0, end), true);
    folder.remove_prefix(end + 1);
  }
  return path;
}

std::string path_of_key(std::string_view key) {
  std::size_t name = key.rfind('/') + 1;  // npos + 1 is 0: no folder
  std::string path = path_of_folder(key.substr(0, name));
  append_part(path, key.substr(name), false);
  return path;
}

std::optional<KeyName> parse_key_name(std::string_view name) {
  KeyName parsed;
  if (name.ends_with("%~")) {
    parsed.kind = KeyName::Kind::beginning;
    name.remove_suffix(2);
  } else if (name.ends_with('+')) {
    parsed.kind = KeyName::Kind::folder;
    name.remove_suffix(1);
  }
  auto text = unescape(name, parsed.kind != KeyName::Kind::object);
  if (!text || text->empty()) return std::nullopt;
  parsed.text = std::move(*text);
  return parsed;
}

}  // namespace segments

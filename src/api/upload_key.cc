#include "api/upload_key.h"

#include <algorithm>
#include <array>
#include <utility>

#include "api/handlers.h"
#include "base/text.h"
#include "objects/video_folder.h"

namespace segments {

namespace {

constexpr std::size_t longest_name = 150;  // bytes

// At most `most` bytes, not cut within a character.
std::string_view shortened(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  return text.substr(0, most);
}

std::string_view extension_of(std::string_view name) {
  std::size_t dot = name.rfind('.');
  if (dot == name.npos || dot == 0 || name.size() - dot > 12) return {};
  return name.substr(dot);
}

}  // namespace

std::string shown_filename(std::string_view filename) {
  if (std::size_t slash = filename.find_last_of("/\\"); slash != filename.npos)
    filename.remove_prefix(slash + 1);
  std::string name;
  for (char c : filename)
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) name += c;
  return std::string(trim(name));
}

std::string make_upload_key(std::string_view video_id, std::string_view filename) {
  std::string name;
  for (char c : shown_filename(filename)) {
    bool is_plain = static_cast<unsigned char>(c) >= 0x80 || (c >= '0' && c <= '9') ||
                    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-' ||
                    c == '(' || c == ')';
    name += is_plain ? c : '_';
  }
  name.erase(0, name.find_first_not_of('.'));
  if (name.size() > longest_name) {
    std::string extension(extension_of(name));
    name = std::string(shortened(name, longest_name - extension.size())) + extension;
  }
  if (name.empty()) name = "video";
  return video_prefix(uploads_folder, video_id) + name;
}

std::string guess_content_type(std::string_view filename) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 12> types = {{
      {".mp4", "video/mp4"},
      {".m4v", "video/mp4"},
      {".mov", "video/quicktime"},
      {".webm", "video/webm"},
      {".mkv", "video/x-matroska"},
      {".avi", "video/x-msvideo"},
      {".mpg", "video/mpeg"},
      {".mpeg", "video/mpeg"},
      {".ts", "video/mp2t"},
      {".ogv", "video/ogg"},
      {".3gp", "video/3gpp"},
      {".wmv", "video/x-ms-wmv"},
  }};
  std::string extension = lower_ascii(extension_of(filename));
  auto known = std::ranges::find(types, extension, &std::pair<std::string_view, std::string_view>::first);
  return std::string(known == types.end() ? "application/octet-stream" : known->second);
}

std::optional<std::string> video_id_in_key(std::string_view key) {
  std::size_t first = key.find('/');
  if (first == key.npos || std::ranges::find(video_folders, key.substr(0, first)) == std::end(video_folders))
    return std::nullopt;
  std::string_view rest = key.substr(first + 1);
  std::size_t slash = rest.find('/');
  if (slash == rest.npos || slash == 0 || slash + 1 == rest.size()) return std::nullopt;
  return std::string(rest.substr(0, slash));
}

std::string require_own_key(const Request& request, Services& services, std::string_view key) {
  auto video_id = video_id_in_key(key);
  auto owner = video_id ? services.videos.find_owner(*video_id) : std::nullopt;
  if (!owner || !may_see(request, *owner)) throw not_found("upload", key);
  return *video_id;
}

}  // namespace segments

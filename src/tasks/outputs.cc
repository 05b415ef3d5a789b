#include "tasks/outputs.h"

#include <cstdio>

namespace segments {
namespace {

std::string numbered(const char* folder, std::string_view video_id, std::int64_t number,
                     std::string_view extension) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%03lld", static_cast<long long>(number));
  return std::string(folder) + "/" + std::string(video_id) + "/segment_" + digits + "." +
         std::string(extension);
}

}  // namespace

std::string piece_key(std::string_view video_id, std::int64_t number, std::string_view extension) {
  return numbered("processed", video_id, number, extension);
}

std::string thumbnail_key(std::string_view video_id, std::int64_t number) {
  return numbered("thumbnails", video_id, number, "jpg");
}

std::string audio_key(std::string_view video_id) {
  return "audio/" + std::string(video_id) + "/audio.m4a";
}

bool remove_outputs(ObjectStore& objects, std::string_view video_id, const std::set<std::string>& keep,
                    std::size_t most) {
  constexpr std::size_t page = 500;
  std::size_t removed = 0;
  for (const char* folder : {"processed/", "thumbnails/", "audio/"}) {
    std::string prefix = folder + std::string(video_id) + "/";
    std::string after;
    while (true) {
      auto found = objects.list_objects(prefix, after, page);
      for (const auto& object : found) {
        if (keep.contains(object.key)) continue;
        if (removed++ == most) return false;
        objects.remove_object(object.key);
      }
      if (found.size() < page) break;
      after = found.back().key;
    }
  }
  return true;
}

}  // namespace segments

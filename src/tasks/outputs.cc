#include "tasks/outputs.h"

#include <cstdio>

#include "objects/video_folder.h"

namespace segments {
namespace {

std::string numbered(std::string_view folder, std::string_view video_id, std::int64_t number,
                     std::string_view extension) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%03lld", static_cast<long long>(number));
  return video_prefix(folder, video_id) + "segment_" + digits + "." + std::string(extension);
}

}  // namespace

std::string piece_key(std::string_view video_id, std::int64_t number, std::string_view extension) {
  return numbered(pieces_folder, video_id, number, extension);
}

std::string thumbnail_key(std::string_view video_id, std::int64_t number) {
  return numbered(thumbnails_folder, video_id, number, "jpg");
}

std::string audio_key(std::string_view video_id) {
  return video_prefix(audio_folder, video_id) + "audio.m4a";
}

bool remove_outputs(ObjectStore& objects, std::string_view video_id, const std::set<std::string>& keep,
                    std::size_t most) {
  constexpr std::size_t page = 500;
  std::size_t removed = 0;
  for (std::string_view folder : output_folders) {
    std::string prefix = video_prefix(folder, video_id);
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

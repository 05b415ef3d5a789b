// The folders of object keys: "uploads/{video_id}/…" and so on. Nothing else is kept in the object store.
#pragma once

#include <string>
#include <string_view>

namespace segments {

inline constexpr std::string_view uploads_folder = "uploads", pieces_folder = "processed",
                                  thumbnails_folder = "thumbnails", audio_folder = "audio";
// What cutting makes, and all that a video may have.
inline constexpr std::string_view output_folders[] = {pieces_folder, thumbnails_folder, audio_folder};
inline constexpr std::string_view video_folders[] = {uploads_folder, pieces_folder, thumbnails_folder,
                                                     audio_folder};

// "processed/{video_id}/": what a key of the video in that folder begins with.
inline std::string video_prefix(std::string_view folder, std::string_view video_id) {
  return std::string(folder) + "/" + std::string(video_id) + "/";
}

}  // namespace segments

// What is in a media file, read by libavformat from a path or an http or https URL with ranges. Only video and audio
// containers are taken (no playlists, no images); nothing but the given file or URL is opened.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace segments {

struct MediaInfo {
  double duration = 0;  // seconds: of the video stream where it says so, else of the container
  double container_duration = 0;
  std::string container;  // libavformat's name: "mov,mp4,m4a,3gp,3g2,mj2"
  bool has_video = false, has_audio = false;
  std::string video_codec, audio_codec;  // "h264", "aac"
  int width = 0, height = 0;             // as stored; rotation is in degrees clockwise
  int rotation = 0;
  double frame_rate = 0;  // average
  std::int64_t bit_rate = 0;
};

// Throws Error{invalid} with one plain sentence for what is not a video or audio file, Error{unavailable}
// when it cannot be read, Error{too_large} when reading it takes longer than 30 s or
// more memory than there is.
MediaInfo probe_media(const std::string& location);

}  // namespace segments

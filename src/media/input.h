// An opened media file: libavformat's demuxer behind RAII. Only true containers of video and audio are taken,
// and nothing but the file itself is ever opened, whatever it refers to. Inside this room only.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/time.h"
#include "media/libav.h"

namespace segments {

struct MediaInfo;

// The names of libavformat that are taken, for ourselves and for the ffmpeg program.
inline constexpr const char* taken_formats =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,mp3,wav,aac,flac";

Error not_a_video();      // Error{invalid}: "The file is not a video that can be read."
Error too_much_memory();  // Error{too_large}
// What libav says about an error code, for the log.
std::string av_reason(int code);

struct PacketDeleter {
  void operator()(AVPacket* packet) const { libav().av_packet_free(&packet); }
};
using Packet = std::unique_ptr<AVPacket, PacketDeleter>;
Packet make_packet();

class MediaInput {
 public:
  // `location` is a path or an http or https URL. Reading fails once `deadline` (of steady_ms()) is past.
  // Throws as probe_media() does.
  MediaInput(const std::string& location, Millis deadline);
  // Bytes in memory, for fuzzing; they must outlive it.
  explicit MediaInput(std::string_view bytes);
  ~MediaInput();
  MediaInput(const MediaInput&) = delete;
  MediaInput& operator=(const MediaInput&) = delete;

  AVFormatContext* get() const;
  AVFormatContext* operator->() const { return get(); }
  // Reads packets until each stream's parameters are known; needed where the header does not tell them.
  void find_stream_info();
  // False at the end of the file; what is broken ends it too. Throws only for a source that went away.
  bool read(AVPacket*);
  // -1 for none. Covers and other still pictures are no video.
  int video() const;
  int audio() const;
  // The codec and the properties that a decoder needs are known for the streams that count.
  bool is_described() const;
  bool is_remote() const;

 private:
  struct Source;
  void open();
  void check(int code) const;
  std::unique_ptr<Source> source_;
};

// What probe_media() says of an input.
MediaInfo describe_input(MediaInput&);

}  // namespace segments

// Cutting: a file in, files out. Runs in the task's own process; the ffmpeg program runs as its child in the
// same process group, with limits of time and memory.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "media/probe.h"
#include "model/cutting.h"

namespace segments {

struct MediaLimits {
  int memory_mb = 2048;
  int seconds = 3600;
  int threads = 0;
};

struct Piece {
  std::string path;
  std::string content_type;   // "video/mp4", "video/webm", "video/quicktime"
  std::string extension;      // "mp4"
  double start = 0, end = 0;  // true ones, seconds of the source
  double duration = 0;        // as probed in the piece
};

struct CutRequest {
  std::string source;      // path
  std::string output_dir;  // pieces become segment_001.mp4, …
  std::vector<Cut> cuts;
  CuttingMode mode = CuttingMode::exact;
  std::vector<std::string> texts;  // one per cut; "" for none. A text makes its piece exact.
  MediaLimits limits;
};

struct Cutting {
  std::vector<Piece> pieces;
  double picture_end = 0;  // seconds of the source: where its last frame that is there ends
  double lost = 0;         // seconds before that which pieces should hold but do not
};

// `on_piece(index, piece)` is called as each is done. keyframe mode: pieces begin and end at keyframes at or
// before the cuts; cuts that fall on the same keyframe become one piece, so fewer may come out than were
// asked for. Throws Error{invalid} with one plain sentence when the source cannot be cut.
Cutting cut_media(const CutRequest&, const MediaInfo&,
                  const std::function<void(std::size_t, const Piece&)>& on_piece);

// A JPEG of at most 640 pixels on its longer side, from about `at` seconds. False when the file has no
// picture.
bool make_thumbnail(const std::string& source, const std::string& output, double at, const MediaLimits&);
// The audio alone as AAC in an .m4a. False when the file has none.
bool extract_audio(const std::string& source, const std::string& output, const MediaLimits&);

}  // namespace segments

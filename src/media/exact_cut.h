// Pieces re-encoded at the very frame by the ffmpeg program, several at once where that is faster. Inside
// this room only.
#pragma once

#include <functional>

#include "media/piece_plan.h"

namespace segments {

// Encodes `pieces[i]` into `paths[i]` (H.264 and AAC in MP4, the index in front). `on_done(i)` is called in
// the caller's thread, in ascending order. Throws as run_ffmpeg() does; then every program that it started
// has ended.
void encode_pieces(const CutRequest&, const MediaInfo&, const FrameIndex&,
                   const std::vector<PlannedPiece>& pieces, const std::vector<std::string>& paths,
                   Millis deadline, const std::function<void(std::size_t)>& on_done);

}  // namespace segments

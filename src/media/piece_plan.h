// Which frames become which piece. Pure. Inside this room only.
#pragma once

#include "media/cut.h"
#include "media/frame_index.h"

namespace segments {

struct PlannedPiece {
  std::int64_t begin = 0, end = 0;  // ticks of the index: frames in [begin, end)
  bool is_exact = false;            // re-encoded
  std::string text;
};

// Cuts beyond the video's true end are left out. Where two neighbouring cuts touch, their pieces do: no frame
// is lost and none is doubled. Throws Error{invalid} when nothing is left.
std::vector<PlannedPiece> plan_pieces(const CutRequest&, const MediaInfo&, const FrameIndex&);

}  // namespace segments

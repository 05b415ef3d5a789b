// Pieces copied from keyframe to keyframe, without decoding. Inside this room only.
#pragma once

#include <functional>

#include "media/piece_plan.h"

namespace segments {

struct Container {
  const char* name;  // libavformat's
  const char* extension;
  const char* content_type;
};

// The container in which the file's own streams can be kept; null when none of ours can hold them.
const Container* container_for(const std::string& source, const FrameIndex&);

// Copies `pieces[i]` into `paths[i]`, all in one pass over the source (a further pass for every 16 that
// overlap). `on_done(i)` is called as each file is finished. Throws Error{invalid} when the streams cannot be
// copied.
void remux_pieces(const CutRequest&, const FrameIndex&, const Container&,
                  const std::vector<PlannedPiece>& pieces, const std::vector<std::string>& paths,
                  Millis deadline, const std::function<void(std::size_t)>& on_done);

}  // namespace segments

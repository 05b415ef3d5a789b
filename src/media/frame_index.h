// When each frame of a video is shown, from its packets alone (nothing is decoded). Cuts are taken to frames
// of this index, so that neighbouring pieces agree on every frame between them. Inside this room only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"

extern "C" {
#include <libavutil/rational.h>
}

namespace segments {

struct FrameIndex {
  int video = -1, audio = -1;  // streams; audio is -1 for none
  AVRational time_base{0, 1};
  std::vector<std::int64_t> shown;  // ticks of time_base, ascending, no two alike
  std::vector<std::int64_t> keys;   // those where decoding can begin and every later frame is whole
  bool keys_are_open = false;  // frames shown before such a key follow it in the file and belong to no piece
  std::int64_t packets = 0;    // of the video, up to the last that is shown
  std::int64_t end = 0;        // when the last frame has been shown

  std::int64_t first() const { return shown.front(); }
  double seconds(std::int64_t ticks) const {
    return static_cast<double>(ticks - first()) * av_q2d(time_base);
  }
  double absolute_seconds(std::int64_t ticks) const { return static_cast<double>(ticks) * av_q2d(time_base); }
  // The frame (or the end) whose time is nearest to `at` seconds from the first frame.
  std::int64_t nearest(double at) const;
  // The frame after the one at `ticks`, or the end.
  std::int64_t after(std::int64_t ticks) const;
  std::int64_t before(std::int64_t ticks) const;
  std::int64_t key_at_or_before(std::int64_t ticks) const;
  std::int64_t key_after(std::int64_t ticks) const;  // or the end
};

// Throws Error{invalid} when there is no video in it, Error{too_large} past the deadline.
FrameIndex index_frames(const std::string& path, Millis deadline);

}  // namespace segments

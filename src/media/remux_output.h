// One file that packets are copied into. Inside this room only.
#pragma once

#include <memory>
#include <string>

#include "media/input.h"
#include "media/piece_plan.h"
#include "media/remux.h"

namespace segments {

class RemuxOutput {
 public:
  // Throws Error{invalid} when the container does not take the streams, Error{unavailable} when the disk is
  // full.
  RemuxOutput(const MediaInput&, const FrameIndex&, const Container&, const std::string& path);
  ~RemuxOutput();
  RemuxOutput(const RemuxOutput&) = delete;
  RemuxOutput& operator=(const RemuxOutput&) = delete;

  // Copies a packet of the input's video or audio, shifted so that the piece's first frame is shown at zero.
  void write(const AVPacket&, const PlannedPiece&);
  void finish();

 private:
  struct Track {
    int input = -1, output = -1;
    AVRational time_base{0, 1};
    std::int64_t last_dts = AV_NOPTS_VALUE;
  };
  void add_track(const AVStream*, Track&);
  void check(int code);

  const FrameIndex& index_;
  AVFormatContext* format_ = nullptr;
  Track video_, audio_;
};

}  // namespace segments

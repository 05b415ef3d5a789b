#include "media/frame_index.h"

#include <algorithm>
#include <cmath>

#include "media/input.h"

namespace segments {
namespace {

// Four days at 60 frames a second, 160 MB.
constexpr std::size_t most_frames = 20'000'000;

struct Key {
  std::int64_t pts;
  bool is_open;  // a frame shown before it came after it
};

struct Scan {
  FrameIndex index;
  std::vector<Key> keys;
  std::int64_t latest = 0, last_duration = 0;
  std::int64_t usual_duration = 1;

  void take(const AVPacket& packet) {
    std::int64_t at = packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts;
    if (at == AV_NOPTS_VALUE) at = index.shown.empty() ? 0 : index.shown.back() + usual_duration;
    if (index.shown.size() >= most_frames)
      throw Error(ErrorKind::too_large, "The video has too many frames.");
    if (packet.flags & AV_PKT_FLAG_KEY) {
      keys.push_back({at, false});
    } else if (!keys.empty() && at < keys.back().pts) {
      keys.back().is_open = true;
    }
    // Not shown: an edit list begins after it, but what is shown is decoded from it.
    if (packet.flags & AV_PKT_FLAG_DISCARD) return;
    if (index.shown.empty() || at >= latest) {
      latest = at;
      last_duration = packet.duration;
    }
    index.shown.push_back(at);
  }
};

// VP8 keeps frames that are decoded but never shown in packets of their own (RFC 6386, 9.1: show_frame).
bool is_hidden(const AVCodecParameters& codec, const AVPacket& packet) {
  return codec.codec_id == AV_CODEC_ID_VP8 && packet.size > 0 && (packet.data[0] & 0x10) == 0;
}

std::int64_t frame_duration(const AVStream& stream) {
  if (stream.avg_frame_rate.num <= 0 || stream.avg_frame_rate.den <= 0) return 1;
  return std::max<std::int64_t>(1,
                                libav().av_rescale_q(1, av_inv_q(stream.avg_frame_rate), stream.time_base));
}

// Keys after the first need no frame before them, if there are such; else those whose leading frames are left
// out.
void choose_keys(Scan& scan) {
  FrameIndex& index = scan.index;
  auto count_closed =
      std::count_if(scan.keys.begin(), scan.keys.end(), [](const Key& k) { return !k.is_open; });
  bool first_is_open = !scan.keys.empty() && scan.keys.front().is_open;
  index.keys_are_open = scan.keys.size() > 1 && count_closed <= (first_is_open ? 0 : 1);
  for (const Key& key : scan.keys) {
    if (key.pts <= index.first()) continue;
    if (index.keys_are_open || !key.is_open) index.keys.push_back(key.pts);
  }
  // The first piece begins with the first frame that is shown, wherever its decoding begins.
  index.keys.push_back(index.first());
  std::sort(index.keys.begin(), index.keys.end());
  index.keys.erase(std::unique(index.keys.begin(), index.keys.end()), index.keys.end());
}

void finish(Scan& scan) {
  FrameIndex& index = scan.index;
  if (index.shown.empty()) throw not_a_video();
  std::sort(index.shown.begin(), index.shown.end());
  index.shown.erase(std::unique(index.shown.begin(), index.shown.end()), index.shown.end());
  index.end = index.shown.back() + (scan.last_duration > 0 ? scan.last_duration : scan.usual_duration);
  choose_keys(scan);
}

}  // namespace

FrameIndex index_frames(const std::string& path, Millis deadline) {
  MediaInput input(path, deadline);
  if (!input.is_described()) input.find_stream_info();
  Scan scan;
  scan.index.video = input.video();
  scan.index.audio = input.audio();
  if (scan.index.video < 0)
    throw Error(ErrorKind::invalid,
                scan.index.audio < 0 ? not_a_video().what() : "The file has sound but no picture.");
  AVStream* stream = input->streams[scan.index.video];
  for (unsigned i = 0; i < input->nb_streams; ++i) {
    if (static_cast<int>(i) != scan.index.video) input->streams[i]->discard = AVDISCARD_ALL;
  }
  scan.index.time_base = stream->time_base;
  scan.usual_duration = frame_duration(*stream);
  Packet packet = make_packet();
  std::int64_t packets = 0;
  while (input.read(packet.get())) {
    if (packet->stream_index == scan.index.video) {
      ++packets;
      if (!(packet->flags & AV_PKT_FLAG_DISCARD)) scan.index.packets = packets;
      if (!is_hidden(*stream->codecpar, *packet)) scan.take(*packet);
    }
    libav().av_packet_unref(packet.get());
  }
  finish(scan);
  return std::move(scan.index);
}

std::int64_t FrameIndex::nearest(double at) const {
  double wanted = static_cast<double>(first()) + at / av_q2d(time_base);
  auto next = std::lower_bound(shown.begin(), shown.end(), wanted,
                               [](std::int64_t a, double b) { return static_cast<double>(a) < b; });
  if (next == shown.begin()) return first();
  std::int64_t later = next == shown.end() ? end : *next, earlier = *(next - 1);
  return wanted - static_cast<double>(earlier) < static_cast<double>(later) - wanted ? earlier : later;
}

std::int64_t FrameIndex::after(std::int64_t ticks) const {
  auto next = std::upper_bound(shown.begin(), shown.end(), ticks);
  return next == shown.end() ? end : *next;
}

std::int64_t FrameIndex::before(std::int64_t ticks) const {
  auto next = std::lower_bound(shown.begin(), shown.end(), ticks);
  return next == shown.begin() ? first() : *(next - 1);
}

std::int64_t FrameIndex::key_at_or_before(std::int64_t ticks) const {
  auto next = std::upper_bound(keys.begin(), keys.end(), ticks);
  return next == keys.begin() ? keys.front() : *(next - 1);
}

std::int64_t FrameIndex::key_after(std::int64_t ticks) const {
  auto next = std::upper_bound(keys.begin(), keys.end(), ticks);
  return next == keys.end() ? end : *next;
}

}  // namespace segments

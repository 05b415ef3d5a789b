#include "media/probe.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "media/input.h"

namespace segments {

namespace {

constexpr Millis most_time = 30'000;
// A file without a duration in its header (a live recording) is read to its end, up to here.
constexpr std::int64_t most_read = std::int64_t{4} << 30;
constexpr std::int64_t most_read_remote = std::int64_t{64} << 20;

double seconds(std::int64_t ticks, AVRational base) {
  return ticks == AV_NOPTS_VALUE || ticks <= 0 ? 0 : static_cast<double>(ticks) * av_q2d(base);
}

int clockwise_rotation(const AVStream* stream) {
  std::size_t size = 0;
  const auto* matrix = libav().av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
  if (!matrix || size < 9 * sizeof(std::int32_t)) return 0;
  double counterclockwise = libav().av_display_rotation_get(reinterpret_cast<const std::int32_t*>(matrix));
  if (!std::isfinite(counterclockwise)) return 0;
  int degrees = static_cast<int>(std::lround(-counterclockwise)) % 360;
  return degrees < 0 ? degrees + 360 : degrees;
}

double average_rate(const AVStream* stream, double duration) {
  if (stream->avg_frame_rate.num > 0 && stream->avg_frame_rate.den > 0) return av_q2d(stream->avg_frame_rate);
  if (stream->nb_frames > 0 && duration > 0) return static_cast<double>(stream->nb_frames) / duration;
  if (stream->r_frame_rate.num > 0 && stream->r_frame_rate.den > 0) return av_q2d(stream->r_frame_rate);
  return 0;
}

// From the first to the last moment of the packets of `stream`, and of all.
std::pair<double, double> measure(MediaInput& input, int chosen) {
  double first = INFINITY, last = 0, last_of_all = 0;
  bool is_remote = input.is_remote();
  std::int64_t left = is_remote ? most_read_remote : most_read;
  Packet packet = make_packet();
  while (left > 0 && input.read(packet.get())) {
    left -= packet->size;
    std::int64_t at = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    AVRational base = input->streams[packet->stream_index]->time_base;
    if (at != AV_NOPTS_VALUE && at >= 0) {
      double begin = static_cast<double>(at) * av_q2d(base);
      double end = begin + seconds(packet->duration, base);
      last_of_all = std::max(last_of_all, end);
      if (packet->stream_index == chosen) {
        first = std::min(first, begin);
        last = std::max(last, end);
      }
    }
    libav().av_packet_unref(packet.get());
  }
  if (left <= 0) return {0, 0};
  return {std::max(0.0, last - first), last_of_all};
}

void describe_video(const AVStream* stream, MediaInfo& info) {
  info.has_video = true;
  info.video_codec = libav().avcodec_get_name(stream->codecpar->codec_id);
  info.width = stream->codecpar->width;
  info.height = stream->codecpar->height;
  info.rotation = clockwise_rotation(stream);
  info.duration = seconds(stream->duration, stream->time_base);
  info.frame_rate = average_rate(stream, info.duration);
}

}  // namespace

MediaInfo describe_input(MediaInput& input) {
  if (!input.is_described()) input.find_stream_info();
  int video = input.video(), audio = input.audio();
  if (video < 0 && audio < 0) throw not_a_video();
  MediaInfo info;
  info.container = input->iformat->name;
  info.container_duration = seconds(input->duration, AV_TIME_BASE_Q);
  if (video >= 0) describe_video(input->streams[video], info);
  if (audio >= 0) {
    info.has_audio = true;
    info.audio_codec = libav().avcodec_get_name(input->streams[audio]->codecpar->codec_id);
  }
  if (video < 0) info.duration = seconds(input->streams[audio]->duration, input->streams[audio]->time_base);
  if (info.duration <= 0 && info.container_duration <= 0)
    std::tie(info.duration, info.container_duration) = measure(input, video >= 0 ? video : audio);
  if (info.duration <= 0) info.duration = info.container_duration;
  if (info.container_duration <= 0) info.container_duration = info.duration;
  info.bit_rate = input->bit_rate;
  if (info.bit_rate <= 0 && info.container_duration > 0)
    info.bit_rate = static_cast<std::int64_t>(static_cast<double>(libav().avio_size(input->pb)) * 8 /
                                              info.container_duration);
  return info;
}

MediaInfo probe_media(const std::string& location) {
  MediaInput input(location, steady_ms() + most_time);
  return describe_input(input);
}

}  // namespace segments

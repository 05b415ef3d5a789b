#include "media/remux_output.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace segments {

RemuxOutput::RemuxOutput(const MediaInput& input, const FrameIndex& index, const Container& container,
                         const std::string& path)
    : index_(index) {
  std::string url = "file:" + path;
  check(libav().avformat_alloc_output_context2(&format_, nullptr, container.name, url.c_str()));
  try {
    add_track(input->streams[index.video], video_);
    if (index.audio >= 0) add_track(input->streams[index.audio], audio_);
    check(libav().avio_open(&format_->pb, url.c_str(), AVIO_FLAG_WRITE));
    AVDictionary* options = nullptr;
    libav().av_dict_set(&options, "movflags", "+faststart", 0);
    // In thousandths of a second, the default, the edit lists would round each piece's length.
    libav().av_dict_set(&options, "movie_timescale", "90000", 0);
    int code = libav().avformat_write_header(format_, &options);
    libav().av_dict_free(&options);
    check(code);
  } catch (...) {
    libav().avio_closep(&format_->pb);
    libav().avformat_free_context(format_);
    throw;
  }
}

RemuxOutput::~RemuxOutput() {
  if (!format_) return;
  libav().avio_closep(&format_->pb);
  libav().avformat_free_context(format_);
}

void RemuxOutput::check(int code) {
  if (code >= 0) return;
  log_warning("media.remux_failed", {{"reason", av_reason(code)}});
  if (code == AVERROR(ENOSPC) || code == AVERROR(EIO) || code == AVERROR(ENOENT) || code == AVERROR(EMFILE))
    throw Error(ErrorKind::unavailable, "A piece could not be written.");
  if (code == AVERROR(ENOMEM)) throw too_much_memory();
  throw Error(ErrorKind::invalid, "The video's streams cannot be copied.");
}

void RemuxOutput::add_track(const AVStream* from, Track& track) {
  AVStream* to = libav().avformat_new_stream(format_, nullptr);
  if (!to) throw std::bad_alloc();
  check(libav().avcodec_parameters_copy(to->codecpar, from->codecpar));
  // Each container has tags of its own; hvc1 is the one of HEVC that every player takes.
  to->codecpar->codec_tag = from->codecpar->codec_id == AV_CODEC_ID_HEVC ? MKTAG('h', 'v', 'c', '1') : 0;
  to->time_base = from->time_base;
  to->avg_frame_rate = from->avg_frame_rate;
  to->r_frame_rate = from->r_frame_rate;
  to->sample_aspect_ratio = from->sample_aspect_ratio;
  for (int i = 0; i < from->nb_side_data; ++i) {  // the rotation is among them
    const AVPacketSideData& side = from->side_data[i];
    auto* copy = libav().av_stream_new_side_data(to, side.type, side.size);
    if (!copy) throw std::bad_alloc();
    std::memcpy(copy, side.data, side.size);
  }
  track = {from->index, to->index, from->time_base, AV_NOPTS_VALUE};
}

void RemuxOutput::write(const AVPacket& source, const PlannedPiece& piece) {
  Track& track = source.stream_index == video_.input ? video_ : audio_;
  Packet packet = make_packet();
  check(libav().av_packet_ref(packet.get(), &source));
  if (packet->pts == AV_NOPTS_VALUE) packet->pts = packet->dts;
  if (packet->duration <= 0 && &track == &video_ && packet->pts != AV_NOPTS_VALUE)
    packet->duration = std::max<std::int64_t>(0, index_.after(packet->pts) - packet->pts);
  std::int64_t shift = libav().av_rescale_q(piece.begin, index_.time_base, track.time_base);
  if (packet->pts != AV_NOPTS_VALUE) packet->pts -= shift;
  if (packet->dts != AV_NOPTS_VALUE) packet->dts -= shift;
  // Containers that keep no decoding times, or round them, leave them missing or alike.
  if (packet->dts == AV_NOPTS_VALUE) packet->dts = packet->pts;
  if (track.last_dts != AV_NOPTS_VALUE && packet->dts <= track.last_dts) packet->dts = track.last_dts + 1;
  if (packet->pts < packet->dts) packet->pts = packet->dts;
  track.last_dts = packet->dts;
  packet->stream_index = track.output;
  packet->pos = -1;
  libav().av_packet_rescale_ts(packet.get(), track.time_base, format_->streams[track.output]->time_base);
  check(libav().av_interleaved_write_frame(format_, packet.get()));
}

void RemuxOutput::finish() {
  check(libav().av_write_trailer(format_));
  check(libav().avio_closep(&format_->pb));
}

}  // namespace segments

#include "media/remux.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

#include "media/input.h"
#include "media/remux_output.h"

namespace segments {
namespace {

constexpr Container mp4{"mp4", "mp4", "video/mp4"};
constexpr Container webm{"webm", "webm", "video/webm"};
constexpr Container quicktime{"mov", "mov", "video/quicktime"};

// Files open at once.
constexpr std::size_t most_open = 16;
// How much sound may come later in the file than the picture it belongs to, and before the first picture;
// seconds.
constexpr double most_lag = 5, most_lead = 0.1;

template <std::size_t N>
bool is_any(AVCodecID codec, const std::array<AVCodecID, N>& of) {
  return std::find(of.begin(), of.end(), codec) != of.end();
}

bool fits_mp4(AVCodecID video, AVCodecID audio) {
  constexpr std::array videos{AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_MPEG4, AV_CODEC_ID_AV1,
                              AV_CODEC_ID_VP9};
  constexpr std::array audios{AV_CODEC_ID_NONE, AV_CODEC_ID_AAC,  AV_CODEC_ID_MP3, AV_CODEC_ID_AC3,
                              AV_CODEC_ID_EAC3, AV_CODEC_ID_OPUS, AV_CODEC_ID_ALAC};
  return is_any(video, videos) && is_any(audio, audios);
}

bool fits_webm(AVCodecID video, AVCodecID audio) {
  constexpr std::array videos{AV_CODEC_ID_VP8, AV_CODEC_ID_VP9, AV_CODEC_ID_AV1};
  constexpr std::array audios{AV_CODEC_ID_NONE, AV_CODEC_ID_VORBIS, AV_CODEC_ID_OPUS};
  return is_any(video, videos) && is_any(audio, audios);
}

bool fits_quicktime(AVCodecID video, AVCodecID audio) {
  const auto* format = libav().av_guess_format("mov", nullptr, nullptr);
  auto holds = [&](AVCodecID codec) {
    return libav().avformat_query_codec(format, codec, FF_COMPLIANCE_NORMAL) == 1;
  };
  return format && holds(video) && (audio == AV_CODEC_ID_NONE || holds(audio));
}

AVCodecID codec_of(const MediaInput& input, int stream) {
  return stream < 0 ? AV_CODEC_ID_NONE : input->streams[stream]->codecpar->codec_id;
}

// One reading of the source, from its beginning to the last packet that a piece of this pass needs.
class RemuxPass {
 public:
  RemuxPass(const CutRequest& request, const FrameIndex& index, const Container& container, Millis deadline)
      : index_(index), container_(container), input_(request.source, deadline) {
    input_.find_stream_info();
    for (unsigned i = 0; i < input_->nb_streams; ++i) {
      int number = static_cast<int>(i);
      if (number != index.video && number != index.audio) input_->streams[i]->discard = AVDISCARD_ALL;
    }
  }

  // `order`: the numbers of this pass's pieces by ascending begin.
  void run(const std::vector<PlannedPiece>& pieces, const std::vector<std::size_t>& order,
           const std::vector<std::string>& paths, const std::function<void(std::size_t)>& on_done) {
    Packet packet = make_packet();
    std::size_t next = 0;
    group_ = index_.first();
    while ((next < order.size() || !active_.empty()) && input_.read(packet.get())) {
      note_position(*packet);
      while (next < order.size() && is_reached(pieces[order[next]])) {
        active_.push_back({order[next], &pieces[order[next]], nullptr});
        active_.back().output = std::make_unique<RemuxOutput>(input_, index_, container_, paths[order[next]]);
        ++next;
      }
      for (auto& open : active_) {
        if (belongs(*packet, *open.piece)) open.output->write(*packet, *open.piece);
      }
      libav().av_packet_unref(packet.get());
      finish_passed(on_done);
    }
    has_ended_ = true;
    finish_passed(on_done);
  }

 private:
  struct Open {
    std::size_t number;
    const PlannedPiece* piece;
    std::unique_ptr<RemuxOutput> output;
  };

  double absolute(std::int64_t ticks) const { return index_.absolute_seconds(ticks); }

  void note_position(const AVPacket& packet) {
    std::int64_t at = packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts;
    double time = at == AV_NOPTS_VALUE
                      ? 0
                      : static_cast<double>(at) * av_q2d(input_->streams[packet.stream_index]->time_base);
    if (packet.stream_index == index_.audio) {
      audio_time_ = time;
      return;
    }
    if (packet.stream_index != index_.video) return;
    ++packets_;
    video_time_ = std::max(video_time_, time);
    bool is_key = packet.flags & AV_PKT_FLAG_KEY;
    has_key_ = has_key_ || is_key;
    if (is_key && at > index_.first() && std::binary_search(index_.keys.begin(), index_.keys.end(), at))
      group_ = at;
  }

  bool is_reached(const PlannedPiece& piece) const {
    return (has_key_ && piece.begin <= group_) || audio_time_ >= absolute(piece.begin);
  }

  // A picture belongs where its group does. Sound belongs where it begins.
  bool belongs(const AVPacket& packet, const PlannedPiece& piece) const {
    bool is_first = piece.begin == index_.first();
    if (packet.stream_index == index_.audio) {
      double begin = absolute(piece.begin) - (is_first ? most_lead : 0);
      return audio_time_ >= begin && audio_time_ < absolute(piece.end);
    }
    // An edit list may end before the last packets do.
    if (!has_key_ || packet.stream_index != index_.video || packets_ > index_.packets) return false;
    bool leads = packet.pts != AV_NOPTS_VALUE && packet.pts < piece.begin && !is_first;
    return piece.begin <= group_ && group_ < piece.end && !leads;
  }

  bool has_passed(const PlannedPiece& piece) const {
    if (has_ended_) return true;
    if (group_ < piece.end) return false;
    double end = absolute(piece.end);
    return index_.audio < 0 || audio_time_ >= end || video_time_ > end + most_lag;
  }

  void finish_passed(const std::function<void(std::size_t)>& on_done) {
    for (auto open = active_.begin(); open != active_.end();) {
      if (!has_passed(*open->piece)) {
        ++open;
        continue;
      }
      open->output->finish();
      std::size_t number = open->number;
      open = active_.erase(open);
      on_done(number);
    }
  }

  const FrameIndex& index_;
  const Container& container_;
  MediaInput input_;
  std::vector<Open> active_;
  std::int64_t packets_ = 0;  // of the video so far
  std::int64_t group_ = 0;    // the key that the current packets are decoded from
  double audio_time_ = -1e18, video_time_ = -1e18;
  bool has_key_ = false, has_ended_ = false;
};

// Takes out of `waiting` as many as can be written in one pass with few files open.
std::vector<std::size_t> take_pass(std::vector<std::size_t>& waiting,
                                   const std::vector<PlannedPiece>& pieces) {
  std::vector<std::size_t> taken, left;
  std::vector<std::int64_t> ends;
  for (std::size_t number : waiting) {
    std::erase_if(ends, [&](std::int64_t end) { return end <= pieces[number].begin; });
    if (ends.size() < most_open) {
      ends.push_back(pieces[number].end);
      taken.push_back(number);
    } else {
      left.push_back(number);
    }
  }
  waiting = std::move(left);
  return taken;
}

}  // namespace

const Container* container_for(const std::string& source, const FrameIndex& index) {
  MediaInput input(source, 0);
  if (!input.is_described()) input.find_stream_info();
  AVCodecID video = codec_of(input, index.video), audio = codec_of(input, index.audio);
  std::string_view from = input->iformat->name;
  // These do not tell when frames are shown, only when they are decoded; the two are the same without
  // B-frames alone.
  bool lacks_times = from == "avi" || from == "mpeg" || from == "ogg";
  if (lacks_times && video != AV_CODEC_ID_MJPEG) return nullptr;
  if (fits_webm(video, audio) && from.starts_with("matroska")) return &webm;
  if (fits_mp4(video, audio)) return &mp4;
  if (fits_webm(video, audio)) return &webm;
  if (fits_quicktime(video, audio)) return &quicktime;
  return nullptr;
}

void remux_pieces(const CutRequest& request, const FrameIndex& index, const Container& container,
                  const std::vector<PlannedPiece>& pieces, const std::vector<std::string>& paths,
                  Millis deadline, const std::function<void(std::size_t)>& on_done) {
  std::vector<std::size_t> waiting(pieces.size());
  std::iota(waiting.begin(), waiting.end(), 0);
  std::stable_sort(waiting.begin(), waiting.end(),
                   [&](auto a, auto b) { return pieces[a].begin < pieces[b].begin; });
  while (!waiting.empty()) {
    auto order = take_pass(waiting, pieces);
    RemuxPass(request, index, container, deadline).run(pieces, order, paths, on_done);
  }
}

}  // namespace segments

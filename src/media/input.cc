#include "media/input.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <fstream>
#include <string_view>

#include "base/log.h"
#include "media/range_reader.h"

namespace segments {
namespace {

constexpr int buffer_size = 64 * 1024;
// Below it libavformat only guesses: text and noise pass for audio at such scores.
constexpr int least_score = AVPROBE_SCORE_RETRY;

// Every file that a container refers to would be opened through this.
int refuse_to_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

Error too_slow() {
  return Error(ErrorKind::too_large, "The video takes longer to read than is allowed.");
}

}  // namespace

Error not_a_video() {
  return Error(ErrorKind::invalid, "The file is not a video that can be read.");
}

Error too_much_memory() {
  return Error(ErrorKind::too_large, "The video needs more memory than is allowed.");
}

std::string av_reason(int code) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  libav().av_strerror(code, text, sizeof text);
  return text;
}

Packet make_packet() {
  Packet packet(libav().av_packet_alloc());
  if (!packet) throw std::bad_alloc();
  return packet;
}

// What libav reads from: a file, a range reader or memory, by position.
struct MediaInput::Source {
  Millis deadline = 0;
  bool is_remote = false;
  std::ifstream file;
  std::unique_ptr<RangeReader> remote;
  std::string_view bytes;
  std::int64_t position = 0, size = 0;
  std::exception_ptr failure;  // of the source, carried past libav's frames
  AVIOContext* io = nullptr;
  AVFormatContext* format = nullptr;

  ~Source() {
    if (format) libav().avformat_close_input(&format);
    if (!io) return;
    libav().av_freep(&io->buffer);
    libav().avio_context_free(&io);
  }

  bool is_late() const { return deadline != 0 && steady_ms() >= deadline; }

  int read_at_position(char* into, int count) {
    if (remote) return remote->read_at(position, into, count);
    if (!file.is_open()) {
      auto left = bytes.size() - std::min(bytes.size(), static_cast<std::size_t>(position));
      auto length = std::min(left, static_cast<std::size_t>(count));
      std::memcpy(into, bytes.data() + bytes.size() - left, length);
      return static_cast<int>(length);
    }
    file.clear();
    file.seekg(position);
    file.read(into, count);
    if (file.bad()) throw Error(ErrorKind::unavailable, "The file cannot be read.");
    return static_cast<int>(file.gcount());
  }

  static int read(void* opaque, std::uint8_t* into, int count) {
    auto* source = static_cast<Source*>(opaque);
    if (source->is_late()) return AVERROR_EXIT;
    try {
      int length = source->read_at_position(reinterpret_cast<char*>(into), count);
      source->position += length;
      return length > 0 ? length : AVERROR_EOF;
    } catch (...) {
      source->failure = std::current_exception();
      return AVERROR(EIO);
    }
  }

  static std::int64_t seek(void* opaque, std::int64_t offset, int whence) {
    auto* source = static_cast<Source*>(opaque);
    whence &= ~AVSEEK_FORCE;
    if (whence == AVSEEK_SIZE) return source->size;
    if (whence == SEEK_CUR) offset += source->position;
    if (whence == SEEK_END) offset += source->size;
    if (offset < 0) return AVERROR(EINVAL);
    return source->position = offset;
  }

  static int interrupt(void* opaque) { return static_cast<Source*>(opaque)->is_late(); }
};

MediaInput::MediaInput(const std::string& location, Millis deadline) : source_(std::make_unique<Source>()) {
  source_->deadline = deadline;
  if (location.starts_with("http://") || location.starts_with("https://")) {
    source_->is_remote = true;
    source_->remote = std::make_unique<RangeReader>(location, deadline);
    source_->size = source_->remote->size();
  } else {
    struct stat about {};
    if (stat(location.c_str(), &about) != 0) throw Error(ErrorKind::unavailable, "The file cannot be read.");
    // A pipe would block, a device never end.
    if (!S_ISREG(about.st_mode)) throw not_a_video();
    source_->size = about.st_size;
    source_->file.rdbuf()->pubsetbuf(nullptr, 0);
    source_->file.open(location, std::ios::binary);
    if (!source_->file.is_open()) throw Error(ErrorKind::unavailable, "The file cannot be read.");
  }
  open();
}

MediaInput::MediaInput(std::string_view bytes) : source_(std::make_unique<Source>()) {
  source_->bytes = bytes;
  source_->size = static_cast<std::int64_t>(bytes.size());
  open();
}

MediaInput::~MediaInput() = default;

AVFormatContext* MediaInput::get() const {
  return source_->format;
}

void MediaInput::open() {
  // libav would write to our standard error, a line for every oddity of a stranger's file.
  libav().av_log_set_level(AV_LOG_QUIET);
  auto* buffer = static_cast<unsigned char*>(libav().av_malloc(buffer_size));
  source_->io =
      libav().avio_alloc_context(buffer, buffer_size, 0, source_.get(), Source::read, nullptr, Source::seek);
  source_->format = libav().avformat_alloc_context();
  if (!buffer || !source_->io || !source_->format) throw std::bad_alloc();
  AVFormatContext* format = source_->format;
  format->pb = source_->io;
  format->io_open = refuse_to_open;
  format->interrupt_callback = {Source::interrupt, source_.get()};
  format->probesize = 5'000'000;
  format->max_analyze_duration = 5 * AV_TIME_BASE;
  format->max_streams = 100;
  AVDictionary* options = nullptr;
  libav().av_dict_set(&options, "format_whitelist", taken_formats, 0);
  libav().av_dict_set(&options, "protocol_whitelist", "none", 0);
  // On failure it frees the context and sets the pointer to null.
  int code = libav().avformat_open_input(&source_->format, nullptr, nullptr, &options);
  libav().av_dict_free(&options);
  check(code);
  // Some containers have no header: their streams show themselves as packets are read.
  bool lacks_header = source_->format->ctx_flags & AVFMTCTX_NOHEADER;
  if (source_->format->probe_score < least_score || (source_->format->nb_streams == 0 && !lacks_header))
    throw not_a_video();
}

void MediaInput::check(int code) const {
  if (source_->failure) std::rethrow_exception(source_->failure);
  if (code >= 0) return;
  log_info("media.refused", {{"reason", av_reason(code)}});
  if (source_->is_late() && source_->is_remote)
    throw Error(ErrorKind::unavailable, "The video could not be read in time from where it is stored.");
  if (source_->is_late()) throw too_slow();
  if (code == AVERROR(ENOMEM)) throw too_much_memory();
  throw not_a_video();
}

void MediaInput::find_stream_info() {
  check(libav().avformat_find_stream_info(source_->format, nullptr));
}

bool MediaInput::read(AVPacket* packet) {
  int code = libav().av_read_frame(source_->format, packet);
  if (source_->failure) std::rethrow_exception(source_->failure);
  if (code < 0 && source_->is_late()) throw too_slow();
  // Not the file's end: what follows would be lost without a word.
  if (code == AVERROR(ENOMEM)) throw too_much_memory();
  return code >= 0;
}

namespace {

int find_stream(AVFormatContext* format, AVMediaType type) {
  int best = -1;
  std::int64_t best_area = -1;
  for (unsigned i = 0; i < format->nb_streams; ++i) {
    const AVStream* stream = format->streams[i];
    const AVCodecParameters* codec = stream->codecpar;
    if (codec->codec_type != type || codec->codec_id == AV_CODEC_ID_NONE) continue;
    if (stream->disposition & (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS)) continue;
    std::int64_t area = std::int64_t{codec->width} * codec->height;
    if (stream->disposition & AV_DISPOSITION_DEFAULT) area += std::int64_t{1} << 40;
    if (area > best_area) {
      best = static_cast<int>(i);
      best_area = area;
    }
  }
  return best;
}

}  // namespace

bool MediaInput::is_remote() const {
  return source_->is_remote;
}
int MediaInput::video() const {
  return find_stream(source_->format, AVMEDIA_TYPE_VIDEO);
}
int MediaInput::audio() const {
  return find_stream(source_->format, AVMEDIA_TYPE_AUDIO);
}

bool MediaInput::is_described() const {
  if (source_->format->ctx_flags & AVFMTCTX_NOHEADER) return false;
  for (unsigned i = 0; i < source_->format->nb_streams; ++i) {
    const AVStream* stream = source_->format->streams[i];
    const AVCodecParameters* codec = stream->codecpar;
    bool has_rate = stream->avg_frame_rate.num > 0 || (stream->nb_frames > 0 && stream->duration > 0);
    if (codec->codec_type == AVMEDIA_TYPE_VIDEO &&
        (codec->codec_id == AV_CODEC_ID_NONE || codec->width <= 0 || codec->height <= 0 || !has_rate))
      return false;
    if (codec->codec_type == AVMEDIA_TYPE_AUDIO &&
        (codec->codec_id == AV_CODEC_ID_NONE || codec->sample_rate <= 0))
      return false;
  }
  return source_->format->nb_streams > 0;
}

}  // namespace segments

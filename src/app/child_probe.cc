#include "app/child_probe.h"

#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <semaphore>

#include "app/self.h"
#include "base/log.h"
#include "describe/decode.h"
#include "media/child.h"

namespace segments {

BOOST_DESCRIBE_STRUCT(MediaInfo, (),
                      (duration, container_duration, container, has_video, has_audio, video_codec,
                       audio_codec, width, height, rotation, frame_rate, bit_rate))
BOOST_DESCRIBE_ENUM(ErrorKind, malformed, unauthorized, forbidden, not_found, conflict, precondition_failed,
                    too_large, unsupported_media, invalid, rate_limited, unavailable, internal)

namespace {

constexpr int probe_seconds = 30, probe_memory_mb = 1024;
// Requests come in as many as there are threads of the server; their children may not.
constexpr int probes_at_once = 4;
constexpr Millis longest_wait = 5'000;

struct ProbeAnswer {
  std::optional<MediaInfo> media;
  std::optional<ErrorKind> kind;
  std::string error;
};
BOOST_DESCRIBE_STRUCT(ProbeAnswer, (), (media, kind, error))

// Addresses are signed: who knows one may read the object.
constexpr const char* location_variable = "MEDIA_LOCATION";
std::string without_signature(const std::string& location) {
  return location.substr(0, location.find('?'));
}

// Codecs may have written lines of their own before.
std::string last_line(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

MediaInfo read_answer(const ChildResult& result, const std::string& location) {
  std::optional<ProbeAnswer> answer;
  if (result.exit_code == 0) answer = decode<ProbeAnswer>(std::string_view(last_line(result.errors)));
  if (answer && answer->media) return *answer->media;
  if (answer && answer->kind) throw Error(*answer->kind, answer->error);
  log_warning("media.probe_died", {{"location", without_signature(location)},
                                   {"signal", result.signal},
                                   {"timed_out", result.timed_out}});
  throw Error(ErrorKind::invalid, result.timed_out ? "The file takes too long to read; it is no usable video."
                                                   : "The file is damaged; it is no usable video.");
}

// A place among those that probe, given back at the end of its scope.
class Turn {
 public:
  Turn(std::counting_semaphore<>& places, Millis longest_wait) : places_(places) {
    if (!places_.try_acquire_for(std::chrono::milliseconds(longest_wait)))
      throw Error(ErrorKind::unavailable, "Too many files are being read at the moment; try again soon.", {},
                  2);
  }
  ~Turn() { places_.release(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  std::counting_semaphore<>& places_;
};

}  // namespace

Probe take_turns(Probe probe, int at_once, Millis longest_wait) {
  auto places = std::make_shared<std::counting_semaphore<>>(at_once);
  return [probe = std::move(probe), places, longest_wait](const std::string& location) {
    Turn turn(*places, longest_wait);
    return probe(location);
  };
}

Probe make_child_probe(const Config& config) {
  ChildLimits limits;
#ifndef SEGMENTS_SANITIZED  // sanitizers reserve terabytes of addresses
  limits.memory_mb = probe_memory_mb;
#endif
  limits.seconds = std::min(probe_seconds, config.media_seconds);
  auto probe = [limits](const std::string& location) {
    return read_answer(run_child({own_program(), "media-probe"}, "", limits, {},
                                 std::string(location_variable) + "=" + location),
                       location);
  };
  return take_turns(probe, probes_at_once, longest_wait);
}

int run_media_probe() {
  std::string location = find_environment(location_variable).value_or("");
  ProbeAnswer answer;
  try {
    answer.media = probe_media(location);
  } catch (const Error& error) {
    answer.kind = error.kind();
    answer.error = error.what();
  } catch (const std::bad_alloc&) {
    answer.kind = ErrorKind::invalid;
    answer.error = "The file asks for too much memory; it is no usable video.";
  }
  std::string text = "\n" + encode(answer) + "\n";
  return write(STDERR_FILENO, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1;
}

}  // namespace segments

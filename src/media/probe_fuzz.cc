// Any bytes, read as a media file: a description or Error{invalid}, nothing else.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/log.h"
#include "media/input.h"
#include "media/probe.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace segments;
  set_log_level(LogLevel::off);
  if (size > 1 << 20) return 0;
  try {
    MediaInput input(std::string_view(reinterpret_cast<const char*>(data), size));
    MediaInfo info = describe_input(input);
    if (info.duration < 0 || (!info.has_video && !info.has_audio) || info.rotation < 0 ||
        info.rotation >= 360)
      std::abort();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid) std::abort();
  }
  return 0;
}

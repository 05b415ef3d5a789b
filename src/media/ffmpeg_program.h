// The ffmpeg program, run with our limits on a file of a stranger's. Inside this room only.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/time.h"
#include "media/cut.h"

namespace segments {

// The limits of one program among several that run at once for one piece of work.
struct ProgramLimits {
  int memory_mb = 0;
  int threads = 1;
  Millis deadline = 0;  // of steady_ms()
  std::stop_token stop = {};
};
ProgramLimits program_limits(const MediaLimits&);
// Threads for one piece of work: as allowed, else as many as the machine has, up to 16.
int thread_count(const MediaLimits&);
// More make one program hardly faster, but each takes about 100 MiB of addresses.
inline constexpr int most_program_threads = 4;

struct Program {
  std::vector<std::string> before_input, after_input;
  std::string source;     // a path
  std::string directory;  // where it runs
};

// Where its threads need more memory than is allowed, it is run once more with a single one.
// Throws Error{invalid} with one plain sentence when the file cannot be worked on, Error{too_large} past the
// limits, Error{unavailable} when it was killed from outside or stopped.
void run_ffmpeg(const Program&, const ProgramLimits&);

}  // namespace segments

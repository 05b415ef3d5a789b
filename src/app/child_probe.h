// Probing in a child process: a broken file that makes a demuxer crash, hang or eat memory costs one request,
// not the server.
#pragma once

#include <functional>
#include <string>

#include "app/config.h"
#include "base/time.h"
#include "media/probe.h"

namespace segments {

using Probe = std::function<MediaInfo(const std::string& location)>;

// Runs `segments media-probe` within limits; the location is in its environment. The error kinds are those of probe_media(). Any thread
// may call.
Probe make_child_probe(const Config&);
// `probe` for at most so many callers at once. The others wait their turn, at most so long; then
// Error{unavailable}.
Probe take_turns(Probe probe, int at_once, Millis longest_wait);
// The child's side: writes the answer to standard error, the one stream that a parent's run_child() reads.
int run_media_probe();

}  // namespace segments

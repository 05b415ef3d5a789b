// Everything that a handler or a task may use, visible in one place. Built once by app/, outlives all requests.
#pragma once

#include <functional>
#include <string>

#include "base/metrics.h"
#include "media/probe.h"
#include "objects/object_store.h"
#include "queue/task_queue.h"
#include "social/platform.h"
#include "store/event_log.h"
#include "store/segment_store.h"
#include "store/video_store.h"

namespace segments {

class DirectoryObjectStore;

enum class AuthMode { token, none };
BOOST_DESCRIBE_ENUM(AuthMode, token, none)

// Settings that handlers and tasks read; filled by app/config.cc.
struct ServiceSettings {
  AuthMode auth = AuthMode::token;
  std::string auth_secret;       // of HS256 tokens
  std::string cursor_secret;
  std::string media_secret;      // of this program's addresses of objects that lie elsewhere
  std::string public_url;        // "" takes the origin that a request came to
  std::string cors_origins = "*";
  std::vector<std::string> extra_types;  // of SEGMENTS_EXTRA_TYPES: original, thumbnail, audio
  std::int64_t max_upload_bytes = 0;     // of one object
  std::int64_t social_syncs_per_minute = 600;  // by user
  std::int64_t requests_per_minute = 0;        // by user; 0: no limit
  bool is_behind_network = false;        // records or objects: whoever asks for them waits
  std::string work_dir;                  // for tasks: each makes a folder of its own in it
  int media_memory_mb = 2048;            // of one media process
  int media_seconds = 3600;              // of one media process
  int media_threads = 0;                 // of one task's encoders; 0: as many as there are, up to 16
};

struct Services {
  SegmentStore& segments;
  VideoStore& videos;
  EventLog& events;
  Totals& totals;
  ObjectStore& objects;
  DirectoryObjectStore* directory;  // what serves /media; null where objects lie elsewhere
  TaskQueue& queue;
  Platforms& platforms;
  Metrics& metrics;
  // Probes a path or URL. In the server it runs in a child process, so that a broken file cannot take the server down.
  std::function<MediaInfo(const std::string& location)> probe;
  const ServiceSettings& settings;
};

}  // namespace segments

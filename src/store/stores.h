// What one engine keeps of everything that is no object: the stores share a file or a table, and the events
// are of their changes. Any thread may use them.
#pragma once

#include "store/archive.h"
#include "store/event_log.h"
#include "store/segment_store.h"
#include "store/video_store.h"

namespace segments {

class Stores {
 public:
  virtual ~Stores() = default;
  virtual SegmentStore& segments() = 0;
  virtual VideoStore& videos() = 0;
  virtual EventLog& events() = 0;
  virtual Totals& totals() = 0;
  virtual Archive& archive() = 0;
};

}  // namespace segments

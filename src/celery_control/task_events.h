// Makes Celery's task events of what the queue and the worker tell of their tasks.
#pragma once

#include <atomic>
#include <string>

#include "celery/celery_queue.h"
#include "celery_control/event_buffer.h"
#include "celery_control/revoked_ids.h"
#include "worker/run_observer.h"

namespace segments::celery {

// Hours west of UTC now, as Python counts them.
int utc_offset_hours();

class TaskEvents : public RunObserver {
 public:
  TaskEvents(std::string node, EventBuffer&, const RevokedIds&);

  void run_started(const LeasedTask&, pid_t slot, Millis begun_at) override;
  void run_ended(const LeasedTask&, const RunEnd&) override;

  QueueObserver queue_observer();  // its functions are called while this lives

  // Summer time begins while workers run.
  void set_utc_offset(int hours) { utc_offset_h_ = hours; }

 private:
  EventSource source(Millis at) const;
  void send_ending(const LeasedTask&, const RunEnd&);

  const std::string node_;
  const std::int64_t pid_;
  EventBuffer& buffer_;
  const RevokedIds& revoked_;
  std::atomic<int> utc_offset_h_;
};

}  // namespace segments::celery

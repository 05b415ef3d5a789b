// A thread that does the periodic work while it holds the beat's lock: of all processes that have one, one
// works.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

#include "app/beat_lock.h"
#include "app/config.h"
#include "app/engines.h"

namespace segments {

struct BeatOptions {
  Millis round_ms = 30'000;  // from one round's end to the next
  Millis hold_ms = 10'000;   // how often the lock is kept, or asked for; a third of what it lasts in Redis
};

class Beat {
 public:
  // Does its part of the work as long as the function it is given says that it may go on.
  using Round = std::function<void(const std::function<bool()>& may_go_on)>;

  Beat(std::unique_ptr<BeatLock>, Round, BeatOptions = {});
  void request_stop() { thread_.request_stop(); }  // at the latest its end asks for it, and waits

 private:
  void run(std::stop_token);
  bool try_hold();
  void do_round(const std::stop_token&);

  std::unique_ptr<BeatLock> lock_;
  Round round_;
  BeatOptions options_;
  bool is_held_ = false;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it uses the others
};

// What `segments worker --beat` runs: syncs of followed posts unless SEGMENTS_SYNC is `no`, and the sweeps.
// Locked in Redis where that is the queue, else in the data folder.
std::unique_ptr<Beat> make_beat(const Config&, Engines&, BeatOptions = {});

}  // namespace segments

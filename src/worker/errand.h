// A thread that does one call at a time for another, which goes on meanwhile: the supervisor's long questions
// to the queue. All is called by the one that gives the errands; the call itself runs on the errand's thread.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace segments {

class Errand {
 public:
  Errand();   // throws Error{unavailable}
  ~Errand();  // waits for the call that is under way
  Errand(const Errand&) = delete;
  Errand& operator=(const Errand&) = delete;

  // From begin() until its end is taken.
  bool is_given() const { return is_given_; }
  void begin(std::function<void()> call);  // while none is given
  bool is_done() const;
  int done_descriptor() const { return done_; }  // readable from then on, until its end is taken
  // Of a call that is done: what it threw. What the call wrote can be read from here on.
  std::exception_ptr take_end();

 private:
  void run();

  const int done_;
  bool is_given_ = false;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> call_;
  std::exception_ptr fault_;
  bool is_done_ = false;
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace segments

// Moves committed pages from the write-ahead log into the database file on a thread of its own, so that no
// writer waits for it. The log is started anew at times, in a turn of its own, or it would grow for as long
// as others write. What a burst of writing leaves in it is moved once nobody writes: as long as there is any,
// each read looks into the log first, past every version of a page that was written often.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <thread>

#include "sqlite/connection.h"
#include "sqlite/turnstile.h"

namespace segments::sqlite {

// Moves pages, unless there are none to move or somebody else is at it; whether it did. To be called with
// neither a turn nor a transaction.
bool move_pages(Connection&, Turnstile&);

class Checkpointer {
 public:
  explicit Checkpointer(std::unique_ptr<Connection>);
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  // The log holds so many pages now; called by the writer after each commit.
  void log_grew_to(int pages);

 private:
  void run();
  bool wait_for_pages(std::unique_lock<std::mutex>&);
  void start_log_anew();

  std::unique_ptr<Connection> connection_;
  Turnstile turnstile_;
  std::mutex mutex_;
  std::condition_variable wake_;
  int pages_ = 0;  // in the log
  int moved_ = 0;  // of them, at the last checkpoint
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace segments::sqlite

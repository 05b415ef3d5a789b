// One thread's lines of the log, written together: a line of each request costs a system call of its own
// otherwise, a tenth of what the request costs.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace segments {

// While it lives, this thread's lines below warnings wait for flush(), for a warning or error of the thread,
// or until no more would enter a pipe in one piece. `wanted` is called when the first begins to wait: it sees
// to it that flush() is called soon.
class LogBatch {
 public:
  explicit LogBatch(std::function<void()> wanted);
  ~LogBatch();
  LogBatch(const LogBatch&) = delete;
  LogBatch& operator=(const LogBatch&) = delete;

  void add(std::string_view line);
  void flush();

 private:
  std::function<void()> wanted_;
  std::string lines_;
};

}  // namespace segments

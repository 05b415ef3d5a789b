// A program run to its end as a child of ours, within limits. It stays in our process group, so that killing
// the group kills it; it also dies when the thread that started it does. Nothing of ours is inherited but the
// limits: no descriptors, and of the environment only what is given. Any thread may call it.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

namespace segments {

struct ChildLimits {
  int memory_mb = 0;  // of address space; 0 for no limit
  int seconds = 0;    // of wall time, and twice that of one processor's time per thread; 0 for no limit
  int processors = 1;
};

struct ChildResult {
  int exit_code = -1;      // -1 when it did not exit by itself
  int signal = 0;          // that ended it
  bool timed_out = false;  // it and all that it had started were killed
  bool stopped = false;    // the same, because a stop was requested
  std::string errors;      // the last 16 KiB of its standard error
};

// command[0] is looked up in /usr/local/bin, /usr/bin and /bin. It runs in `directory`, or in ours when that
// is empty. `variable`, as NAME=VALUE, is for what other users of the machine are not to see: a command line
// is everybody's to read. Throws Error{internal} when the program cannot be started.
ChildResult run_child(const std::vector<std::string>& command, const std::string& directory,
                      const ChildLimits&, std::stop_token = {}, const std::string& variable = "");

}  // namespace segments

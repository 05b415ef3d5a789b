// A slot as the worker sees it: the leader of a process group, and the socket to it. The group is all that
// the slot has started, so that what is killed is killed whole.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "worker/message.h"
#include "worker/slot_board.h"

namespace segments {

// Orphans of this process's descendants become its children while it lives, so that the end of a whole group
// can be awaited and nothing stays behind as a zombie where process 1 does not reap.
class Subreaper {
 public:
  Subreaper();
  ~Subreaper();
  Subreaper(const Subreaper&) = delete;
  Subreaper& operator=(const Subreaper&) = delete;

 private:
  int before_ = 0;
};

class SlotProcess {
 public:
  // Starts `command` with descriptor 3 as its socket and 4 as its board. It dies with the calling thread.
  // Throws Error{unavailable}.
  explicit SlotProcess(const std::vector<std::string>& command);
  // Kills the group and waits for its end.
  ~SlotProcess();
  SlotProcess(const SlotProcess&) = delete;
  SlotProcess& operator=(const SlotProcess&) = delete;

  int socket() const { return socket_; }
  pid_t id() const { return id_; }
  // Orders are done in their order. They are counted, and are sent by flush(), many in one call. 0: too
  // large.
  std::uint64_t put(const RunOrder&);
  void flush();
  std::uint64_t orders_sent() const { return orders_; }
  // True when the slot has not begun it, and never will.
  bool take_back(std::uint64_t order) { return board_.take_back(order); }
  bool waits(std::uint64_t order) const { return board_.waits(order); }
  std::optional<RunReport> read_report();  // what has come
  bool is_broken();                        // dead, gone from the socket, or talking nonsense
  void distrust() { talks_nonsense_ = true; }

  void signal_group(int signal);
  void kill_group();  // does not
  bool is_gone();     // no process of the group is left

 private:
  pid_t id_ = -1;
  int socket_ = -1;
  SlotBoard board_;
  MessageReader reader_{-1};
  std::string unsent_;
  std::uint64_t orders_ = 0;
  bool is_deaf_ = false;
  bool talks_nonsense_ = false;
  bool gone_ = false;
};

}  // namespace segments

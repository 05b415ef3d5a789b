// A slot as the worker sees it: the leader of a process group, and the socket to it. The group is all that
// the slot has started, so that what is killed is killed whole.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/message.h"

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
  // Starts `command` with descriptor 3 as its socket. It dies with the calling thread. Throws
  // Error{unavailable}.
  explicit SlotProcess(const std::vector<std::string>& command);
  // Kills the group and waits for its end.
  ~SlotProcess();
  SlotProcess(const SlotProcess&) = delete;
  SlotProcess& operator=(const SlotProcess&) = delete;

  int socket() const { return socket_; }
  pid_t id() const { return id_; }
  bool send(const RunOrder&);
  std::optional<RunReport> read_report();  // what has come
  bool is_broken();                        // dead, gone from the socket, or talking nonsense

  void terminate_group();  // asks
  void kill_group();       // does not
  bool is_gone();          // no process of the group is left

 private:
  pid_t id_ = -1;
  int socket_ = -1;
  MessageReader reader_{-1};
  bool talks_nonsense_ = false;
  bool gone_ = false;
};

}  // namespace segments

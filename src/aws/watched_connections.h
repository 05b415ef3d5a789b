// Connections of an HttpClient that a Watcher's thread uses without waiting. They are watched while they are
// idle, too: that one has ended is seen without a look before each use. For the watcher's thread alone.
#pragma once

#include <memory>
#include <vector>

#include "aws/connection_pool.h"
#include "base/watcher.h"

namespace segments::aws {

class WatchedConnections {
 public:
  WatchedConnections(std::shared_ptr<ConnectionPool>, Watcher&);
  // What is under way has failed.
  ~WatchedConnections();
  WatchedConnections(const WatchedConnections&) = delete;
  WatchedConnections& operator=(const WatchedConnections&) = delete;

  bool begin(const Origin&, HttpRequest&&, Millis deadline, HttpClient::Done&&);

 private:
  class Line;
  using Lines = std::vector<std::unique_ptr<Line>>;
  std::unique_ptr<Line> find(const Origin&, bool is_repeatable);
  void keep(std::unique_ptr<Line>);
  static std::unique_ptr<Line> take_out(Lines&, const Line&);

  const std::shared_ptr<ConnectionPool> pool_;
  Watcher& watcher_;
  Lines idle_;  // the last one used is the last
  Lines busy_;
};

}  // namespace segments::aws

#include "app/open_files.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "base/log.h"

namespace segments {
namespace {

constexpr int reserve = 256;

int as_int(rlim_t limit) {
  return static_cast<int>(std::min<rlim_t>(limit, std::numeric_limits<int>::max()));
}

}  // namespace

int raise_open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1'024;
  if (limit.rlim_cur == limit.rlim_max) return as_int(limit.rlim_cur);
  rlimit raised{limit.rlim_max, limit.rlim_max};
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return as_int(raised.rlim_cur);
  log_warning("open_files.not_raised", {{"error", std::strerror(errno)}});
  return as_int(limit.rlim_cur);
}

int connections_below(int open_files) {
  return std::max(open_files - reserve, open_files / 4);
}

}  // namespace segments

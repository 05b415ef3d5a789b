#include "app/open_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

namespace segments {

TEST(OpenFiles, AreAsManyAsTheHardLimitAllows) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_GT(before.rlim_max, 100u);
  rlimit low{64, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_EQ(fcntl(0, F_DUPFD_CLOEXEC, 90), -1);
  EXPECT_EQ(static_cast<rlim_t>(raise_open_files()), before.rlim_max);
  int file = fcntl(0, F_DUPFD_CLOEXEC, 90);
  EXPECT_GE(file, 90);
  close(file);
  EXPECT_EQ(static_cast<rlim_t>(raise_open_files()), before.rlim_max) << "again";
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST(OpenFiles, LeaveSomeBesidesConnections) {
  EXPECT_EQ(connections_below(20'000), 19'744);
  EXPECT_EQ(connections_below(1'024), 768);
  EXPECT_EQ(connections_below(256), 64);
}

}  // namespace segments

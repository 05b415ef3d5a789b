#include "worker/slot_board.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>
#include <vector>

namespace segments {

TEST(SlotBoard, an_order_is_begun_or_taken_back_never_both) {
  SlotBoard board;
  board.offer(1);
  board.offer(2);
  EXPECT_TRUE(board.waits(1));
  EXPECT_TRUE(board.begin(1));
  EXPECT_FALSE(board.waits(1));
  EXPECT_FALSE(board.take_back(1));
  EXPECT_FALSE(board.begin(1));
  EXPECT_TRUE(board.take_back(2));
  EXPECT_FALSE(board.begin(2));
  EXPECT_FALSE(board.take_back(2));
  EXPECT_FALSE(board.begin(3)) << "it was never offered";
}

TEST(SlotBoard, a_cell_that_is_used_again_is_about_the_later_order) {
  SlotBoard board;
  board.offer(5);
  EXPECT_TRUE(board.take_back(5));
  board.offer(5 + SlotBoard::capacity);
  EXPECT_FALSE(board.begin(5));
  EXPECT_FALSE(board.take_back(5));
  EXPECT_TRUE(board.waits(5 + SlotBoard::capacity));
  EXPECT_TRUE(board.begin(5 + SlotBoard::capacity));
}

TEST(SlotBoard, of_two_that_want_it_one_gets_it) {
  constexpr std::uint64_t orders = 20'000;
  SlotBoard board;
  SlotBoard other(fcntl(board.descriptor(), F_DUPFD_CLOEXEC, 0));
  std::vector<char> begun(orders + 1), taken(orders + 1);
  for (std::uint64_t first = 1; first < orders; first += SlotBoard::capacity) {
    auto last = std::min(first + SlotBoard::capacity - 1, orders);
    for (auto order = first; order <= last; ++order) board.offer(order);
    std::thread slot([&] {
      for (auto order = first; order <= last; ++order) begun[order] = other.begin(order);
    });
    for (auto order = last; order >= first; --order) taken[order] = board.take_back(order);
    slot.join();
    for (auto order = first; order <= last; ++order) EXPECT_EQ(begun[order] + taken[order], 1) << order;
  }
}

TEST(SlotBoard, it_is_seen_by_another_process_and_survives_it) {
  SlotBoard board;
  board.offer(1);
  board.offer(2);
  pid_t child = fork();
  if (child == 0) {
    SlotBoard own(dup(board.descriptor()));
    _exit(own.begin(1) ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(board.take_back(1));
  EXPECT_TRUE(board.take_back(2));
}

}  // namespace segments

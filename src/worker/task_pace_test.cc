#include "worker/task_pace.h"

#include <gtest/gtest.h>

namespace segments {

TEST(TaskPace, nothing_waits_behind_what_is_not_known) {
  TaskPace pace("tasks.test");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(pace.depth(), 1);
    pace.measure(0.001);
  }
  EXPECT_FALSE(pace.is_short());
  pace.measure(0.001);
  EXPECT_TRUE(pace.is_short());
  EXPECT_EQ(pace.depth(), TaskPace::longest_queue);
}

TEST(TaskPace, the_longer_the_runs_the_fewer_wait) {
  TaskPace pace("tasks.test");
  for (int i = 0; i < 4; ++i) pace.measure(8);
  EXPECT_EQ(pace.depth(), 5);
  for (int i = 0; i < 100; ++i) pace.measure(19.9);
  EXPECT_EQ(pace.depth(), 2);
  for (int i = 0; i < 100; ++i) pace.measure(20.1);
  EXPECT_EQ(pace.depth(), 1);
}

TEST(TaskPace, one_long_run_is_remembered_for_a_while) {
  TaskPace pace("tasks.test");
  for (int i = 0; i < 1000; ++i) pace.measure(0.1);
  pace.measure(10'000);
  int runs = 0;
  for (; !pace.is_short(); ++runs) pace.measure(0.1);
  EXPECT_GT(runs, 20);
  EXPECT_LT(runs, 100);
}

TEST(TaskPaces, each_name_has_its_own_and_strangers_are_bounded) {
  TaskPaces paces;
  auto& known = paces.of("known");
  for (int i = 0; i < 4; ++i) known.measure(0);
  for (int i = 0; i < 10'000; ++i) paces.of("name " + std::to_string(i));
  EXPECT_EQ(&paces.of("known"), &known) << "it stays where it is";
  EXPECT_TRUE(known.is_short());
  auto& others = paces.of("one more");
  EXPECT_EQ(&others, &paces.of("and another"));
  for (int i = 0; i < 10; ++i) others.measure(0);
  EXPECT_FALSE(others.is_short());
}

}  // namespace segments

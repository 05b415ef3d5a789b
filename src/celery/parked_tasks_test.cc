#include "celery/parked_tasks.h"

#include <gtest/gtest.h>

namespace segments::celery {
namespace {

std::vector<std::string> ids_of(const std::vector<ParkedTask>& tasks) {
  std::vector<std::string> ids;
  for (const auto& task : tasks) ids.push_back(task.id);
  return ids;
}
using Ids = std::vector<std::string>;

class ParkedTasksTest : public testing::Test {
 protected:
  ParkedTasksTest() {
    parked.add({.id = "late", .name = "t", .due = 300, .fence = 1});
    parked.add({.id = "early", .name = "t", .due = 100, .fence = 2, .limited = true});
    parked.add({.id = "", .name = "t", .due = 200, .fence = 3});
  }
  ParkedTasks parked;
};

TEST_F(ParkedTasksTest, WhatIsNotDueIsListedInTheOrderOfItsTimes) {
  EXPECT_EQ(ids_of(parked.list(0)), (Ids{"early", "", "late"}));
  EXPECT_EQ(ids_of(parked.list(99)), (Ids{"early", "", "late"}));
  EXPECT_EQ(ids_of(parked.list(100)), (Ids{"", "late"}));
  EXPECT_EQ(ids_of(parked.list(199)), (Ids{"", "late"}));
  EXPECT_EQ(ids_of(parked.list(300)), Ids{});
  EXPECT_EQ(ids_of(parked.list(0, [](const ParkedTask& task) { return task.limited; })), Ids{"early"});
  EXPECT_EQ(ids_of(parked.list(0, {}, 2)), (Ids{"early", ""}));
}

TEST_F(ParkedTasksTest, OneOfTheSameIdTakesItsPlace) {
  parked.add({.id = "late", .name = "t", .due = 50, .fence = 9});
  EXPECT_EQ(ids_of(parked.list(0)), (Ids{"late", "early", ""}));
  EXPECT_EQ(parked.list(0)[0].fence, 9);
  EXPECT_TRUE(parked.take("late"));
  EXPECT_FALSE(parked.take("late"));
  EXPECT_EQ(ids_of(parked.list(0)), (Ids{"early", ""}));
}

TEST_F(ParkedTasksTest, FindsByIdWhatIsNotDue) {
  std::vector<std::string> ids{"late", "nobody", "early"};
  EXPECT_EQ(ids_of(parked.find(0, ids)), (Ids{"late", "early"}));
  EXPECT_EQ(ids_of(parked.find(100, ids)), Ids{"late"});
}

TEST_F(ParkedTasksTest, PruningDropsWhatWasDueBefore) {
  parked.prune(200);
  EXPECT_EQ(ids_of(parked.list(0)), (Ids{"", "late"}));
  EXPECT_FALSE(parked.take("early"));
  parked.prune(1'000);
  EXPECT_TRUE(parked.list(0).empty());
  EXPECT_FALSE(parked.take("late"));
}

}  // namespace
}  // namespace segments::celery

#include "base/batch.h"

#include <gtest/gtest.h>

#include <thread>

namespace segments {

TEST(Batch, KeepsOneThingForEachOwnerUntilItEnds) {
  ASSERT_EQ(Batch::of_this_thread(), nullptr);
  int wanted = 0;
  const int one = 0, other = 0;
  std::weak_ptr<void> seen;
  {
    Batch batch([&] { ++wanted; });
    ASSERT_EQ(Batch::of_this_thread(), &batch);
    std::thread([] { EXPECT_EQ(Batch::of_this_thread(), nullptr); }).join();
    for (int round = 1; round <= 3; ++round) {
      EXPECT_EQ(batch.kept_for(&one), nullptr);
      batch.kept_for(&one) = std::make_shared<int>(round);
      EXPECT_EQ(batch.kept_for(&other), nullptr);
      EXPECT_EQ(*static_cast<int*>(batch.kept_for(&one).get()), round);
      EXPECT_EQ(wanted, round) << "asked for once a round";
      seen = batch.kept_for(&one);
      batch.end();
      EXPECT_TRUE(seen.expired());
    }
    batch.kept_for(&other) = std::make_shared<int>(4);
    seen = batch.kept_for(&other);
  }
  EXPECT_TRUE(seen.expired());
  EXPECT_EQ(Batch::of_this_thread(), nullptr);
}

TEST(Batch, KeepsWhatIsAskedForWhileItEnds) {
  struct Restless {
    Batch& batch;
    ~Restless() { batch.kept_for(this) = std::make_shared<int>(1); }
  };
  int wanted = 0;
  const int owner = 0;
  Batch batch([&] { ++wanted; });
  auto restless = std::make_shared<Restless>(batch);
  const void* address = restless.get();
  batch.kept_for(&owner) = std::move(restless);
  batch.end();
  EXPECT_EQ(wanted, 2) << "what came meanwhile waits for another end";
  EXPECT_EQ(batch.kept_for(&owner), nullptr);
  EXPECT_NE(batch.kept_for(address), nullptr);
}

}  // namespace segments

// A segment looked up by a thread that does not wait.
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/test_watcher.h"
#include "dynamodb/test_segments.h"
#include "store/contract.h"

namespace segments::dynamodb {
namespace {

class LaterFindings : public testing::Test {
 protected:
  using Source = std::shared_ptr<LaterSource<std::optional<VersionedSegment>>>;

  LaterFindings() {
    stores.store.create_segment(contract::make_segment("v1", 1), {});
    stores.heal();
  }
  Source find(const std::string& id) {
    auto source = stores.store.find_segment_later(id).source();
    bool is_told = false;
    source->begin([&] { is_told = true; });
    EXPECT_TRUE(watcher.run_until([&] { return is_told; }));
    return source;
  }

  TestSegments stores;
  TestWatcher watcher;
};

TEST_F(LaterFindings, WhatIsThereIsFoundWithoutWaiting) {
  for (int i = 0; i < 3; ++i) {
    auto source = find("seg_v1_001");
    ASSERT_FALSE(source->must_wait());
    auto found = source->take();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->segment, contract::make_segment("v1", 1));
    EXPECT_EQ(found->version, 1);
  }
}

TEST_F(LaterFindings, AbsenceIsAskedForCertainWhichWaits) {
  stores.table.take_consumed();
  auto source = find("seg_v1_none");
  EXPECT_TRUE(source->must_wait());
  EXPECT_FALSE(source->take());
  EXPECT_EQ(stores.table.take_consumed(), (std::map<std::string, double>{{"GetItem", 1.5}}));
  EXPECT_FALSE(find("no id of ours")->take());
}

TEST_F(LaterFindings, WhatGoesWrongIsTriedAgainByWhoMayWait) {
  for (const char* kind : {"throttle", "internal_error", "reset", "truncate", "bad_crc"}) {
    stores.fault(std::string(R"({"kind":")") + kind + R"(","operation":"GetItem"})");
    auto source = find("seg_v1_001");
    EXPECT_TRUE(source->must_wait()) << kind;
    EXPECT_TRUE(source->take()) << kind;
    // There is a connection again, made by who waited.
    auto next = find("seg_v1_001");
    EXPECT_FALSE(next->must_wait()) << kind;
    EXPECT_TRUE(next->take()) << kind;
  }
}

TEST_F(LaterFindings, ARefusalForGoodIsThrown) {
  Table table(stores.table.client(), "there-is-no-such-table");
  DynamoSegmentStore store(table, stores.events.log());
  auto source = store.find_segment_later("seg_v1_001").source();
  bool is_told = false;
  source->begin([&] { is_told = true; });
  ASSERT_TRUE(watcher.run_until([&] { return is_told; }));
  EXPECT_FALSE(source->must_wait());
  EXPECT_THROW(source->take(), Error);
}

}  // namespace
}  // namespace segments::dynamodb

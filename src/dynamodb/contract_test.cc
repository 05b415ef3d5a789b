// DynamoDB passes the contract suites of the stores, with the events in Redis.

#include "dynamodb/stores.h"
#include "dynamodb/test_segments.h"
#include "store/archive_contract.h"
#include "store/event_log_contract.h"
#include "store/followed_posts_contract.h"
#include "store/segment_list_contract.h"
#include "store/segment_store_contract.h"
#include "store/video_store_contract.h"

namespace segments::contract {

namespace {

class DynamoUnderTest : public Stores {
 public:
  SegmentStore& segments() override { return stores_.segments(); }
  VideoStore& videos() override { return stores_.videos(); }
  EventLog& events() override { return stores_.events(); }
  Totals& totals() override { return stores_.totals(); }
  Archive& archive() override { return stores_.archive(); }

 private:
  dynamodb::TestEvents events_;
  dynamodb::TestTable table_;
  DynamoStores stores_{table_.client(), table_.name(), events_.log()};
};

const StoresFactory dynamo_factory{
    .name = "Dynamo", .make = [] { return std::make_unique<DynamoUnderTest>(); }, .effort = 20};

}  // namespace

INSTANTIATE_TEST_SUITE_P(Stores, SegmentStoreContract, testing::Values(dynamo_factory), name_of_factory);
INSTANTIATE_TEST_SUITE_P(Stores, FollowedPostsContract, testing::Values(dynamo_factory), name_of_factory);
INSTANTIATE_TEST_SUITE_P(Stores, SegmentListContract, testing::Values(dynamo_factory), name_of_factory);
INSTANTIATE_TEST_SUITE_P(Stores, VideoStoreContract, testing::Values(dynamo_factory), name_of_factory);
INSTANTIATE_TEST_SUITE_P(Stores, EventLogContract, testing::Values(dynamo_factory), name_of_factory);
INSTANTIATE_TEST_SUITE_P(Stores, ArchiveContract, testing::Values(dynamo_factory), name_of_factory);

}  // namespace segments::contract

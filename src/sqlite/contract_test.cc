// SQLite passes the contract suites of the stores.

#include "sqlite/stores.h"
#include "sqlite/test_folder.h"
#include "store/archive_contract.h"
#include "store/event_log_contract.h"
#include "store/followed_posts_contract.h"
#include "store/segment_list_contract.h"
#include "store/segment_store_contract.h"
#include "store/video_store_contract.h"

namespace segments::contract {

namespace {

class SqliteUnderTest : public Stores {
 public:
  explicit SqliteUnderTest(int library_mb) : library_mb_(library_mb) {}
  SegmentStore& segments() override { return stores_.segments(); }
  VideoStore& videos() override { return stores_.videos(); }
  EventLog& events() override { return stores_.events(); }
  Totals& totals() override { return stores_.totals(); }
  Archive& archive() override { return stores_.archive(); }

 private:
  const int library_mb_;
  sqlite::TestFolder folder_;
  SqliteStores stores_{{.file = folder_.path() / "segments.db", .library_mb = library_mb_}};
};

const StoresFactory sqlite_factory{"Sqlite", [] { return std::make_unique<SqliteUnderTest>(64); }};
// As users are served whose segments are too many to be held in memory.
const StoresFactory file_factory{"SqliteFileAlone", [] { return std::make_unique<SqliteUnderTest>(0); }};

}  // namespace

INSTANTIATE_TEST_SUITE_P(Stores, SegmentStoreContract, testing::Values(sqlite_factory), name_of_factory);
INSTANTIATE_TEST_SUITE_P(Stores, FollowedPostsContract, testing::Values(sqlite_factory), name_of_factory);
INSTANTIATE_TEST_SUITE_P(Stores, SegmentListContract, testing::Values(sqlite_factory, file_factory),
                         name_of_factory);
INSTANTIATE_TEST_SUITE_P(Stores, VideoStoreContract, testing::Values(sqlite_factory), name_of_factory);
INSTANTIATE_TEST_SUITE_P(Stores, EventLogContract, testing::Values(sqlite_factory), name_of_factory);
INSTANTIATE_TEST_SUITE_P(Stores, ArchiveContract, testing::Values(sqlite_factory), name_of_factory);

}  // namespace segments::contract

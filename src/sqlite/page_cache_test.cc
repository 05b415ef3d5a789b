#include "sqlite/page_cache.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <memory>

#include "sqlite/connection.h"
#include "sqlite/test_folder.h"

namespace segments::sqlite {
namespace {

constexpr unsigned borrowed = 262'145;  // by splits, in files whose pages have 4 KiB
constexpr int make = 2;                 // SQLite's word for: whatever it takes

struct CacheTest : testing::Test {
  TestFolder folder;
  Connection first{{.file = folder.path() / "first.db"}};  // begins SQLite
  const sqlite3_pcache_methods2& methods = *use_page_cache();
  std::unique_ptr<sqlite3_pcache, void (*)(sqlite3_pcache*)> cache{methods.xCreate(64, 64, 1),
                                                                   methods.xDestroy};
  CacheTest() { methods.xCachesize(cache.get(), 1'000); }

  sqlite3_pcache_page* put(unsigned page) {
    auto* made = methods.xFetch(cache.get(), page, make);
    methods.xUnpin(cache.get(), made, 0);
    return made;
  }
  bool has(unsigned page) {
    auto* found = methods.xFetch(cache.get(), page, 0);
    if (found) methods.xUnpin(cache.get(), found, 0);
    return found != nullptr;
  }
};

TEST_F(CacheTest, FindsAPageThatWasGivenTheBorrowedNumberForAMoment) {
  auto* page = put(7);
  methods.xRekey(cache.get(), page, 7, borrowed);
  EXPECT_FALSE(has(7));
  EXPECT_TRUE(has(borrowed));
  methods.xRekey(cache.get(), page, borrowed, 9);
  EXPECT_FALSE(has(borrowed));
  EXPECT_EQ(methods.xFetch(cache.get(), 9, 0), page);
}

// In files with other pages that number is a page as any other.
TEST_F(CacheTest, ForgetsWhatLiesBehindTheEndWhateverItsNumber) {
  for (unsigned page : {1u, 7u, borrowed - 1, borrowed, borrowed + 1}) put(page);
  methods.xTruncate(cache.get(), borrowed + 1);
  EXPECT_TRUE(has(borrowed));
  EXPECT_FALSE(has(borrowed + 1));
  methods.xTruncate(cache.get(), borrowed);
  EXPECT_FALSE(has(borrowed));
  EXPECT_TRUE(has(borrowed - 1));
  put(borrowed);
  methods.xTruncate(cache.get(), 8);
  EXPECT_FALSE(has(borrowed));
  EXPECT_FALSE(has(borrowed - 1));
  EXPECT_TRUE(has(7));
  EXPECT_EQ(methods.xPagecount(cache.get()), 2);
}

TEST_F(CacheTest, KeepsWhatIsWrittenWherePagesAreSplit) {
  Connection connection({.file = folder.path() / "rows.db"});
  connection.run_script("CREATE TABLE \"rows\" (\"n\" BLOB PRIMARY KEY) WITHOUT ROWID");
  for (int turn = 0; turn < 20; ++turn) {
    connection.run("BEGIN");
    for (int n = 0; n < 300; ++n) connection.run("INSERT INTO \"rows\" VALUES (randomblob(100))");
    connection.run(turn % 3 ? "COMMIT" : "ROLLBACK");
    auto check = connection.prepare("PRAGMA integrity_check");
    ASSERT_TRUE(check.step());
    ASSERT_EQ(check.text(0), "ok");
  }
  EXPECT_EQ(connection.find_integer("SELECT count(*) FROM \"rows\""), 13 * 300);
}

}  // namespace
}  // namespace segments::sqlite

// DynamoDB, S3 and Redis under a test of the interface: with SEGMENTS_TEST_ENGINES=cloud in the environment
// every ApiTest runs on them, and with SEGMENTS_TEST_CLOUD (engines/engine.h), which ctest sets. A table and a
// bucket of the test's own, and this process's Redis, empty.
#pragma once

#include "app/config.h"
#include "dynamodb/test_table.h"
#include "s3/test_store.h"

namespace segments::testing {

bool is_cloud();

class Cloud {
 public:
  Cloud();
  void configure(Config&) const;
  std::size_t count_open_uploads();  // in parts, neither completed nor aborted

 private:
  dynamodb::TestTable table_;
  s3::TestBucket bucket_;
};

}  // namespace segments::testing

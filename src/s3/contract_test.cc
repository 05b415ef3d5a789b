#include "objects/object_store_contract.h"
#include "s3/test_store.h"

namespace segments {
namespace {

OpenedObjectStore open_radosgw() {
  struct Kept {
    s3::TestBucket bucket;
    s3::S3ObjectStore store{bucket.options(), bucket.credentials()};
  };
  auto kept = std::make_shared<Kept>();
  return {std::shared_ptr<ObjectStore>(kept, &kept->store),
          [kept](const std::string& key, const std::string& id, int number, std::string_view bytes) {
            return s3::put_presigned_part(kept->store, key, id, number, bytes);
          }};
}

INSTANTIATE_TEST_SUITE_P(S3, ObjectStoreContract,
                         ::testing::Values(ObjectStoreFactory{"radosgw", open_radosgw}));

}  // namespace
}  // namespace segments

#include "objects/object_store_contract.h"
#include "s3/test_store.h"

namespace segments {
namespace {

OpenedObjectStore open_radosgw(const std::string& endpoint) {
  struct Kept {
    explicit Kept(const std::string& at) : bucket(at) {}
    s3::TestBucket bucket;
    s3::S3ObjectStore store{bucket.options(), bucket.credentials()};
  };
  auto kept = std::make_shared<Kept>(endpoint);
  return {std::shared_ptr<ObjectStore>(kept, &kept->store),
          [kept](const std::string& key, const std::string& id, int number, std::string_view bytes) {
            return s3::put_presigned_part(kept->store, key, id, number, bytes);
          }};
}

INSTANTIATE_TEST_SUITE_P(S3, ObjectStoreContract,
                         ::testing::Values(ObjectStoreFactory{
                             "radosgw", [] { return open_radosgw(engines::s3().endpoint); }}));
// As AWS is spoken to: bodies are not signed, and checksums go with them.
INSTANTIATE_TEST_SUITE_P(S3OverTls, ObjectStoreContract,
                         ::testing::Values(ObjectStoreFactory{
                             "radosgw over TLS", [] { return open_radosgw(engines::s3().tls); }}));

}  // namespace
}  // namespace segments

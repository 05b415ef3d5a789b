// Objects in a bucket of S3, or of any store that speaks its protocol. Any thread may call it; not to be used
// in a forked child. Docs: docs/adr/0015-s3.md.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "objects/object_store.h"
#include "objects/parts.h"
#include "s3/answers.h"
#include "s3/bucket.h"
#include "s3/upload.h"

namespace segments::s3 {

class S3ObjectStore : public ObjectStore {
 public:
  // Asks nothing of the network yet. Throws Error{invalid} for a bucket's name that cannot be one. The
  // provider must outlive it.
  S3ObjectStore(Options, aws::CredentialProvider&);

  // Throws Error{unavailable} whose sentence says plainly why the bucket cannot be used: absent, in another
  // region, not allowed, its keys not taken. Begins an upload and aborts it, which shows that writing is
  // allowed and leaves nothing that could be seen.
  void check_bucket();

  ObjectStoreTraits traits() const override;
  std::optional<ObjectInfo> find_object(std::string_view key) override;
  std::unique_ptr<ObjectWriter> write_object(std::string_view key, std::string_view content_type) override;
  ObjectInfo put_file(std::string_view key, const std::filesystem::path&,
                      std::string_view content_type) override;
  std::string read_object(std::string_view key, std::int64_t offset, std::int64_t length) override;
  bool remove_object(std::string_view key) override;
  std::vector<ObjectInfo> list_objects(std::string_view prefix, std::string_view after,
                                       std::size_t limit) override;
  PresignedUrl presign(const PresignRequest&) override;
  bool presigns_at_once() override { return bucket_.client().has_keys_at_hand(); }
  std::string readable_location(std::string_view key) override;
  std::string begin_upload(std::string_view key, std::string_view content_type,
                           std::int64_t size = 0) override;
  bool is_upload_open(std::string_view key, std::string_view upload_id) override;
  ObjectInfo complete_upload(std::string_view key, std::string_view upload_id, const std::vector<UploadPart>&,
                             const UploadBounds& = {}) override;
  bool abort_upload(std::string_view key, std::string_view upload_id) override;
  // That the bucket answers is looked at again after a quarter of a minute, that it may be written to after
  // ten minutes; in between it is believed. Free bytes are not known: -1.
  std::int64_t check_writable() override;

  // A multipart upload whose parts this program puts itself.
  std::string begin_own_upload(std::string_view key, std::string_view content_type);
  // One part of such an upload; its ETag. Error{not_found} for an unknown upload.
  std::string put_part(std::string_view key, std::string_view upload_id, int part_number, aws::Body);
  // An object in one request: at most 5 GiB.
  ObjectInfo put_whole(std::string_view key, std::string_view content_type, aws::Body);

 private:
  std::optional<aws::Reply> head(std::string_view key);
  std::string begin(std::string_view key, std::string_view content_type, std::int64_t size, bool is_own);
  std::optional<std::map<int, ListedPart>> find_parts(std::string_view key, const UploadId&);
  std::optional<ObjectInfo> find_joined(std::string_view key, const UploadId&);
  [[noreturn]] void refuse_parts(const aws::Call&, const aws::Reply&, std::string_view key, const UploadId&,
                                 const std::vector<UploadPart>&);
  void check_reading();
  void check_writing();
  void check_there();

  Bucket bucket_;
  std::mutex checking_;
  // Of steady_ms(); 0: never, or it failed since.
  std::atomic<Millis> seen_at_ = 0;
  Millis written_at_ = 0;
};

}  // namespace segments::s3

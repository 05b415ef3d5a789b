// A folder as object store. Several processes may use the same one at once, and any of them may be killed at
// any moment: an object is there as a whole or not at all, and what was acknowledged is on the disk.
//
//   by-key/uploads+/01j…+/clip.mp4 -> ../../../bytes/3f/3f9a…~video%2Fmp4      what people look at
//   bytes/3f/3f9a…~video%2Fmp4                                               the bytes; the name holds ETag
//   and type incoming/                                                                what is being written
//   parts/{upload id}/                                                       multipart uploads
//
// An object appears, is replaced and goes by one rename of its link, so its bytes, ETag and type always
// agree.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "objects/object_store.h"

namespace segments {

// An object that stays readable through its descriptor, also when it is replaced or removed meanwhile.
struct OpenObject {
  ObjectInfo info;
  Descriptor file;
};

class DirectoryObjectStore : public ObjectStore {
 public:
  // Makes the folder where there is none, and sweeps what dead processes left behind: unfinished files older
  // than a day, multipart uploads older than seven. Throws Error{unavailable} when the folder cannot be used.
  DirectoryObjectStore(std::filesystem::path root, std::string url_secret);

  std::optional<ObjectInfo> find_object(std::string_view key) override;
  std::unique_ptr<ObjectWriter> write_object(std::string_view key, std::string_view content_type) override;
  ObjectInfo put_file(std::string_view key, const std::filesystem::path&,
                      std::string_view content_type) override;
  std::string read_object(std::string_view key, std::int64_t offset, std::int64_t length) override;
  bool remove_object(std::string_view key) override;
  std::vector<ObjectInfo> list_objects(std::string_view prefix, std::string_view after,
                                       std::size_t limit) override;
  PresignedUrl presign(const PresignRequest&) override;
  std::string readable_location(std::string_view key) override;
  std::string begin_upload(std::string_view key, std::string_view content_type,
                           std::int64_t size = 0) override;
  bool is_upload_open(std::string_view key, std::string_view upload_id) override;
  ObjectInfo complete_upload(std::string_view key, std::string_view upload_id, const std::vector<UploadPart>&,
                             const UploadBounds& = {}) override;
  bool abort_upload(std::string_view key, std::string_view upload_id) override;
  std::int64_t check_writable() override;

  // What serves /media needs besides.
  std::optional<OpenObject> open_object(std::string_view key);
  // One part of a multipart upload: commit() answers its size and ETag. Error{not_found} for an unknown
  // upload.
  std::unique_ptr<ObjectWriter> write_part(std::string_view key, std::string_view upload_id, int part_number);
  // How many bytes the part may have, so that it and the other parts there do not exceed what was announced;
  // std::nullopt where nothing was. Error{not_found} as above.
  std::optional<std::int64_t> room_for_part(std::string_view key, std::string_view upload_id,
                                            int part_number);
  // What a signed address allows: see verify_media_url().
  PresignRequest verify(std::string_view http_method, std::string_view target);
  void sweep(Millis now);

 private:
  std::filesystem::path folder_of_upload(std::string_view key, std::string_view upload_id) const;
  std::filesystem::path folder_of_open_upload(std::string_view key, std::string_view upload_id) const;
  ObjectInfo join_parts(std::string_view key, std::string_view upload_id, const std::string& about,
                        const std::vector<UploadPart>&, const UploadBounds&);

  std::filesystem::path root_;
  std::string url_secret_;
};

}  // namespace segments

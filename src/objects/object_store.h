// Where media lies: objects under keys. Calls block; any thread may call. Every implementation passes
// objects/object_store_contract.h. Keys obey check_object_key() of this room's key.h; others throw
// Error{invalid}.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace segments {

struct ObjectInfo {
  std::string key;
  std::int64_t size = 0;  // bytes
  std::string etag;       // as HTTP sends it, quoted
  std::string content_type;
  Millis modified = 0;
};
BOOST_DESCRIBE_STRUCT(ObjectInfo, (), (key, size, etag, content_type, modified))

// Receives an object's bytes; what was written before commit() is gone with the writer.
class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;
  virtual void write(std::string_view bytes) = 0;  // Error{unavailable} when there is no room
  virtual ObjectInfo commit() = 0;                 // durable, and visible as a whole or not at all
};

enum class PresignMethod { get, put };
struct PresignRequest {
  PresignMethod method = PresignMethod::get;  // a URL for get answers HEAD too
  std::string key;
  int expires_in_s = 3600;  // 1 to 604800
  std::optional<Millis> expires_at =
      {};  // instead of expires_in_s: for addresses that stay the same for a while
  // get: what the answer's headers say
  std::optional<std::string> disposition = {};  // Content-Disposition
  std::optional<std::string> content_type = {};
  // put: what is taken
  std::optional<std::int64_t> size = {};      // exactly so many bytes
  std::optional<std::string> upload_id = {};  // of a multipart upload, with part_number 1 to 10000
  int part_number = 0;
};
struct PresignedUrl {
  // Absolute, or from "/" where this program serves it: the caller puts its own origin before it.
  std::string url;
  Millis expires = 0;
};

struct UploadPart {
  int part_number = 0;
  std::string etag;  // quotes optional
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  virtual std::optional<ObjectInfo> find_object(std::string_view key) = 0;
  virtual std::unique_ptr<ObjectWriter> write_object(std::string_view key, std::string_view content_type) = 0;
  // Puts a local file; it may be moved away.
  virtual ObjectInfo put_file(std::string_view key, const std::filesystem::path&,
                              std::string_view content_type) = 0;
  // `length` bytes from `offset`, fewer at the end; Error{not_found}.
  virtual std::string read_object(std::string_view key, std::int64_t offset, std::int64_t length) = 0;
  virtual bool remove_object(std::string_view key) = 0;
  // Objects whose keys begin with `prefix`, by key, after `after`.
  virtual std::vector<ObjectInfo> list_objects(std::string_view prefix, std::string_view after,
                                               std::size_t limit) = 0;
  virtual PresignedUrl presign(const PresignRequest&) = 0;
  // A path or a URL from which the media room reads the object with random access.
  virtual std::string readable_location(std::string_view key) = 0;

  // The upload id. `size`: the bytes that were announced, which all parts together do not exceed; 0: not
  // known.
  virtual std::string begin_upload(std::string_view key, std::string_view content_type,
                                   std::int64_t size = 0) = 0;
  // Begun, and neither completed nor aborted.
  virtual bool is_upload_open(std::string_view key, std::string_view upload_id) = 0;
  // Joins the parts in the order given. Done before with the same upload id: the same answer again.
  // Error{not_found} for an unknown upload, Error{invalid} naming each part that is missing or has another
  // ETag, Error{too_large} for more bytes than were announced.
  virtual ObjectInfo complete_upload(std::string_view key, std::string_view upload_id,
                                     const std::vector<UploadPart>&) = 0;
  virtual bool abort_upload(std::string_view key, std::string_view upload_id) = 0;
  // Throws Error{unavailable} when objects cannot be written now (for /ready). Bytes that are free, or -1.
  virtual std::int64_t check_writable() = 0;
};

}  // namespace segments

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
  std::string etag;       // as HTTP sends it, quoted; never the same for other bytes
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

enum class PresignMethod { get, head, put };
struct PresignRequest {
  PresignMethod method = PresignMethod::get;
  std::string key;
  int expires_in_s = 3600;  // 1 to 604800
  // Instead of expires_in_s, for addresses that stay the same for a while: for a day at least where the end
  // is a midnight (UTC) and the store's own keys do not change.
  std::optional<Millis> expires_at = {};
  // get, head: what the answer's headers say
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
  Millis expires = 0;  // sooner than was asked for where the store's own keys expire sooner
};

struct UploadPart {
  int part_number = 0;
  std::string etag;  // quotes optional
};
// What the parts that are to be joined have together.
struct UploadBounds {
  std::optional<std::int64_t> exactly = {};  // bytes
  std::optional<std::int64_t> most = {};
};

// What stores do otherwise by their nature.
struct ObjectStoreTraits {
  // A URL that was presigned for get answers HEAD too. Where not, head has URLs of its own.
  bool get_answers_head = true;
  std::int64_t smallest_part = 0;  // bytes that every part of a multipart upload but the last must have
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  virtual ObjectStoreTraits traits() const { return {}; }
  virtual std::optional<ObjectInfo> find_object(std::string_view key) = 0;
  virtual std::unique_ptr<ObjectWriter> write_object(std::string_view key, std::string_view content_type) = 0;
  // Puts a local file; it may be moved away.
  virtual ObjectInfo put_file(std::string_view key, const std::filesystem::path&,
                              std::string_view content_type) = 0;
  // `length` bytes from `offset`, fewer at the end; Error{not_found}.
  virtual std::string read_object(std::string_view key, std::int64_t offset, std::int64_t length) = 0;
  // Whether there was one. Two who remove it in the same moment may both be told so.
  virtual bool remove_object(std::string_view key) = 0;
  // Objects whose keys begin with `prefix`, by key, after `after`. Their content types may be left out.
  virtual std::vector<ObjectInfo> list_objects(std::string_view prefix, std::string_view after,
                                               std::size_t limit) = 0;
  virtual PresignedUrl presign(const PresignRequest&) = 0;
  // presign() waits for nothing now.
  virtual bool presigns_at_once() { return true; }
  // A path or a URL from which the media room reads the object with random access, for a day if the store's
  // own keys live so long. Error{not_found}.
  virtual std::string readable_location(std::string_view key) = 0;

  // The upload id. `size`: the bytes that were announced, which all parts together do not exceed; 0: not
  // known.
  virtual std::string begin_upload(std::string_view key, std::string_view content_type,
                                   std::int64_t size = 0) = 0;
  // Begun, and neither completed nor aborted.
  virtual bool is_upload_open(std::string_view key, std::string_view upload_id) = 0;
  // Joins the parts in the order given. Done before with the same upload id: the same answer again, as long
  // as the object has been neither replaced nor removed since. Error{not_found} for an unknown upload,
  // Error{invalid} naming each part that is missing, has another ETag or is smaller than traits() allow,
  // Error{too_large} for more bytes than were announced or than the bounds' most, Error{conflict} for another
  // size than they ask for, or where a part was put again meanwhile. Whatever is thrown, the upload and its
  // parts are as before. The bounds are of the parts: what was joined before is answered whatever they say.
  virtual ObjectInfo complete_upload(std::string_view key, std::string_view upload_id,
                                     const std::vector<UploadPart>&, const UploadBounds& = {}) = 0;
  virtual bool abort_upload(std::string_view key, std::string_view upload_id) = 0;
  // Throws Error{unavailable} when objects cannot be written now (for /ready). Bytes that are free, or -1.
  virtual std::int64_t check_writable() = 0;
};

}  // namespace segments

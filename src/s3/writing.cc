// Objects that come from us: streamed in pieces by a writer, or from a file.
#include "s3/writing.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/descriptor.h"
#include "base/error.h"
#include "base/log.h"
#include "objects/key.h"
#include "s3/s3_object_store.h"

namespace segments::s3 {

namespace {

constexpr std::int64_t mebibyte = 1 << 20;
constexpr std::int64_t largest_single_put = 16 * mebibyte;

// A multipart upload that is aborted unless it was completed.
class OpenUpload {
 public:
  OpenUpload(S3ObjectStore& store, std::string_view key, std::string_view content_type)
      : store_(store), key_(key), id_(store.begin_own_upload(key, content_type)) {}
  ~OpenUpload() {
    if (is_completed_) return;
    try {
      store_.abort_upload(key_, id_);
    } catch (const std::exception& error) {
      // The bucket's lifecycle rule takes what stays.
      log_warning("s3.upload_not_aborted", {{"key", key_}, {"detail", error.what()}});
    }
  }
  OpenUpload(const OpenUpload&) = delete;
  OpenUpload& operator=(const OpenUpload&) = delete;

  int next_number() const { return static_cast<int>(parts_.size()) + 1; }
  void put(aws::Body body) {
    auto number = next_number();
    parts_.push_back({number, store_.put_part(key_, id_, number, std::move(body))});
  }
  ObjectInfo complete() {
    auto info = store_.complete_upload(key_, id_, parts_);
    is_completed_ = true;
    return info;
  }

 private:
  S3ObjectStore& store_;
  const std::string key_, id_;
  std::vector<UploadPart> parts_;
  bool is_completed_ = false;
};

class S3ObjectWriter : public ObjectWriter {
 public:
  S3ObjectWriter(S3ObjectStore& store, std::string_view key, std::string_view content_type)
      : store_(store), key_(key), content_type_(content_type) {}

  void write(std::string_view bytes) override {
    while (!bytes.empty()) {
      auto number = upload_ ? upload_->next_number() : 1;
      auto room = static_cast<std::size_t>(streamed_part_bytes(number)) - buffer_.size();
      // A full part stays until more comes: the last one must not be empty.
      if (room == 0) {
        put_part();
        continue;
      }
      auto taken = std::min(room, bytes.size());
      buffer_.append(bytes.substr(0, taken));
      bytes.remove_prefix(taken);
    }
  }

  ObjectInfo commit() override {
    if (!upload_) return store_.put_whole(key_, content_type_, aws::memory_body(std::move(buffer_)));
    put_part();
    return upload_->complete();
  }

 private:
  void put_part() {
    if (!upload_) upload_.emplace(store_, key_, content_type_);
    upload_->put(aws::memory_body(std::move(buffer_)));
    buffer_.clear();
  }

  S3ObjectStore& store_;
  const std::string key_, content_type_;
  std::string buffer_;
  std::optional<OpenUpload> upload_;  // from the first part on
};

}  // namespace

std::int64_t streamed_part_bytes(int part_number) {
  return least_part_bytes << std::min((part_number - 1) / 2'500, 3);
}

std::int64_t file_part_bytes(std::int64_t size) {
  auto needed = (size + most_parts - 1) / most_parts;
  return std::max(largest_single_put, (needed + mebibyte - 1) / mebibyte * mebibyte);
}

std::unique_ptr<ObjectWriter> S3ObjectStore::write_object(std::string_view key,
                                                          std::string_view content_type) {
  check_object_key(key);
  check_content_type(content_type);
  return std::make_unique<S3ObjectWriter>(*this, key, content_type);
}

ObjectInfo S3ObjectStore::put_whole(std::string_view key, std::string_view content_type, aws::Body body) {
  auto size = static_cast<std::int64_t>(body.size);
  auto call = bucket_.call("PutObject", "PUT", key, size);
  call.headers = bucket_.creation_headers(content_type);
  bucket_.set_body(call, std::move(body));
  auto reply = bucket_.client().call(call);
  if (!reply.is_done()) throw bucket_.client().unexpected(call, reply);
  auto info = info_of(key, reply.headers, size);
  info.content_type = content_type;
  return info;
}

ObjectInfo S3ObjectStore::put_file(std::string_view key, const std::filesystem::path& path,
                                   std::string_view content_type) {
  check_object_key(key);
  check_content_type(content_type);
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status;
  if (!file || ::fstat(file.number(), &status) != 0)
    throw Error(ErrorKind::internal,
                "A file that is put cannot be opened: " + std::system_category().message(errno) + ".");
  if (status.st_size <= largest_single_put)
    return put_whole(key, content_type,
                     aws::file_body(file.number(), 0, static_cast<std::uint64_t>(status.st_size)));
  OpenUpload upload(*this, key, content_type);
  auto part = file_part_bytes(status.st_size);
  for (std::int64_t at = 0; at < status.st_size; at += part)
    upload.put(aws::file_body(file.number(), static_cast<std::uint64_t>(at),
                              static_cast<std::uint64_t>(std::min(part, status.st_size - at))));
  return upload.complete();
}

}  // namespace segments::s3

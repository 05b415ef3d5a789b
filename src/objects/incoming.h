// How bytes come into the directory store: written to a file in incoming/, then published by one rename.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "objects/object_store.h"

namespace segments {

// The name of an object's bytes, which its link leads to: "{id}~{content type, escaped}".
struct BytesName {
  std::string id;  // 32 hex digits; the ETag
  std::string content_type;
};
std::string make_bytes_name(const BytesName&);  // Error{invalid}: a type that is too long
std::optional<BytesName> parse_bytes_name(std::string_view name_or_path);  // of its last part
std::filesystem::path path_of_bytes(const std::filesystem::path& root, std::string_view name);
inline std::string make_etag(std::string_view id) {
  return '"' + std::string(id) + '"';
}
Millis modified_at(const struct stat&);

// incoming/{id}.data. Gone with this object, unless it was published or moved away.
class IncomingFile {
 public:
  IncomingFile(const std::filesystem::path& root, std::string id);
  // Takes a file over: by a rename where it lies on the same file system, else as a copy.
  IncomingFile(const std::filesystem::path& root, std::string id, const std::filesystem::path& from);
  ~IncomingFile();
  IncomingFile(const IncomingFile&) = delete;
  IncomingFile& operator=(const IncomingFile&) = delete;

  void write(std::string_view bytes);
  void append(int file);  // all of an open file
  void sync();
  const std::filesystem::path& path() const { return path_; }
  const std::string& id() const { return id_; }
  int descriptor() const { return file_.number(); }
  void moved() { is_here_ = false; }

 private:
  std::filesystem::path path_;
  std::string id_;
  Descriptor file_;
  std::int64_t written_ = 0, pushed_ = 0;
  bool is_here_ = true;
};

// Makes the file the object `key`, durably, in place of what was there.
ObjectInfo publish(const std::filesystem::path& root, IncomingFile&, std::string_view key,
                   std::string_view content_type);
// Removes bytes that the link incoming/{…}.link leads to, then the link.
void remove_with_bytes(const std::filesystem::path& root, const std::filesystem::path& link);

}  // namespace segments

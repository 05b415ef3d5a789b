#include "objects/incoming.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/error.h"
#include "base/text.h"
#include "objects/files.h"
#include "objects/key.h"

namespace segments {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t id_length = 32;
// So much is written before the disk is asked to begin: a commit then waits for the last of it only.
constexpr std::int64_t push_bytes = 8 << 20;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

fs::path link_of(const fs::path& root, std::string_view id) {
  return root / "incoming" / (std::string(id) + ".link");
}

}  // namespace

std::string make_bytes_name(const BytesName& name) {
  std::string type = percent_encode(name.content_type);
  if (type.size() > 200) throw invalid_input({{"/content_type", "length", "The content type is too long."}});
  return name.id + "~" + type;
}

std::optional<BytesName> parse_bytes_name(std::string_view path) {
  std::string_view name = path.substr(path.rfind('/') + 1);
  if (name.size() <= id_length || name[id_length] != '~' || !is_hex(name.substr(0, id_length)))
    return std::nullopt;
  auto type = percent_decode(name.substr(id_length + 1));
  if (!type) return std::nullopt;
  return BytesName{.id = std::string(name.substr(0, id_length)), .content_type = std::move(*type)};
}

fs::path path_of_bytes(const fs::path& root, std::string_view name) {
  return root / "bytes" / name.substr(0, 2) / name;
}

Millis modified_at(const struct stat& status) {
  return Millis{status.st_mtim.tv_sec} * 1000 + status.st_mtim.tv_nsec / 1'000'000;
}

IncomingFile::IncomingFile(const fs::path& root, std::string id)
    : path_(root / "incoming" / (id + ".data")), id_(std::move(id)), file_(create_file(path_)) {}

IncomingFile::IncomingFile(const fs::path& root, std::string id, const fs::path& from)
    : path_(root / "incoming" / (id + ".data")), id_(std::move(id)) {
  file_ = Descriptor(::open(from.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!file_) throw_errno("A file cannot be opened");
  if (::rename(from.c_str(), path_.c_str()) == 0) {
    ::fchmod(file_.number(), 0644);
    ::futimens(file_.number(), nullptr);
    return;
  }
  if (errno != EXDEV) throw_errno("A file cannot be moved");
  Descriptor source = std::move(file_);
  file_ = create_file(path_);
  try {
    append_file(file_.number(), source.number());
  } catch (...) {
    ::unlink(path_.c_str());  // a constructor that throws has no destructor
    throw;
  }
}

IncomingFile::~IncomingFile() {
  if (is_here_) ::unlink(path_.c_str());
}

void IncomingFile::write(std::string_view bytes) {
  write_all(file_.number(), bytes);
  written_ += static_cast<std::int64_t>(bytes.size());
  if (written_ - pushed_ < push_bytes) return;
  // A hint; fsync in sync() is what counts.
  ::sync_file_range(file_.number(), pushed_, written_ - pushed_, SYNC_FILE_RANGE_WRITE);
  pushed_ = written_;
}

void IncomingFile::append(int file) {
  append_file(file_.number(), file);
}

void IncomingFile::sync() {
  sync_file(file_.number());
}

namespace {

// Puts the link at the key's path. What was there lies under the link's own name afterwards; false: nothing
// was.
bool exchange(const fs::path& by_key, const fs::path& link, const std::string& path) {
  fs::path target = by_key / path;
  fs::path folder = fs::path(path).parent_path();
  // Others may create, replace and remove the same key, and remove its folders, between any two calls.
  for (int tries = 0; tries < 10'000; ++tries) {
    if (::renameat2(AT_FDCWD, link.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) return true;
    if (errno != ENOENT) throw_errno("An object cannot be put in its place");
    make_folders(by_key, folder);
    if (::renameat2(AT_FDCWD, link.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) == 0) return false;
    if (errno != ENOENT && errno != EEXIST) throw_errno("An object cannot be put in its place");
  }
  throw Error(ErrorKind::unavailable, "The object is being changed by too many at once.", {}, 1);
}

void move_bytes(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return;
  if (errno != ENOENT) throw_errno("An object's bytes cannot be moved");
  make_folders(to.parent_path().parent_path(), to.parent_path().filename());
  if (::rename(from.c_str(), to.c_str()) != 0) throw_errno("An object's bytes cannot be moved");
}

}  // namespace

ObjectInfo publish(const fs::path& root, IncomingFile& file, std::string_view key,
                   std::string_view content_type) {
  file.sync();
  struct stat status;
  if (::fstat(file.descriptor(), &status) != 0) throw_errno("A file cannot be read");

  std::string name = make_bytes_name({.id = file.id(), .content_type = std::string(content_type)});
  std::string path = path_of_key(key);
  std::string target;
  for (auto depth = std::count(path.begin(), path.end(), '/') + 1; depth > 0; --depth) target += "../";
  target += "bytes/" + name.substr(0, 2) + "/" + name;

  // The link is there before the bytes are in their place: whoever finds it later without a process of its
  // own knows which bytes nobody refers to.
  fs::path link = link_of(root, file.id());
  if (::symlink(target.c_str(), link.c_str()) != 0) throw_errno("A link cannot be made");
  fs::path bytes = path_of_bytes(root, name);
  bool replaced = false;
  try {
    move_bytes(file.path(), bytes);
    file.moved();
    // The bytes are on the disk under their name before anything refers to them.
    sync_folder(bytes.parent_path());
    replaced = exchange(root / "by-key", link, path);
  } catch (...) {
    ::unlink(bytes.c_str());
    ::unlink(link.c_str());
    throw;
  }
  sync_folder((root / "by-key" / path).parent_path());
  if (replaced) remove_with_bytes(root, link);
  return {.key = std::string(key),
          .size = status.st_size,
          .etag = make_etag(file.id()),
          .content_type = std::string(content_type),
          .modified = modified_at(status)};
}

void remove_with_bytes(const fs::path& root, const fs::path& link) {
  std::string target = read_link(link);
  if (parse_bytes_name(target)) {
    std::string_view name = target;
    ::unlink(path_of_bytes(root, name.substr(name.rfind('/') + 1)).c_str());
  }
  ::unlink(link.c_str());
}

}  // namespace segments

#include "objects/directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "base/error.h"
#include "base/ids.h"
#include "objects/files.h"
#include "objects/incoming.h"
#include "objects/key.h"
#include "objects/presign.h"

namespace segments {
namespace fs = std::filesystem;

namespace {

constexpr Millis day_ms = 24 * 3600 * 1000;

class DirectoryObjectWriter : public ObjectWriter {
 public:
  DirectoryObjectWriter(const fs::path& root, std::string_view key, std::string_view content_type)
      : root_(root), key_(key), content_type_(content_type), file_(root, make_secret(16)) {
    make_bytes_name({.id = file_.id(), .content_type = content_type_});  // refuses before any byte is written
  }
  void write(std::string_view bytes) override { file_.write(bytes); }
  ObjectInfo commit() override { return publish(root_, file_, key_, content_type_); }

 private:
  fs::path root_;
  std::string key_, content_type_;
  IncomingFile file_;
};

Error no_object(std::string_view key) {
  return not_found("object", key);
}

// A walk over by-key/ in the order of the keys.
class Listing {
 public:
  Listing(DirectoryObjectStore& store, const fs::path& by_key, std::string_view prefix,
          std::string_view after, std::size_t limit)
      : store_(store), by_key_(by_key), prefix_(prefix), after_(after), limit_(limit) {}

  std::vector<ObjectInfo> list() {
    std::string_view folder = prefix_.substr(0, prefix_.rfind('/') + 1);
    try {
      if (!folder.empty()) check_object_key(folder.substr(0, folder.size() - 1));
    } catch (const Error&) {
      return {};  // no key begins like that
    }
    visit(by_key_ / path_of_folder(folder), std::string(folder));
    return std::move(found_);
  }

 private:
  struct Entry {
    std::string text;  // with the slash of a folder, so that they sort as keys do
    fs::path path;
  };

  static void read_names(const fs::path& folder, const std::string& beginning, std::vector<Entry>& entries) {
    std::error_code gone;  // removed meanwhile: empty
    for (fs::directory_iterator entry(folder, gone), end; !gone && entry != end; entry.increment(gone)) {
      auto name = parse_key_name(entry->path().filename().native());
      if (!name) continue;
      std::string text = beginning + name->text;
      if (name->kind == KeyName::Kind::beginning)
        read_names(entry->path(), text, entries);
      else if (name->kind == KeyName::Kind::folder)
        entries.push_back({text + "/", entry->path()});
      else
        entries.push_back({std::move(text), entry->path()});
    }
  }

  void visit(const fs::path& folder, const std::string& beginning) {
    std::vector<Entry> entries;
    read_names(folder, "", entries);
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.text < b.text; });
    for (const auto& entry : entries) {
      if (found_.size() >= limit_) return;
      std::string key = beginning + entry.text;
      bool is_before = key <= after_ && !after_.starts_with(key);
      if (key.ends_with('/')) {
        if (!is_before && (key.starts_with(prefix_) || prefix_.starts_with(key))) visit(entry.path, key);
      } else if (key > after_ && key.starts_with(prefix_)) {
        if (auto info = store_.find_object(key)) found_.push_back(std::move(*info));
      }
    }
  }

  DirectoryObjectStore& store_;
  fs::path by_key_;
  std::string_view prefix_, after_;
  std::size_t limit_;
  std::vector<ObjectInfo> found_;
};

}  // namespace

DirectoryObjectStore::DirectoryObjectStore(fs::path root, std::string url_secret)
    : root_(fs::absolute(root).lexically_normal()), url_secret_(std::move(url_secret)) {
  std::error_code failed;
  for (const char* folder : {"by-key", "bytes", "incoming", "parts"}) {
    fs::create_directories(root_ / folder, failed);
    if (failed)
      throw Error(ErrorKind::unavailable,
                  "The folder of objects " + root_.string() + " cannot be made: " + failed.message() + ".");
  }
  sync_folder(root_);
  sweep(now_ms());
}

std::optional<OpenObject> DirectoryObjectStore::open_object(std::string_view key) {
  check_object_key(key);
  fs::path path = root_ / "by-key" / path_of_key(key);
  std::string previous;
  while (true) {
    std::string target = read_link(path);
    auto name = parse_bytes_name(target);
    // The same link again, and still no bytes behind it: somebody took them away by hand.
    if (!name || target == previous) return std::nullopt;
    fs::path bytes = path_of_bytes(root_, std::string_view(target).substr(target.rfind('/') + 1));
    Descriptor file(::open(bytes.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file) {
      if (errno != ENOENT) throw_errno("An object cannot be opened");
      previous = std::move(target);  // replaced or removed since the link was read
      continue;
    }
    struct stat status;
    if (::fstat(file.number(), &status) != 0) throw_errno("An object cannot be read");
    return OpenObject{.info = {.key = std::string(key),
                               .size = status.st_size,
                               .etag = make_etag(name->id),
                               .content_type = std::move(name->content_type),
                               .modified = modified_at(status)},
                      .file = std::move(file)};
  }
}

std::optional<ObjectInfo> DirectoryObjectStore::find_object(std::string_view key) {
  auto object = open_object(key);
  if (!object) return std::nullopt;
  return std::move(object->info);
}

std::unique_ptr<ObjectWriter> DirectoryObjectStore::write_object(std::string_view key,
                                                                 std::string_view content_type) {
  check_object_key(key);
  return std::make_unique<DirectoryObjectWriter>(root_, key, content_type);
}

ObjectInfo DirectoryObjectStore::put_file(std::string_view key, const fs::path& path,
                                          std::string_view content_type) {
  check_object_key(key);
  make_bytes_name({.id = "", .content_type = std::string(content_type)});
  IncomingFile file(root_, make_secret(16), path);
  return publish(root_, file, key, content_type);
}

std::string DirectoryObjectStore::read_object(std::string_view key, std::int64_t offset,
                                              std::int64_t length) {
  auto object = open_object(key);
  if (!object) throw no_object(key);
  offset = std::clamp<std::int64_t>(offset, 0, object->info.size);
  length = std::clamp<std::int64_t>(length, 0, object->info.size - offset);
  std::string bytes(static_cast<std::size_t>(length), '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    ssize_t count = ::pread(object->file.number(), bytes.data() + have, bytes.size() - have,
                            offset + static_cast<off_t>(have));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("An object cannot be read");
    if (count == 0) break;
    have += static_cast<std::size_t>(count);
  }
  bytes.resize(have);
  return bytes;
}

bool DirectoryObjectStore::remove_object(std::string_view key) {
  check_object_key(key);
  fs::path by_key = root_ / "by-key";
  fs::path path = by_key / path_of_key(key);
  fs::path link = root_ / "incoming" / (make_secret(16) + ".link");
  if (::rename(path.c_str(), link.c_str()) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return false;
    throw_errno("An object cannot be removed");
  }
  sync_folder(path.parent_path());
  remove_with_bytes(root_, link);
  for (fs::path folder = path.parent_path(); folder != by_key && ::rmdir(folder.c_str()) == 0;)
    folder = folder.parent_path();
  return true;
}

std::vector<ObjectInfo> DirectoryObjectStore::list_objects(std::string_view prefix, std::string_view after,
                                                           std::size_t limit) {
  return Listing(*this, root_ / "by-key", prefix, after, limit).list();
}

PresignedUrl DirectoryObjectStore::presign(const PresignRequest& request) {
  return sign_media_url(url_secret_, request, now_ms());
}

PresignRequest DirectoryObjectStore::verify(std::string_view http_method, std::string_view target) {
  return verify_media_url(url_secret_, http_method, target, now_ms());
}

std::string DirectoryObjectStore::readable_location(std::string_view key) {
  if (!find_object(key)) throw no_object(key);
  std::string target = read_link(root_ / "by-key" / path_of_key(key));
  if (!parse_bytes_name(target)) throw no_object(key);
  return path_of_bytes(root_, std::string_view(target).substr(target.rfind('/') + 1));
}

std::int64_t DirectoryObjectStore::check_writable() {
  try {
    IncomingFile file(root_, make_secret(16));
    file.write("?");
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::unavailable) throw;
    throw Error(ErrorKind::unavailable, std::string("Objects cannot be written: ") + error.what() + ".");
  }
  struct statvfs status;
  if (::statvfs(root_.c_str(), &status) != 0) return -1;
  return static_cast<std::int64_t>(status.f_bavail) * static_cast<std::int64_t>(status.f_frsize);
}

void DirectoryObjectStore::sweep(Millis now) {
  std::error_code gone;
  struct stat status;
  for (fs::directory_iterator entry(root_ / "incoming", gone), end; !gone && entry != end;
       entry.increment(gone)) {
    if (::lstat(entry->path().c_str(), &status) != 0 || modified_at(status) > now - day_ms) continue;
    if (entry->path().extension() == ".link")
      remove_with_bytes(root_, entry->path());
    else
      ::unlink(entry->path().c_str());
  }
  for (fs::directory_iterator entry(root_ / "parts", gone), end; !gone && entry != end;
       entry.increment(gone)) {
    if (::lstat(entry->path().c_str(), &status) != 0 || modified_at(status) > now - 7 * day_ms) continue;
    std::error_code failed;
    fs::remove_all(entry->path(), failed);  // what cannot be removed now is there at the next start
  }
}

}  // namespace segments

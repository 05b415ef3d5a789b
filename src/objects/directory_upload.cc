// Multipart uploads of the directory store: parts/{upload id}/ holds `about`, the parts by number, and after
// the completion `done`, the answer that is given again.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "base/crypto.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/text.h"
#include "describe/decode.h"
#include "objects/directory.h"
#include "objects/files.h"
#include "objects/incoming.h"
#include "objects/key.h"
#include "objects/parts.h"

namespace segments {
namespace fs = std::filesystem;

namespace {

struct UploadAbout {
  std::string key;
  std::string content_type;
  std::optional<std::int64_t> size;  // bytes, as announced
};
BOOST_DESCRIBE_STRUCT(UploadAbout, (), (key, content_type, size))

std::string name_of_part(int number) {
  char name[16];
  std::snprintf(name, sizeof name, "%05d", number);
  return name;
}

bool is_part(std::string_view name) {
  return name.size() == 5 && parse_integer(name).has_value();
}

// A part is what one writer wrote under one name: which file it is tells that, and costs no second pass over
// the bytes.
std::string etag_of_part(const struct stat& status) {
  std::string facts = std::to_string(status.st_ino) + " " + std::to_string(status.st_mtim.tv_sec) + "." +
                      std::to_string(status.st_mtim.tv_nsec) + " " + std::to_string(status.st_size);
  return make_etag(encode_hex(sha256(facts)).substr(0, 32));
}

// Known before the parts are joined, so that a second attempt after a crash sees whether the first one was
// done.
std::string object_id_of(std::string_view upload_id) {
  return encode_hex(sha256("upload " + std::string(upload_id))).substr(0, 32);
}

class PartWriter : public ObjectWriter {
 public:
  PartWriter(const fs::path& root, fs::path folder, std::string_view key, std::string_view upload_id,
             int number)
      : folder_(std::move(folder)),
        key_(key),
        upload_id_(upload_id),
        number_(number),
        file_(root, make_secret(16)) {}
  void write(std::string_view bytes) override { file_.write(bytes); }
  ObjectInfo commit() override {
    file_.sync();
    struct stat status;
    if (::fstat(file_.descriptor(), &status) != 0) throw_errno("A part cannot be read");
    if (::rename(file_.path().c_str(), (folder_ / name_of_part(number_)).c_str()) != 0) {
      if (errno == ENOENT) throw no_upload(upload_id_);  // aborted meanwhile
      throw_errno("A part cannot be put in its place");
    }
    file_.moved();
    sync_folder(folder_);
    return {.key = key_,
            .size = status.st_size,
            .etag = etag_of_part(status),
            .content_type = "",
            .modified = modified_at(status)};
  }

 private:
  fs::path folder_;
  std::string key_, upload_id_;
  int number_;
  IncomingFile file_;
};

std::optional<StoredPart> find_part(const fs::path& folder, int number) {
  struct stat status;
  if (::stat((folder / name_of_part(number)).c_str(), &status) != 0) return std::nullopt;
  return StoredPart{.size = status.st_size, .etag = etag_of_part(status)};
}

// The file that the list means: since it was checked, the part may have been put again.
Descriptor open_part(const fs::path& folder, const UploadPart& part) {
  Descriptor source(::open((folder / name_of_part(part.part_number)).c_str(), O_RDONLY | O_CLOEXEC));
  if (!source) throw_errno("A part cannot be opened");
  struct stat status;
  if (::fstat(source.number(), &status) != 0) throw_errno("A part cannot be read");
  if (unquoted(etag_of_part(status)) != unquoted(part.etag)) throw part_put_again(part.part_number);
  return source;
}

}  // namespace

fs::path DirectoryObjectStore::folder_of_upload(std::string_view key, std::string_view upload_id) const {
  bool is_id = upload_id.size() == 32 && std::all_of(upload_id.begin(), upload_id.end(), [](char c) {
                 return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
               });
  if (!is_id) throw no_upload(upload_id);
  fs::path folder = root_ / "parts" / upload_id;
  std::string about = read_small_file(folder / "about");
  if (about.empty() || decode<UploadAbout>(about).key != key) throw no_upload(upload_id);
  return folder;
}

fs::path DirectoryObjectStore::folder_of_open_upload(std::string_view key, std::string_view upload_id) const {
  fs::path folder = folder_of_upload(key, upload_id);
  if (fs::exists(folder / "done")) throw no_upload(upload_id);
  return folder;
}

bool DirectoryObjectStore::is_upload_open(std::string_view key, std::string_view upload_id) {
  try {
    folder_of_open_upload(key, upload_id);
    return true;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) return false;
    throw;
  }
}

std::string DirectoryObjectStore::begin_upload(std::string_view key, std::string_view content_type,
                                               std::int64_t size) {
  check_object_key(key);
  make_bytes_name({.id = "", .content_type = std::string(content_type)});
  std::string id = make_secret(16);
  make_folders(root_ / "parts", id);
  UploadAbout about{.key = std::string(key), .content_type = std::string(content_type), .size = std::nullopt};
  if (size > 0) about.size = size;
  put_small_file(root_ / "parts" / id / "about", encode(about));
  return id;
}

std::unique_ptr<ObjectWriter> DirectoryObjectStore::write_part(std::string_view key,
                                                               std::string_view upload_id, int part_number) {
  if (part_number < 1 || part_number > 10'000)
    throw invalid_input({{"/part_number", "range", "Parts are numbered 1 to 10000."}});
  return std::make_unique<PartWriter>(root_, folder_of_open_upload(key, upload_id), key, upload_id,
                                      part_number);
}

std::optional<std::int64_t> DirectoryObjectStore::room_for_part(std::string_view key,
                                                                std::string_view upload_id, int part_number) {
  fs::path folder = folder_of_open_upload(key, upload_id);
  std::string about = read_small_file(folder / "about");
  if (about.empty()) throw no_upload(upload_id);  // aborted meanwhile
  auto room = decode<UploadAbout>(about).size;
  if (!room) return std::nullopt;
  const std::string own = name_of_part(part_number);
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    const std::string name = entry.path().filename().native();
    struct stat status;
    if (is_part(name) && name != own && ::stat(entry.path().c_str(), &status) == 0) *room -= status.st_size;
  }
  return std::max<std::int64_t>(0, *room);
}

ObjectInfo DirectoryObjectStore::complete_upload(std::string_view key, std::string_view upload_id,
                                                 const std::vector<UploadPart>& parts,
                                                 const UploadBounds& bounds) {
  fs::path folder = folder_of_upload(key, upload_id);
  FileLock lock(folder / "lock");
  // Read again: somebody else may have aborted it while the lock was waited for.
  std::string about = read_small_file(folder / "about");
  if (!lock || about.empty()) throw no_upload(upload_id);
  if (std::string done = read_small_file(folder / "done"); !done.empty()) return decode<ObjectInfo>(done);

  auto info = find_object(key);
  if (!info || info->etag != make_etag(object_id_of(upload_id)))
    info = join_parts(key, upload_id, about, parts, bounds);
  put_small_file(folder / "done", encode(*info));
  std::error_code failed;  // the sweep takes what stays
  for (const auto& entry : fs::directory_iterator(folder, failed))
    if (is_part(entry.path().filename().native())) fs::remove(entry.path(), failed);
  return *info;
}

ObjectInfo DirectoryObjectStore::join_parts(std::string_view key, std::string_view upload_id,
                                            const std::string& about_text,
                                            const std::vector<UploadPart>& parts,
                                            const UploadBounds& bounds) {
  fs::path folder = root_ / "parts" / upload_id;
  auto about = decode<UploadAbout>(about_text);
  auto find = [&](int number) { return find_part(folder, number); };
  check_size_of_parts(check_parts(parts, find), about.size, bounds);
  // What an attempt that was killed left behind.
  std::string id = object_id_of(upload_id);
  ::unlink((root_ / "incoming" / (id + ".data")).c_str());
  remove_with_bytes(root_, root_ / "incoming" / (id + ".link"));
  IncomingFile file(root_, id);
  for (const auto& part : parts) file.append(open_part(folder, part).number());
  return publish(root_, file, key, about.content_type);
}

bool DirectoryObjectStore::abort_upload(std::string_view key, std::string_view upload_id) {
  try {
    fs::path folder = folder_of_upload(key, upload_id);
    FileLock lock(folder / "lock");
    if (!lock || !fs::exists(folder / "about") || fs::exists(folder / "done")) return false;
    // `about` goes first: without it the upload is unknown, whatever happens to the rest.
    fs::remove(folder / "about");
    sync_folder(folder);
    std::error_code failed;
    fs::remove_all(folder, failed);
    return true;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) return false;
    throw;
  }
}

}  // namespace segments

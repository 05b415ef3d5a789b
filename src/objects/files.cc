#include "objects/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/ids.h"

namespace segments {
namespace fs = std::filesystem;

void throw_errno(std::string_view what) {
  int number = errno;
  // EFBIG: beyond what the file system or a limit allows one file.
  if (number == ENOSPC || number == EDQUOT || number == EFBIG)
    throw Error(ErrorKind::unavailable, "There is no room left for objects.", {}, 60);
  if (number == EMFILE || number == ENFILE)
    throw Error(ErrorKind::unavailable, "Too many files are open at once.", {}, 5);
  throw Error(ErrorKind::internal, std::string(what) + ": " + std::strerror(number));
}

Descriptor create_file(const fs::path& path) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file) throw_errno("A file cannot be made");
  return file;
}

void write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0) {
      if (errno == EINTR) continue;
      throw_errno("A file cannot be written");
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

namespace {

void append_by_hand(int to, int from, off_t offset) {
  std::vector<char> buffer(256 * 1024);
  while (true) {
    ssize_t count = ::pread(from, buffer.data(), buffer.size(), offset);
    if (count < 0) {
      if (errno == EINTR) continue;
      throw_errno("A file cannot be read");
    }
    if (count == 0) return;
    write_all(to, {buffer.data(), static_cast<std::size_t>(count)});
    offset += count;
  }
}

}  // namespace

void append_file(int to, int from) {
  off64_t offset = 0;
  while (true) {
    ssize_t count = ::copy_file_range(from, &offset, to, nullptr, std::size_t{64} << 20, 0);
    if (count > 0) continue;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
      throw_errno("A file cannot be copied");
    // The end, or a pair of file systems that cannot (some of which say 0 instead of an error).
    return append_by_hand(to, from, offset);
  }
}

void sync_file(int file) {
  if (::fsync(file) != 0) throw_errno("A file cannot be written to the disk");
}

void sync_folder(const fs::path& path) {
  Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) {
    if (errno == ENOENT) return;  // removed meanwhile, and what was in it too
    throw_errno("A folder cannot be opened");
  }
  sync_file(folder.number());
}

void make_folders(const fs::path& root, const fs::path& below) {
  if (fs::is_directory(root / below)) return;
  fs::path path = root;
  for (const auto& part : below) {
    if (part.empty()) continue;
    fs::path parent = path;
    path /= part;
    if (::mkdir(path.c_str(), 0755) == 0)
      sync_folder(parent);
    else if (errno == ENOENT)
      return;  // removed meanwhile as empty: the caller tries again
    else if (errno != EEXIST)
      throw_errno("A folder cannot be made");
  }
}

void put_small_file(const fs::path& path, std::string_view bytes) {
  fs::path temporary = path;
  temporary += "." + make_secret(8);
  try {
    Descriptor file = create_file(temporary);
    write_all(file.number(), bytes);
    sync_file(file.number());
    if (::rename(temporary.c_str(), path.c_str()) != 0) throw_errno("A file cannot be renamed");
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(path.parent_path());
}

std::string read_small_file(const fs::path& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    if (errno == ENOENT || errno == ENOTDIR) return "";
    throw_errno("A file cannot be opened");
  }
  std::string bytes;
  char buffer[4096];
  while (true) {
    ssize_t count = ::read(file.number(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("A file cannot be read");
    if (count == 0) return bytes;
    bytes.append(buffer, static_cast<std::size_t>(count));
  }
}

std::string read_link(const fs::path& path) {
  char buffer[4096];
  ssize_t count = ::readlink(path.c_str(), buffer, sizeof buffer);
  if (count >= 0) return {buffer, static_cast<std::size_t>(count)};
  if (errno == ENOENT || errno == ENOTDIR || errno == EINVAL || errno == ENAMETOOLONG) return "";
  throw_errno("A link cannot be read");
}

FileLock::FileLock(const fs::path& path) : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  if (!file_) {
    if (errno == ENOENT) return;
    throw_errno("A lock cannot be opened");
  }
  while (::flock(file_.number(), LOCK_EX) != 0)
    if (errno != EINTR) throw_errno("A lock cannot be taken");
}

}  // namespace segments

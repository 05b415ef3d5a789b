// The few calls of the operating system that the directory store is made of; failures become Error.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/descriptor.h"

namespace segments {

// The last call failed: throws Error{unavailable} when there is no room, else Error{internal} with errno's
// text.
[[noreturn]] void throw_errno(std::string_view what);

Descriptor create_file(const std::filesystem::path&);  // for writing; must not be there
void write_all(int file, std::string_view bytes);
// All of `from`, from its start, to the end of `to`; in constant memory, within the kernel where it can.
void append_file(int to, int from);
void sync_file(int file);
void sync_folder(const std::filesystem::path&);
// Makes the folders below `root` that are missing, durably.
void make_folders(const std::filesystem::path& root, const std::filesystem::path& below);
// A small file as a whole or not at all, durably.
void put_small_file(const std::filesystem::path&, std::string_view bytes);
std::string read_small_file(const std::filesystem::path&);  // "" when there is none
// The target; "" when there is no link of that name.
std::string read_link(const std::filesystem::path&);

// While it lives, nobody else holds the lock of that file, in this process or another.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path&);
  explicit operator bool() const { return static_cast<bool>(file_); }  // false: the folder is not there

 private:
  Descriptor file_;
};

}  // namespace segments

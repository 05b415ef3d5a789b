// This program's own file, for starting it again with another command.
#pragma once

#include <filesystem>
#include <string>

namespace segments {

// Falls back to the link itself where /proc hides the path. A replaced file ends in " (deleted)"; the link
// still works.
inline std::string own_program() {
  std::error_code error;
  auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error || !std::filesystem::exists(path, error) ? "/proc/self/exe" : path.string();
}

}  // namespace segments

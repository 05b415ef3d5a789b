// Where the project's files lie, for tests that read them: found from the test program upwards, since
// compilers behind a shared cache name sources by relative paths.
#pragma once

#include <filesystem>

namespace segments {

inline std::filesystem::path source_root() {
  namespace fs = std::filesystem;
  for (fs::path at = fs::read_symlink("/proc/self/exe").parent_path(); at.has_relative_path();
       at = at.parent_path())
    if (fs::exists(at / "CMakePresets.json")) return at;
  return fs::absolute(fs::path(__FILE__).parent_path() / "../..");
}

}  // namespace segments

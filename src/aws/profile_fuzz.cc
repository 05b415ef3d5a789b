// Whatever stands in the files that AWS's programs share: names and keys come without blanks and line breaks.
#include <cstdint>
#include <cstdlib>

#include "aws/profile.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& [section, settings] : segments::aws::parse_ini(text)) {
    if (section.find('\n') != section.npos || section.starts_with(' ')) std::abort();
    for (const auto& [key, value] : settings) {
      if (key.empty() || key.find_first_of("=\n") != key.npos) std::abort();
      if (value.find('\n') != value.npos || value.starts_with(' ') || value.ends_with(' ')) std::abort();
    }
  }
  return 0;
}

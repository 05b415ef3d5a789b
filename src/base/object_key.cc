#include "base/object_key.h"

#include <algorithm>

#include "base/text.h"

namespace segments {

const char* fault_of_object_key(std::string_view key) {
  if (key.empty() || key.size() > 900) return "The object key has 1 to 900 bytes.";
  if (!is_utf8(key)) return "The object key must be valid UTF-8.";
  if (has_control(key) || key.find('\\') != key.npos)
    return "The object key must not have control characters or backslashes.";
  for (std::size_t from = 0; from <= key.size();) {
    auto to = std::min(key.find('/', from), key.size());
    auto part = key.substr(from, to - from);
    if (part.empty() || part == "." || part == "..")
      return "The parts of the object key between slashes must not be empty, \".\" or \"..\".";
    from = to + 1;
  }
  return nullptr;
}

}  // namespace segments

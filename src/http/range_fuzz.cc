#include <cstdlib>

#include "http/range.h"

// Whatever the header says, an answered range lies within the file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace segments;
  if (size < 1) return 0;
  std::string_view header(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (std::int64_t length : {std::int64_t{0}, std::int64_t{1}, std::int64_t{data[0]}, INT64_MAX}) {
    auto range = parse_range(header, length);
    if (range.kind != ByteRange::Kind::satisfiable) continue;
    if (range.length < 1 || range.offset < 0 || range.offset > length - range.length) std::abort();
    if (content_range(range, length).empty()) std::abort();
  }
  if_range_holds(header, "\"etag\"", 0);
  return 0;
}

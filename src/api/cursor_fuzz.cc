// Whatever bytes come as a cursor: never accepted unless signed, and what we sign reads back as it was.
#include <cstdint>
#include <cstdlib>

#include "api/cursor.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace segments;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  SegmentQuery query;
  if (parse_cursor("secret", "alice", query, bytes)) std::abort();

  query.search = bytes;
  Cursor cursor{{bytes, "seg_v_001"}, static_cast<std::int64_t>(size)};
  std::string text = encode_cursor("secret", "alice", query, cursor);
  auto parsed = parse_cursor("secret", "alice", query, text);
  if (!parsed || !(parsed->after == cursor.after) || parsed->page != cursor.page) std::abort();
  if (parse_cursor("secret", "bob", query, text)) std::abort();
  text[size % text.size()] ^= 1;
  if (parse_cursor("secret", "alice", query, text)) std::abort();
  return 0;
}

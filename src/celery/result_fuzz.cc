// Whatever is kept as a result: never a crash; what is decoded can be printed and means the same.
#include <cstdlib>

#include "celery/result.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace segments::celery;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  decode_group(bytes);
  join_chord({std::string(bytes)});
  if (auto part = decode_chord_part(bytes)) {
    auto same = decode_chord_part(encode_chord_part(*part));
    if (!same || same->task_id != part->task_id || same->result != part->result) std::abort();
  }
  auto meta = decode_result(bytes);
  if (!meta) return 0;
  if (auto exception = meta->exception()) exception->repr();
  auto same = decode_result(encode_result(*meta));
  if (!same || same->status != meta->status || same->result != meta->result ||
      same->children != meta->children || same->date_done != meta->date_done || same->more != meta->more)
    std::abort();
  return 0;
}

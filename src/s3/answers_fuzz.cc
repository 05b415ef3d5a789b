// What a server sends is read or refused, whatever it is; and an id that a client brings, too.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "s3/answers.h"
#include "s3/upload.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace segments;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto page = s3::parse_object_list(text))
    for (const auto& object : page->objects)
      if (object.size < 0 || object.etag.size() < 2) std::abort();
  if (auto page = s3::parse_part_list(text))
    for (const auto& [number, part] : page->parts)
      if (number < 1 || number > 10'000 || part.size < 0) std::abort();
  if (auto id = s3::parse_begun_upload(text); id && id->empty()) std::abort();
  s3::parse_completed_etag(text);
  s3::text_of_error(text, "Region");
  try {
    auto upload = s3::parse_upload(text);
    auto again = s3::parse_upload(s3::text_of(upload));
    if (again.mark != upload.mark || again.size != upload.size || again.id != upload.id) std::abort();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) std::abort();
  }
  return 0;
}

// Any bytes as a post's address: an id that is found has its platform's form, and its canonical address leads
// back.
#include <cstdlib>

#include "model/social_media.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  auto parsed = segments::parse_post_url({reinterpret_cast<const char*>(data), size});
  if (!parsed.address) return 0;
  auto [platform, post_id] = *parsed.address;
  if (!segments::is_post_id(platform, post_id)) std::abort();
  if (segments::parse_post_url(segments::make_post_url(platform, post_id)).address != parsed.address)
    std::abort();
  return 0;
}

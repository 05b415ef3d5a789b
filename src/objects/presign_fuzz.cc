// Targets of requests from outside: whatever comes, it is refused as forbidden, unless this secret signed it.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "objects/presign.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace segments;
  constexpr Millis now = 1'795'000'000'000;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    verify_media_url("secret of the fuzz target", "GET", text, now);
    std::abort();  // nobody guesses an HMAC
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::forbidden) std::abort();
  }
  // What is signed comes back as it was, whatever stands in it.
  std::size_t third = size / 3;
  PresignRequest request{.key = std::string(text.substr(0, third)), .expires_in_s = 60};
  request.disposition = std::string(text.substr(third, third));
  request.content_type = std::string(text.substr(2 * third));
  try {
    auto url = sign_media_url("secret", request, now).url;
    auto allowed = verify_media_url("secret", "HEAD", url, now);
    if (allowed.key != request.key || allowed.disposition != request.disposition ||
        allowed.content_type != request.content_type)
      std::abort();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid) std::abort();  // a key that is not taken
  }
  return 0;
}

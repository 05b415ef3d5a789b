// Whatever bytes come as a token: never accepted unless signed, never a crash.
#include <cstdint>
#include <cstdlib>

#include "api/token.h"
#include "base/crypto.h"
#include "base/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace segments;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::string why;
  if (verify_token("secret", bytes, why)) std::abort();

  // The same bytes behind a right signature reach the claims.
  auto middle = bytes.find('\n');
  std::string signed_part = encode_base64url(bytes.substr(0, middle)) + "." +
                            encode_base64url(middle == bytes.npos ? "" : bytes.substr(middle + 1));
  std::string token = signed_part + "." + encode_base64url(hmac_sha256("secret", signed_part));
  if (auto verified = verify_token("secret", token, why))
    if (verified->user.empty() || verified->user.size() > 200 ||
        verified->user.find('\0') != std::string::npos)
      std::abort();
  return 0;
}

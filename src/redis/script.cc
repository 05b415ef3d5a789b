#include <openssl/evp.h>

#include "base/error.h"
#include "base/text.h"
#include "redis/client.h"

namespace segments::redis {

Script::Script(std::string_view text) : text_(text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  if (EVP_Digest(text.data(), text.size(), digest, &length, EVP_sha1(), nullptr) != 1)
    throw Error(ErrorKind::internal, "SHA-1 is not available.");
  sha1_ = encode_hex({reinterpret_cast<const char*>(digest), length});
}

}  // namespace segments::redis

#include "base/ids.h"

#include "base/crypto.h"
#include "base/text.h"

namespace segments {

std::string make_id(Millis at) {
  static constexpr char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
  std::string id(26, '0');
  auto time = static_cast<std::uint64_t>(at) & 0xffff'ffff'ffff;
  for (int i = 9; i >= 0; --i, time >>= 5) id[i] = alphabet[time & 31];
  // 80 bits fill 16 characters of 5 bits exactly. They are asked for each time: a pool would be shared over a
  // fork.
  std::string random = random_bytes(10);
  unsigned bits = 0;
  int held = 0;
  std::size_t next = 0;
  for (int i = 10; i < 26; ++i) {
    if (held < 5) {
      bits = (bits << 8) | static_cast<unsigned char>(random[next++]);
      held += 8;
    }
    held -= 5;
    id[i] = alphabet[(bits >> held) & 31];
  }
  return id;
}

std::string make_secret(int bytes) {
  return encode_hex(random_bytes(bytes));
}

}  // namespace segments

#include "base/ids.h"

#include <pthread.h>

#include <atomic>

#include "base/crypto.h"
#include "base/text.h"

namespace segments {

namespace {

std::atomic<unsigned> forks{0};

// A thread asks the system for many ids' bytes at once, but a child has none of those that its parent asked
// for: both would make the same ids of them.
std::string_view take_random(std::size_t count) {
  constexpr std::size_t asked_at_once = 640;
  static const int watched = pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1); });
  thread_local std::string bytes;
  thread_local std::size_t next = 0;
  thread_local unsigned asked_after = 0;
  const bool is_own = watched == 0 && asked_after == forks.load(std::memory_order_relaxed);
  if (!is_own || next + count > bytes.size()) {
    bytes = random_bytes(asked_at_once);
    next = 0;
    asked_after = forks.load(std::memory_order_relaxed);
  }
  next += count;
  return std::string_view(bytes).substr(next - count, count);
}

}  // namespace

std::string make_id(Millis at) {
  static constexpr char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
  std::string id(26, '0');
  auto time = static_cast<std::uint64_t>(at) & 0xffff'ffff'ffff;
  for (int i = 9; i >= 0; --i, time >>= 5) id[i] = alphabet[time & 31];
  // 80 bits fill 16 characters of 5 bits exactly.
  std::string_view random = take_random(10);
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

// Whatever a server sends: it is read or refused, and reads the same however its bytes are cut.
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "redis/reply.h"

namespace {

using segments::redis::Reply;

void print(const Reply& reply, std::string& out) {
  out += std::to_string(static_cast<int>(reply.kind)) + ',' + std::to_string(reply.integer) + ',' +
         std::to_string(reply.text.size()) + ',' + reply.text + '[';
  for (const auto& item : reply.items) print(item, out);
  out += ']';
}

// All that is read, fed in pieces of `step` bytes; "!" at the end where it was refused.
std::string read_all(std::string_view bytes, std::size_t step) {
  segments::redis::ReplyReader reader;
  std::string out;
  try {
    for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size()))) {
      reader.feed(bytes.substr(0, step));
      while (auto reply = reader.read()) print(*reply, out);
    }
  } catch (const segments::Error& error) {
    if (error.kind() != segments::ErrorKind::internal) std::abort();
    out += '!';
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto whole = read_all(bytes, size + 1);
  if (read_all(bytes, 1) != whole) std::abort();
  if (read_all(bytes, 1 + size / 3) != whole) std::abort();
  return 0;
}

// Whatever a server sends: it is read or refused, and reads the same however its bytes are cut.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "aws/error_answer.h"
#include "aws/response_reader.h"

namespace {

using segments::aws::ResponseReader;

// All that is read, fed in pieces of `step` bytes; "!" where that is no whole answer (whether the rest is
// waited for or refused at once depends on the pieces).
std::string read_all(std::string_view bytes, std::size_t step, bool is_head, bool has_sink) {
  std::string out;
  segments::aws::Sink sink;
  std::string sunk;
  if (has_sink) sink = [&](std::string_view piece) { sunk += piece; };
  ResponseReader reader("Fuzz", is_head, sink, {.head_bytes = 4096, .body_bytes = 2048});
  try {
    for (; !bytes.empty() && !reader.is_done(); bytes.remove_prefix(std::min(step, bytes.size())))
      reader.feed(bytes.substr(0, step));
  } catch (const segments::Error& error) {
    if (error.kind() != segments::ErrorKind::unavailable) std::abort();
    return "!";
  }
  if (reader.delivered() != sunk.size()) std::abort();
  if (!reader.is_done()) return "!";
  auto response = reader.take();
  if (response.body.size() > 2048 || response.status < 200) std::abort();
  out = std::to_string(response.status) + response.body + '|' + sunk;
  for (const auto& [name, value] : response.headers) out += name + ':' + value + '\n';
  auto error = segments::aws::error_of(response);
  return out + error.code + error.message;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  bool is_head = data[0] & 1, has_sink = data[0] & 2;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto whole = read_all(bytes, size + 1, is_head, has_sink);
  auto by_bytes = read_all(bytes, 1, is_head, has_sink);
  auto by_thirds = read_all(bytes, 1 + size / 3, is_head, has_sink);
  if (by_bytes != whole || by_thirds != whole) std::abort();
  return 0;
}

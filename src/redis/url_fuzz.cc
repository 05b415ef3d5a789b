// Whatever stands in REDIS_URL: it is read or refused as invalid, never shows a password, and what is shown
// reads back.
#include <cstdint>
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "redis/url.h"

namespace {

using namespace segments;

std::optional<redis::Url> url_in(std::string_view text) {
  try {
    return redis::parse_url(text);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid) std::abort();
    return std::nullopt;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  auto url = url_in(text);
  if (!url) return 0;
  if (url->port < 1 || url->port > 65535 || url->db < 0) std::abort();
  if (url->host.empty()) std::abort();
  auto again = url_in(url->shown());
  if (!again || again->shown() != url->shown() || !again->password.empty()) std::abort();
  if (again->host != url->host || again->port != url->port || again->db != url->db ||
      again->user != url->user || again->socket_path != url->socket_path || again->tls != url->tls)
    std::abort();
  return 0;
}

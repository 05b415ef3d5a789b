#include <cstdint>
#include <cstdlib>

#include "base/log.h"
#include "base/text.h"
#include "http/router.h"

// Any target gets a route or a 4xx, and what handlers are given is UTF-8 without NUL.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace segments;
  static const Router router = [] {
    set_log_level(LogLevel::off);
    auto handle = [](const Request&) { return Response(); };
    return Router({{"GET", "/api/segments", Runs::inline_, false, handle, nullptr},
                   {"GET", "/api/segments/{segment_id}", Runs::inline_, false, handle, nullptr},
                   {"POST", "/api/segments/{id}/download", Runs::inline_, false, handle, nullptr},
                   {"GET", "/media/{key...}", Runs::inline_, false, handle, nullptr}},
                  {});
  }();
  Request request;
  request.method = size && data[0] % 2 ? "GET" : "POST";
  request.target.assign(reinterpret_cast<const char*>(data), size);
  auto match = router.prepare(request);
  if (!match.route && (match.answer.status < 400 || match.answer.status > 499)) std::abort();
  auto check = [](const auto& pairs) {
    for (const auto& [name, value] : pairs)
      if (!is_utf8(name) || !is_utf8(value) || value.find('\0') != std::string::npos) std::abort();
  };
  check(request.query);
  check(request.path_parameters);
  if (match.route && match.route->pattern.find('{') != std::string::npos)
    if (request.path_parameters.empty() || request.path_parameters[0].second.empty()) std::abort();
  return 0;
}

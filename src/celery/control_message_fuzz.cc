// Whatever is published on the control and event channels: never a crash; what is decoded can be printed and
// means the same.
#include <cstdlib>

#include "celery/content.h"
#include "celery/control_message.h"
#include "celery/event.h"

using namespace segments::celery;

namespace {

void check_control(std::string_view raw) {
  decode_control_reply(raw);
  for (const auto& event : decode_events(raw))
    if (event.type.empty() || event.node.empty()) std::abort();
  auto decoded = decode_control_request(raw);
  auto* request = std::get_if<ControlRequest>(&decoded);
  if (!request) {
    if (std::get<std::string>(decoded).empty()) std::abort();
    return;
  }
  is_for(*request, "celery@host");
  for (const auto& [name, value] : request->arguments.members()) {
    texts_in(request->arguments, name);
    number_in(request->arguments, name);
    parse_rate(value);
  }
  auto again = decode_control_request(encode_control_request(*request));
  const auto* same = std::get_if<ControlRequest>(&again);
  if (!same || same->method != request->method || same->arguments != request->arguments) std::abort();
  auto reply = decode_control_reply(encode_control_reply(*request, "celery@host", request->arguments, 1));
  if (!reply || reply->nodes.size() != 1 || reply->nodes[0].second != request->arguments) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_control(bytes);
  check_control(
      R"({"content-type":"application/json","headers":{},"properties":{"body_encoding":"base64"},"body":")" +
      encode_base64(bytes) + "\"}");
  return 0;
}

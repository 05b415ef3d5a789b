// Whatever bytes are on a queue: never a crash; what is decoded can be printed, restored and retried, and
// means the same.
#include <cstdlib>

#include "celery/arguments.h"
#include "celery/content.h"
#include "celery/message.h"
#include "celery/name_match.h"
#include "celery/signature.h"

using namespace segments::celery;

namespace {

void check_message(std::string_view raw) {
  auto restored = encode_restored(raw);
  if (restored && !encode_restored(*restored)) std::abort();
  auto decoded = decode_message(raw);
  const auto* message = std::get_if<TaskMessage>(&decoded);
  if (!message) {
    if (std::get<MessageFault>(decoded).sentence.empty()) std::abort();
    return;
  }
  for (const auto& text : {encode_message(*message), encode_retry(*message, 1'000), *restored}) {
    auto again = decode_message(text);
    const auto* same = std::get_if<TaskMessage>(&again);
    if (!same || same->id != message->id || same->args != message->args || same->kwargs != message->kwargs)
      std::abort();
  }
  for (const auto& signature : task_signatures()) bind_arguments(signature, message->args, message->kwargs);
  for (const auto& next : {follow_success(*message, Json(1), 0), follow_failure(*message, 0),
                           follow_chord(*message, {}, 0), follow_chord_failure(*message, 0).follow_ups})
    for (std::size_t i = 0; i < next.messages.size() && i < 20; ++i) {
      auto text = encode_message(next.messages[i]);
      auto again = decode_message(text);
      if (const auto* fault = std::get_if<MessageFault>(&again);
          fault && fault->why != MessageProblem::invalid)
        std::abort();
    }
}

}  // namespace

// The input as it is, and as the body of an otherwise right message.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_message(bytes);
  std::string why;
  for (const char* method : {"gzip", "bzip2", "lzma"}) decompress(bytes, method, 1 << 20, why);
  auto middle = bytes.find('\n');
  matches_regex(bytes.substr(0, middle), middle == bytes.npos ? "" : bytes.substr(middle + 1));
  matches_glob(bytes.substr(0, middle), middle == bytes.npos ? "" : bytes.substr(middle + 1));
  for (const char* headers : {R"({"task":"t","id":"i"})", "{}"})
    check_message(R"({"content-type":"application/json","content-encoding":"utf-8","headers":)" +
                  std::string(headers) + R"(,"properties":{"body_encoding":"base64"},"body":")" +
                  encode_base64(bytes) + "\"}");
  return 0;
}

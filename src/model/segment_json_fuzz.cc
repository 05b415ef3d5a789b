// Any bytes as a body: decoded as an update, a creation and cutting options, or refused; what was taken is
// encoded and taken again, the same.
#include <cstdlib>

#include "describe/decode.h"
#include "model/cutting.h"
#include "model/segment.h"
#include "model/social_media.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

template <class T>
void decode_and_back(std::string_view text) {
  try {
    auto value = segments::decode<T>(text);
    auto encoded = segments::encode(value);
    require(segments::encode(segments::decode<T>(encoded)) == encoded);
  } catch (const segments::Error& error) {
    require(error.kind() == segments::ErrorKind::malformed || !error.faults().empty());
    for (const auto& fault : error.faults())
      segments::parse_json(segments::encode(fault.pointer + fault.detail));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  decode_and_back<segments::CreateSegment>(text);
  decode_and_back<segments::CuttingOptions>(text);
  decode_and_back<segments::ReportUsage>(text);
  try {
    segments::decode<segments::UpdateSegment>(text);
  } catch (const segments::Error&) {
  }
  try {
    auto tree = segments::parse_json(text);
    auto printed = segments::detail::serialize(tree);
    require(segments::detail::serialize(segments::parse_json(printed)) == printed);
  } catch (const segments::Error&) {
  }
  return 0;
}

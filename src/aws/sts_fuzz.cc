// Whatever STS or a metadata service answers: keys without their end, or with line breaks in them, are none.
#include <cstdint>
#include <cstdlib>

#include "aws/credential_sources.h"
#include "aws/xml.h"
#include "base/text.h"

namespace {

void check(const std::optional<segments::aws::Credentials>& found) {
  if (!found) return;
  if (!found->expires_at || found->keys.access_key_id.empty() || found->keys.secret_access_key.empty())
    std::abort();
  for (const auto& part :
       {found->keys.access_key_id, found->keys.secret_access_key, found->keys.session_token})
    if (segments::has_control(part)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  segments::aws::parse_xml(text);
  check(segments::aws::parse_sts_credentials(text));
  check(segments::aws::parse_json_credentials(text));
  return 0;
}

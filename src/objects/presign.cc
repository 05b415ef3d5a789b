#include "objects/presign.h"

#include <array>

#include "base/crypto.h"
#include "base/error.h"
#include "base/text.h"
#include "objects/key.h"

namespace segments {
namespace {

constexpr std::string_view prefix = "/media/";
constexpr std::string_view signature_mark = "&signature=";

std::string signature_of(std::string_view secret, PresignMethod method, std::string_view signed_text) {
  std::string text = method == PresignMethod::put ? "PUT\n" : "GET\n";
  text += signed_text;
  return encode_base64url(hmac_sha256(secret, text));
}

[[noreturn]] void refuse(const char* sentence) {
  throw Error(ErrorKind::forbidden, sentence);
}
[[noreturn]] void refuse_forged() {
  refuse("This address was not signed by this server, or was changed.");
}

// The texts behind the names, which stand in this order; what follows a name that is not there goes on to the
// next.
constexpr std::array<std::string_view, 6> names = {"expires", "disposition", "type",
                                                   "size",    "upload",      "part"};
using Texts = std::array<std::optional<std::string>, names.size()>;

std::optional<Texts> parse_query(std::string_view query) {
  Texts texts;
  std::size_t next = 0;
  for (const auto& parameter : split(query, '&')) {
    std::size_t equals = parameter.find('=');
    if (equals == parameter.npos) return std::nullopt;
    std::string_view name = std::string_view(parameter).substr(0, equals);
    while (next < names.size() && names[next] != name) ++next;
    if (next == names.size()) return std::nullopt;
    texts[next] = percent_decode(std::string_view(parameter).substr(equals + 1));
    if (!texts[next++]) return std::nullopt;
  }
  return texts;
}

}  // namespace

void check_presign(const PresignRequest& request) {
  check_object_key(request.key);
  std::vector<Fault> faults;
  if (!request.expires_at && (request.expires_in_s < 1 || request.expires_in_s > 604'800))
    faults.push_back({"/expires_in", "range", "A signed address lives 1 to 604800 seconds."});
  if (request.upload_id && (request.part_number < 1 || request.part_number > 10'000))
    faults.push_back({"/part_number", "range", "Parts are numbered 1 to 10000."});
  if (request.size && *request.size < 0) faults.push_back({"/size", "range", "A size is not negative."});
  if (!faults.empty()) throw invalid_input(std::move(faults));
}

PresignedUrl sign_media_url(std::string_view secret, const PresignRequest& request, Millis now) {
  check_presign(request);
  // Whole seconds, rounded up: an address never dies before its time.
  Millis expires = request.expires_at.value_or(now + Millis{request.expires_in_s} * 1000);
  expires = (expires + 999) / 1000 * 1000;
  std::string url =
      std::string(prefix) + percent_encode(request.key, true) + "?expires=" + std::to_string(expires / 1000);
  auto add = [&url](std::string_view name, std::string_view text) {
    url.append("&").append(name).append("=").append(percent_encode(text));
  };
  if (request.disposition) add("disposition", *request.disposition);
  if (request.content_type) add("type", *request.content_type);
  if (request.size) add("size", std::to_string(*request.size));
  if (request.upload_id) {
    add("upload", *request.upload_id);
    add("part", std::to_string(request.part_number));
  }
  std::string signature = signature_of(secret, request.method, url);
  url.append(signature_mark).append(signature);
  return {.url = std::move(url), .expires = expires};
}

PresignRequest verify_media_url(std::string_view secret, std::string_view http_method,
                                std::string_view target, Millis now) {
  PresignRequest allowed;
  allowed.method = http_method == "PUT" ? PresignMethod::put : PresignMethod::get;
  std::size_t mark = target.rfind(signature_mark);
  std::size_t question = target.find('?');
  if (!target.starts_with(prefix) || mark == target.npos || question == target.npos || question > mark)
    refuse_forged();
  std::string_view signed_text = target.substr(0, mark);
  std::string_view signature = target.substr(mark + signature_mark.size());
  if (!equal_in_constant_time(signature, signature_of(secret, allowed.method, signed_text))) {
    PresignMethod other = allowed.method == PresignMethod::put ? PresignMethod::get : PresignMethod::put;
    if (equal_in_constant_time(signature, signature_of(secret, other, signed_text)))
      refuse("This address was signed for another method.");
    refuse_forged();
  }
  auto key = percent_decode(target.substr(prefix.size(), question - prefix.size()));
  auto texts = parse_query(signed_text.substr(question + 1));
  if (!key || !texts) refuse_forged();
  auto expires = parse_integer((*texts)[0].value_or(""));
  if (!expires) refuse_forged();
  if (*expires * 1000 <= now) refuse("This address has expired.");
  allowed.key = std::move(*key);
  allowed.expires_at = *expires * 1000;
  allowed.disposition = std::move((*texts)[1]);
  allowed.content_type = std::move((*texts)[2]);
  if ((*texts)[3]) allowed.size = parse_integer(*(*texts)[3]);
  allowed.upload_id = std::move((*texts)[4]);
  if ((*texts)[5]) allowed.part_number = static_cast<int>(parse_integer(*(*texts)[5]).value_or(0));
  check_object_key(allowed.key);
  return allowed;
}

}  // namespace segments

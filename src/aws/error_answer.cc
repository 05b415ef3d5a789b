#include "aws/error_answer.h"

#include "aws/xml.h"
#include "base/text.h"
#include "describe/decode.h"

namespace segments::aws {

namespace {

constexpr std::size_t most_shown = 500;

ErrorAnswer json_error(std::string_view body) {
  ErrorAnswer out;
  try {
    auto json = parse_json(body);
    const auto* object = json.if_object();
    auto text_of = [&](const char* name) {
      const auto* member = object ? object->if_contains(name) : nullptr;
      return member && member->is_string() ? std::string(member->as_string()) : std::string();
    };
    out.code = text_of("__type");
    if (out.code.empty()) out.code = text_of("code");
    out.message = text_of("message");
    if (out.message.empty()) out.message = text_of("Message");
  } catch (const Error&) {
    // No JSON: a proxy's page, perhaps. The status says enough.
  }
  return out;
}

ErrorAnswer xml_error(std::string_view body) {
  auto document = parse_xml(body);
  if (!document) return {};
  const auto* error = document->name == "Error" ? &*document : document->find("Error");
  if (!error) return {};
  return {error->text_of("Code"), error->text_of("Message")};
}

}  // namespace

ErrorAnswer error_of(const HttpResponse& response) {
  auto body = trim(response.body);
  auto out = body.starts_with('<') ? xml_error(body) : json_error(body);
  if (out.code.empty()) out.code = find_header(response.headers, "x-amzn-errortype").value_or("");
  // "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "ValidationException:http://…"
  out.code = out.code.substr(out.code.find('#') + 1);
  out.code = clean_utf8(out.code.substr(0, out.code.find(':')), 100);
  out.message = clean_utf8(out.message, most_shown);
  if (out.code.empty()) out.code = "Http" + std::to_string(response.status);
  return out;
}

bool is_error_document(const HttpResponse& response) {
  auto body = trim(response.body);
  if (!body.starts_with('<')) return false;
  auto document = parse_xml(body);
  return document && document->name == "Error";
}

std::string request_id_of(const HttpResponse& response) {
  auto id = find_header(response.headers, "x-amzn-requestid");
  if (!id) id = find_header(response.headers, "x-amz-request-id");
  std::string out(id.value_or(""));
  if (auto host = find_header(response.headers, "x-amz-id-2")) out += '/' + std::string(*host);
  return clean_utf8(out, 200);
}

}  // namespace segments::aws

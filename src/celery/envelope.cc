#include "celery/envelope.h"

#include "base/crypto.h"
#include "base/text.h"
#include "celery/content.h"

namespace segments::celery {

std::optional<Envelope> read_envelope(std::string_view raw, std::string& why) {
  auto json = read_json(raw, &why);
  if (!json) return std::nullopt;
  auto refuse = [&](const char* sentence) { return why = sentence, std::nullopt; };
  if (!json->is_object()) return refuse("The message is no JSON object.");
  Envelope envelope;
  // Moved out, not copied: a body may be large.
  for (auto& [name, value] : json->members()) {
    if (name == "headers") {
      if (!value.is_null() && !value.is_object()) return refuse("The message's headers are no object.");
      if (value.is_object()) envelope.headers = std::move(value);
    } else if (name == "properties") {
      envelope.properties = std::move(value);
    } else if (name == "body") {
      if (!value.is_text()) return refuse("The message's body is no text.");
      envelope.body = value.text();
    }
  }
  envelope.content_type = json->text_of("content-type");
  envelope.content_encoding = json->text_of("content-encoding");
  if (!json->find("properties") || !envelope.properties.is_object())
    return refuse("The message has no properties.");
  if (!json->find("body")) return refuse("The message has no body.");
  return envelope;
}

std::string print_envelope(const Envelope& envelope) {
  std::string out = "{\"body\":";
  print_json(out, Json(envelope.body));
  out += ",\"content-encoding\":";
  print_json(out, Json::text_or_null(envelope.content_encoding));
  out += ",\"content-type\":";
  print_json(out, Json::text_or_null(envelope.content_type));
  out += ",\"headers\":";
  print_json(out, envelope.headers);
  out += ",\"properties\":";
  print_json(out, envelope.properties);
  out += '}';
  return out;
}

std::optional<Json> read_body(const Envelope& envelope, std::string& why) {
  if (!is_json_content(envelope.content_type))
    return why = "Content of the type " + clean_utf8(envelope.content_type, 60) + " is not taken.",
           std::nullopt;
  if (!is_utf8_content(envelope.content_encoding))
    return why = "Content in " + clean_utf8(envelope.content_encoding, 60) + " is not taken.", std::nullopt;
  const std::string* text = &envelope.body;
  std::optional<std::string> decoded;
  const auto& encoding = envelope.properties.at("body_encoding");
  if (encoding.is_true()) {
    if (!encoding.is_text() || lower_ascii(encoding.text()) != "base64")
      return why = "The body's encoding is not known.", std::nullopt;
    decoded = decode_base64(envelope.body);
    if (!decoded) return why = "The body is not base64.", std::nullopt;
    text = &*decoded;
  }
  const auto& compression = envelope.headers.at("compression");
  if (compression.is_true()) {
    decoded = decompress(*text, compression.is_text() ? compression.text() : "?", max_body_bytes, why);
    if (!decoded) return std::nullopt;
    text = &*decoded;
  }
  if (text->size() > max_body_bytes) return why = "The body is too large.", std::nullopt;
  return read_json(*text, &why, max_body_values);
}

Envelope make_envelope(const Json& body, std::string_view exchange, std::string_view routing_key,
                       int delivery_mode) {
  Envelope envelope;
  envelope.properties = Json::object({
      {"delivery_mode", delivery_mode},
      {"delivery_info", Json::object({{"exchange", exchange}, {"routing_key", routing_key}})},
      {"priority", 0},
      {"body_encoding", "base64"},
      {"delivery_tag", make_uuid()},
  });
  envelope.body = encode_base64(print_json(body));
  return envelope;
}

std::string make_uuid() {
  auto bytes = random_bytes(16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  auto hex = encode_hex(bytes);
  for (std::size_t at : {8, 13, 18, 23}) hex.insert(at, "-");
  return hex;
}

}  // namespace segments::celery

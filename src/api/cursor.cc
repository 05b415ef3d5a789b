#include "api/cursor.h"

#include "base/crypto.h"
#include "base/text.h"
#include "describe/encode.h"

namespace segments {

namespace {

constexpr std::size_t signature_bytes = 16;

// JSON keeps the parts apart, whatever stands in them.
std::string binding_of(std::string_view user, const SegmentQuery& query) {
  std::string text = "cursor 1 ";
  auto add = [&](const auto& value) {
    encode(text, value);
    text += ' ';
  };
  add(user);
  add(query.video_id);
  add(query.segment_type);
  add(query.min_duration);
  add(query.max_duration);
  add(query.min_downloads);
  add(query.tags);
  add(query.has_social_media);
  add(query.platform);
  add(query.search);
  add(query.created_after);
  add(query.created_before);
  add(query.sort_by);
  add(query.descending);
  return text;
}

std::string sign(std::string_view secret, std::string_view user, const SegmentQuery& query,
                 std::string_view payload) {
  return hmac_sha256(secret, binding_of(user, query).append(payload)).substr(0, signature_bytes);
}

}  // namespace

std::string encode_cursor(std::string_view secret, std::string_view user, const SegmentQuery& query,
                          const Cursor& cursor) {
  // Neither ids nor numbers hold a NUL, so the key, which may hold anything, comes last.
  std::string payload = std::to_string(cursor.page);
  payload += '\0';
  payload += cursor.after.segment_id;
  payload += '\0';
  payload += cursor.after.key;
  return encode_base64url(sign(secret, user, query, payload) + payload);
}

std::optional<Cursor> parse_cursor(std::string_view secret, std::string_view user, const SegmentQuery& query,
                                   std::string_view text) {
  auto bytes = decode_base64url(text);
  // The canonical text alone: spare bits of base64url's last character must not make a second one.
  if (!bytes || bytes->size() < signature_bytes || encode_base64url(*bytes) != text) return std::nullopt;
  std::string_view payload = std::string_view(*bytes).substr(signature_bytes);
  std::string_view signature = std::string_view(*bytes).substr(0, signature_bytes);
  if (!equal_in_constant_time(sign(secret, user, query, payload), signature)) return std::nullopt;

  auto first = payload.find('\0');
  auto second = first == payload.npos ? payload.npos : payload.find('\0', first + 1);
  if (second == payload.npos) return std::nullopt;
  auto page = parse_integer(payload.substr(0, first));
  if (!page) return std::nullopt;
  return Cursor{
      {std::string(payload.substr(second + 1)), std::string(payload.substr(first + 1, second - first - 1))},
      *page};
}

}  // namespace segments

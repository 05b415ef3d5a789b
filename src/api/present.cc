#include "api/present.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "base/text.h"
#include "base/time.h"
#include "describe/encode.h"
#include "objects/presign.h"

namespace segments {

namespace {

// What may stand in an authority; a Host header with anything else is not repeated.
bool is_authority(std::string_view host) {
  return !host.empty() && host.size() <= 255 &&
         host.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-:[]_") ==
             host.npos;
}

// Without what a file system or a header could trip over.
std::string safe_filename(std::string_view name) {
  if (!is_utf8(name)) name = "";
  std::string safe;
  for (char c : name.substr(0, 1'000)) {
    bool is_bad = static_cast<unsigned char>(c) < 0x20 || c == 0x7f ||
                  std::string_view("/\\:*?\"<>|").find(c) != std::string_view::npos;
    safe += is_bad ? '_' : c;
  }
  while (safe.starts_with('.')) safe.erase(0, 1);
  if (safe.size() > 200) {
    // Cut between code points, and keep the extension.
    auto dot = safe.rfind('.');
    std::string extension = dot != safe.npos && safe.size() - dot <= 10 ? safe.substr(dot) : "";
    std::size_t end = 200 - extension.size();
    while (end > 0 && (static_cast<unsigned char>(safe[end]) & 0xc0) == 0x80) --end;
    safe = safe.substr(0, end) + extension;
  }
  return safe.empty() ? "segment" : safe;
}

std::string disposition(const char* kind, std::string_view filename) {
  std::string safe = safe_filename(filename);
  std::string plain;
  for (char c : safe) {
    if ((static_cast<unsigned char>(c) & 0xc0) == 0x80) continue;  // one _ for each code point
    plain += static_cast<unsigned char>(c) < 0x80 ? c : '_';
  }
  std::string text = std::string(kind) + "; filename=\"" + plain + "\"";
  if (plain != safe || plain.find('%') != plain.npos) text += "; filename*=UTF-8''" + percent_encode(safe);
  return text;
}

}  // namespace

std::string origin_of(const Request& request, const ServiceSettings& settings) {
  if (!settings.public_url.empty()) {
    std::string url = settings.public_url;
    while (url.ends_with('/')) url.pop_back();
    return url;
  }
  std::string_view host = request.header("host");
  if (!is_authority(host)) host = "localhost";
  bool is_https = request.header("x-forwarded-proto") == "https";
  return (is_https ? "https://" : "http://") + std::string(host);
}

std::string absolute_url(const Request& request, const Services& services, std::string url) {
  if (url.starts_with('/')) url.insert(0, origin_of(request, services.settings));
  return url;
}

namespace {

constexpr Millis day = 86'400'000;

// An address that ends then is the same all day.
Millis steady_end(Millis now) {
  return (now / day + 2) * day;
}

}  // namespace

std::string steady_url(const Request& request, Services& services, std::string_view key) {
  PresignRequest presign{.key = std::string(key)};
  presign.expires_at = steady_end(now_ms());
  return absolute_url(request, services, services.objects.presign(presign).url);
}

ThumbnailPrinter::ThumbnailPrinter(const Request& request, Services& services)
    : services_(services), origin_(origin_of(request, services.settings)) {
  const Millis end = steady_end(now_ms());
  presign_.expires_at = end;
  steady_until_ = end - day;
}

void ThumbnailPrinter::operator()(TextSink& out, std::string_view kept) {
  if (kept.find("://") != kept.npos) return encode_string(out, kept);
  presign_.key = kept;
  auto presigned = services_.objects.presign(presign_);
  // The store's own keys end sooner: nobody knows when they become others.
  if (presigned.expires < *presign_.expires_at) steady_until_ = 0;
  if (presigned.url.starts_with('/')) presigned.url.insert(0, origin_);
  encode_string(out, presigned.url);
}

namespace {

PresignRequest reading(std::string_view key, int expires_in_s, std::string disposition_text,
                       std::optional<std::string> content_type) {
  PresignRequest presign{.key = std::string(key), .expires_in_s = expires_in_s};
  presign.disposition = std::move(disposition_text);
  presign.content_type = std::move(content_type);
  return presign;
}

}  // namespace

ReadableUrl readable_url(const Request& request, Services& services, std::string_view key, int expires_in_s,
                         std::string disposition_text, std::optional<std::string> content_type) {
  auto presigned = services.objects.presign(
      reading(key, expires_in_s, std::move(disposition_text), std::move(content_type)));
  return {absolute_url(request, services, std::move(presigned.url)), presigned.expires};
}

ReadableUrl playable_url(const Request& request, Services& services, std::string_view key, int expires_in_s,
                         std::string disposition_text, std::optional<std::string> content_type) {
  if (services.objects.traits().get_answers_head)
    return readable_url(request, services, key, expires_in_s, std::move(disposition_text),
                        std::move(content_type));
  auto presigned = sign_media_url(
      services.settings.media_secret,
      reading(key, expires_in_s, std::move(disposition_text), std::move(content_type)), now_ms());
  return {absolute_url(request, services, std::move(presigned.url)), presigned.expires};
}

std::string attachment(std::string_view filename) {
  return disposition("attachment", filename);
}
std::string inline_disposition(std::string_view filename) {
  return disposition("inline", filename);
}

std::string filename_of(const Segment& segment) {
  if (segment.filename && !segment.filename->empty()) return *segment.filename;
  return segment.s3_key.substr(segment.s3_key.rfind('/') + 1);
}

void show_segment(TextSink& out, const Segment& segment, const Request& request, Services& services) {
  // The record goes straight into the answer's buffer; only the thumbnail's key is shown as something else.
  encode_members(out, segment, [&](auto member, const auto& value) {
    if constexpr (std::is_same_v<decltype(member), std::optional<std::string> Segment::*>) {
      if (member == &Segment::thumbnail_url && value && value->find("://") == std::string::npos)
        return encode_string(out, steady_url(request, services, *value));
    }
    encode(out, value);
  });
}

Response segment_response(const VersionedSegment& stored, const Request& request, Services& services,
                          int status) {
  std::string body;
  body.reserve(1'024);
  TextSink out(body);
  show_segment(out, stored.segment, request, services);
  out.end();
  std::string etag = etag_of(stored.version, body);
  bool is_reading = request.method == "GET" || request.method == "HEAD";
  if (is_reading && none_match_hits(request.header("if-none-match"), etag)) {
    status = 304;
    body.clear();
  }
  Response response = json_response(std::move(body), status);
  response.headers.add_lines("Cache-Control: private, no-cache\r\nETag: ");
  response.headers.add_lines(etag);
  response.headers.add_lines("\r\n");
  return response;
}

namespace {

// FNV-1a, by words and with all bits turned, so that upper ones reach lower ones; four beside each other,
// since each step waits for the one before. Tells states of one answer apart, promises nothing against those
// who look for collisions.
class Hash {
 public:
  explicit Hash(std::string_view bytes) {
    constexpr std::uint64_t start = 14'695'981'039'346'656'037u;
    constexpr std::size_t word = sizeof(std::uint64_t), step = 4 * word;
    std::uint64_t a = start ^ bytes.size(), b = start + 1, c = start + 2, d = start + 3;
    const char* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= step; left -= step, at += step) {
      a = add(a, word_at(at));
      b = add(b, word_at(at + word));
      c = add(c, word_at(at + 2 * word));
      d = add(d, word_at(at + 3 * word));
    }
    for (; left >= word; left -= word, at += word) a = add(a, word_at(at));
    for (; left > 0; --left, ++at) b = add(b, static_cast<unsigned char>(*at));
    for (auto lane : {b, c, d, std::uint64_t{0}}) a = add(a, lane);
    hash_ = a ^ a >> 32;
  }
  void print(std::string& out) const {
    char digits[16];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, hash_, 16).ptr);
  }

 private:
  static std::uint64_t word_at(const char* at) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    return word;
  }
  static std::uint64_t add(std::uint64_t hash, std::uint64_t word) {
    return std::rotl((hash ^ word) * 1'099'511'628'211u, 29);
  }
  std::uint64_t hash_;
};

}  // namespace

std::string etag_of(std::int64_t version, std::string_view bytes) {
  std::string tag;
  tag.reserve(48);
  tag += '"';
  encode(tag, version);
  tag += '-';
  Hash(bytes).print(tag);
  tag += '"';
  return tag;
}

std::string etag_of(std::string_view bytes) {
  std::string tag = "\"";
  Hash(bytes).print(tag);
  tag += '"';
  return tag;
}

bool none_match_hits(std::string_view if_none_match, std::string_view etag) {
  if (if_none_match.empty()) return false;
  for (const auto& part : split(if_none_match, ',')) {
    std::string_view tag = trim(part);
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == etag || tag == "*") return true;
  }
  return false;
}

std::optional<std::vector<std::int64_t>> versions_in_if_match(std::string_view if_match) {
  std::vector<std::int64_t> versions;
  for (const auto& part : split(if_match, ',')) {
    std::string_view tag = trim(part);
    if (tag == "*") return std::nullopt;
    // Weak tags never match here (RFC 9110, 13.1.1).
    if (tag.size() < 2 || tag.front() != '"' || tag.back() != '"') continue;
    tag = tag.substr(1, tag.size() - 2);
    auto version = parse_integer(tag.substr(0, tag.find('-')));
    if (version) versions.push_back(*version);
  }
  return versions;
}

}  // namespace segments

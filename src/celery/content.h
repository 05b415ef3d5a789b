// What stands between an envelope and the JSON in it: base64, compression, the content types that are taken.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace segments::celery {

inline constexpr std::size_t max_body_bytes = 16 << 20;  // of a body, after decompression
inline constexpr int max_body_values = 250'000;

std::string encode_base64(std::string_view bytes);  // standard alphabet, padded
// Takes what Python's b64decode takes from an honest writer: line breaks between, padding needed. Empty for
// others.
std::optional<std::string> decode_base64(std::string_view);

// "application/json", in any case, with parameters; nothing else (never pickle, in any form).
bool is_json_content(std::string_view content_type);
// "utf-8", "utf8", "us-ascii", "ascii" or nothing at all, in any case.
bool is_utf8_content(std::string_view content_encoding);

// `method`: a message's `compression` header: application/x-gzip (zlib's format, RFC 1950),
// application/x-bz2, application/x-lzma (xz), or their short names gzip, zlib, bzip2, bzip, lzma, xz. Empty
// for others, for broken or unfinished data, data behind the end, and more than `most` bytes; then `why` is
// one plain sentence.
std::optional<std::string> decompress(std::string_view bytes, std::string_view method, std::size_t most,
                                      std::string& why);

}  // namespace segments::celery

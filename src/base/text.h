// Text: UTF-8, case, escapes. Functions on untrusted bytes return std::nullopt for what they refuse.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace segments {

bool is_utf8(std::string_view);
// The text with each byte that is not UTF-8 replaced by U+FFFD; whole code points up to `max_bytes` of it.
std::string clean_utf8(std::string_view, std::size_t max_bytes = std::string_view::npos);
// True when a C0 control character or DEL is in it (line breaks and tabs included).
bool has_control(std::string_view);
// Number of code points of valid UTF-8.
std::size_t count_code_points(std::string_view);
// The first of valid UTF-8's code points, `most` of them or all.
std::string_view first_code_points(std::string_view, std::size_t most);
// Lower case, for ASCII, Latin, Greek and Cyrillic letters; what is not UTF-8 is passed through.
std::string fold_case(std::string_view);
std::string lower_ascii(std::string_view);
std::string_view trim(std::string_view);
std::vector<std::string> split(std::string_view, char separator);  // "a,,b" gives three parts; "" gives none

std::string percent_encode(std::string_view,
                           bool keep_slash = false);  // keeps RFC 3986's unreserved characters
std::optional<std::string> percent_decode(std::string_view, bool plus_is_space = false);
std::string encode_hex(std::string_view bytes);
std::string encode_base64(std::string_view bytes);     // with padding
std::string encode_base64url(std::string_view bytes);  // without padding
std::optional<std::string> decode_base64url(std::string_view);
std::optional<std::int64_t> parse_integer(std::string_view);  // decimal, whole text
std::optional<double> parse_number(std::string_view);         // finite, whole text, no hex, no "nan"

}  // namespace segments

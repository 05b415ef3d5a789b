#include "base/text.h"

#include <locale.h>
#include <wctype.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

namespace segments {

namespace {

// Most texts are ASCII without anything special in it: eight bytes are looked at together.
constexpr std::uint64_t every_byte = 0x0101010101010101;
constexpr std::uint64_t high_bits = 0x80 * every_byte;

// How many bytes at the front stand in groups of eight for which is_plain is true.
template <class IsPlain>
std::size_t plain_groups(std::string_view text, IsPlain is_plain) {
  std::size_t i = 0;
  for (std::uint64_t bytes; i + 8 <= text.size(); i += 8) {
    std::memcpy(&bytes, text.data() + i, 8);
    if (!is_plain(bytes)) break;
  }
  return i;
}

struct CodePoint {
  char32_t value = 0;
  std::size_t size = 0;  // bytes; 0 where the bytes are not UTF-8
};

bool is_continuation(std::string_view text, std::size_t i) {
  return i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80;
}

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
CodePoint code_point_at(std::string_view text, std::size_t i) {
  auto first = static_cast<unsigned char>(text[i]);
  if (first < 0x80) return {first, 1};
  std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return {};
  char32_t value = first & (0x7f >> size);
  for (std::size_t k = 1; k < size; ++k) {
    if (!is_continuation(text, i + k)) return {};
    value = (value << 6) | (static_cast<unsigned char>(text[i + k]) & 0x3f);
  }
  if (size == 3 && (value < 0x800 || (value >= 0xd800 && value < 0xe000))) return {};
  if (size == 4 && (value < 0x10000 || value > 0x10ffff)) return {};
  return {value, size};
}

void append_code_point(std::string& out, char32_t c) {
  auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | (c >> 6));
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3f));
    put(0x80 | ((c >> 6) & 0x3f));
    put(0x80 | (c & 0x3f));
  }
}

char32_t lower_code_point(char32_t c) {
  // The process's own locale is never asked: it may be plain "C", and it may change.
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  if (c == U'ς') return U'σ';  // one letter, written differently at the end of a word
  return locale ? static_cast<char32_t>(towlower_l(static_cast<wint_t>(c), locale)) : c;
}

char lower_char(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr char base64_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-') return 62;
  if (c == '_') return 63;
  return -1;
}

}  // namespace

bool is_utf8(std::string_view text) {
  auto is_ascii = [](std::uint64_t bytes) { return (bytes & high_bits) == 0; };
  for (std::size_t i = plain_groups(text, is_ascii); i < text.size();) {
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      ++i;
      continue;
    }
    auto c = code_point_at(text, i);
    if (c.size == 0) return false;
    i += c.size;
  }
  return true;
}

std::string clean_utf8(std::string_view text, std::size_t max_bytes) {
  static constexpr std::string_view replacement = "\xef\xbf\xbd";
  std::string out;
  out.reserve(std::min(text.size(), max_bytes));
  for (std::size_t i = 0; i < text.size();) {
    auto size = code_point_at(text, i).size;
    auto piece = size ? text.substr(i, size) : replacement;
    if (out.size() + piece.size() > max_bytes) break;
    out += piece;
    i += size ? size : 1;
  }
  return out;
}

bool has_control(std::string_view text) {
  auto has_none = [](std::uint64_t bytes) {
    auto dels = bytes ^ (0x7f * every_byte);
    return ((((bytes - 0x20 * every_byte) & ~bytes) | ((dels - every_byte) & ~dels)) & high_bits) == 0;
  };
  return std::any_of(text.begin() + static_cast<std::ptrdiff_t>(plain_groups(text, has_none)), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::size_t count_code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
}

std::string_view first_code_points(std::string_view text, std::size_t most) {
  std::size_t end = 0;
  for (; end < text.size(); ++end)
    if ((static_cast<unsigned char>(text[end]) & 0xc0) != 0x80 && most-- == 0) break;
  return text.substr(0, end);
}

std::string fold_case(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      out += lower_char(text[i++]);
      continue;
    }
    auto c = code_point_at(text, i);
    if (c.size == 0) {
      out += text[i++];
      continue;
    }
    append_code_point(out, lower_code_point(c.value));
    i += c.size;
  }
  return out;
}

std::string lower_ascii(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower_char);
  return out;
}

std::string_view trim(std::string_view text) {
  static constexpr std::string_view spaces = " \t\r\n\f\v";
  auto from = text.find_first_not_of(spaces);
  if (from == text.npos) return {};
  return text.substr(from, text.find_last_not_of(spaces) - from + 1);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  if (text.empty()) return parts;
  for (;;) {
    auto at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == text.npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string percent_encode(std::string_view text, bool keep_slash) {
  static constexpr char hex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (is_unreserved(c) || (keep_slash && c == '/')) {
      out += c;
    } else {
      out += '%';
      out += hex[static_cast<unsigned char>(c) >> 4];
      out += hex[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  auto plain = std::min(text.find('%'), plus_is_space ? text.find('+') : text.npos);
  std::string out(text.substr(0, plain));
  out.reserve(text.size());
  for (std::size_t i = out.size(); i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (text.size() - i < 3) return std::nullopt;
      int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::string encode_hex(std::string_view bytes) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string out(bytes.size() * 2, '0');
  auto at = out.begin();
  for (char c : bytes) {
    *at++ = hex[static_cast<unsigned char>(c) >> 4];
    *at++ = hex[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::string encode_base64url(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  unsigned bits = 0;
  int held = 0;
  for (char c : bytes) {
    bits = ((bits << 8) | static_cast<unsigned char>(c)) & 0xffff;
    for (held += 8; held >= 6; held -= 6) out += base64_alphabet[(bits >> (held - 6)) & 63];
  }
  if (held > 0) out += base64_alphabet[(bits << (6 - held)) & 63];
  return out;
}

std::string encode_base64(std::string_view bytes) {
  auto out = encode_base64url(bytes);
  std::ranges::replace(out, '-', '+');
  std::ranges::replace(out, '_', '/');
  out.resize((out.size() + 3) / 4 * 4, '=');
  return out;
}

std::optional<std::string> decode_base64url(std::string_view text) {
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() * 3 / 4);
  unsigned bits = 0;
  int held = 0;
  for (char c : text) {
    int value = base64_value(c);
    if (value < 0) return std::nullopt;
    bits = ((bits << 6) | static_cast<unsigned>(value)) & 0xffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out += static_cast<char>((bits >> held) & 0xff);
  }
  // Left-over bits must be zero, so that every value has one text only: a signed text cannot be varied.
  if (bits & ((1u << held) - 1)) return std::nullopt;
  return out;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<double> parse_number(std::string_view text) {
  double number = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::general);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

}  // namespace segments

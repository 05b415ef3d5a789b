#include "celery/content.h"

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>

#include <array>
#include <memory>

#include "base/text.h"

namespace segments::celery {
namespace {

constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr auto base64_values = [] {
  std::array<signed char, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < base64_digits.size(); ++i)
    values[static_cast<unsigned char>(base64_digits[i])] = static_cast<signed char>(i);
  return values;
}();

enum class Inflation { more, end, broken };

// Runs a decompressor over all of the bytes. `step(input, size, output, room)` moves on and changes all four.
template <class F>
std::optional<std::string> inflate_all(std::string_view bytes, std::size_t most, std::string& why, F step) {
  std::string out;
  std::array<char, 32 << 10> piece;
  const char* input = bytes.data();
  std::size_t left = bytes.size();
  while (true) {
    auto left_before = left;
    char* output = piece.data();
    std::size_t room = piece.size();
    auto state = step(input, left, output, room);
    std::size_t made = piece.size() - room;
    if (state == Inflation::broken || (state == Inflation::more && made == 0 && left == left_before)) {
      why = "The compressed body is broken.";
      return std::nullopt;
    }
    if (out.size() + made > most) {
      why = "The body is larger than " + std::to_string(most) + " bytes when it is decompressed.";
      return std::nullopt;
    }
    out.append(piece.data(), made);
    if (state == Inflation::end) break;
  }
  if (left == 0) return out;
  why = "Something follows the compressed body.";
  return std::nullopt;
}

std::optional<std::string> inflate_zlib(std::string_view bytes, std::size_t most, std::string& why) {
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return why = "There is no memory to decompress.", std::nullopt;
  std::unique_ptr<z_stream, int (*)(z_stream*)> owner(&stream, inflateEnd);
  return inflate_all(bytes, most, why,
                     [&](const char*& in, std::size_t& left, char*& out, std::size_t& room) {
                       stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in));
                       stream.avail_in = static_cast<uInt>(left);
                       stream.next_out = reinterpret_cast<Bytef*>(out);
                       stream.avail_out = static_cast<uInt>(room);
                       int state = inflate(&stream, Z_NO_FLUSH);
                       in = reinterpret_cast<const char*>(stream.next_in);
                       left = stream.avail_in;
                       room = stream.avail_out;
                       if (state == Z_STREAM_END) return Inflation::end;
                       return state == Z_OK || state == Z_BUF_ERROR ? Inflation::more : Inflation::broken;
                     });
}

std::optional<std::string> inflate_bzip2(std::string_view bytes, std::size_t most, std::string& why) {
  bz_stream stream{};
  if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK)
    return why = "There is no memory to decompress.", std::nullopt;
  std::unique_ptr<bz_stream, int (*)(bz_stream*)> owner(&stream, BZ2_bzDecompressEnd);
  return inflate_all(bytes, most, why,
                     [&](const char*& in, std::size_t& left, char*& out, std::size_t& room) {
                       stream.next_in = const_cast<char*>(in);
                       stream.avail_in = static_cast<unsigned>(left);
                       stream.next_out = out;
                       stream.avail_out = static_cast<unsigned>(room);
                       int state = BZ2_bzDecompress(&stream);
                       in = stream.next_in;
                       left = stream.avail_in;
                       room = stream.avail_out;
                       if (state == BZ_STREAM_END) return Inflation::end;
                       return state == BZ_OK ? Inflation::more : Inflation::broken;
                     });
}

std::optional<std::string> inflate_xz(std::string_view bytes, std::size_t most, std::string& why) {
  // Python's default preset needs 9 MB to unpack, its strongest 65 MB; a file may claim 4 GB.
  constexpr std::uint64_t most_memory = 96 << 20;
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_auto_decoder(&stream, most_memory, 0) != LZMA_OK)
    return why = "There is no memory to decompress.", std::nullopt;
  std::unique_ptr<lzma_stream, void (*)(lzma_stream*)> owner(&stream, lzma_end);
  return inflate_all(
      bytes, most, why, [&](const char*& in, std::size_t& left, char*& out, std::size_t& room) {
        stream.next_in = reinterpret_cast<const std::uint8_t*>(in);
        stream.avail_in = left;
        stream.next_out = reinterpret_cast<std::uint8_t*>(out);
        stream.avail_out = room;
        auto state = lzma_code(&stream, LZMA_RUN);
        in = reinterpret_cast<const char*>(stream.next_in);
        left = stream.avail_in;
        room = stream.avail_out;
        if (state == LZMA_STREAM_END) return Inflation::end;
        return state == LZMA_OK || state == LZMA_BUF_ERROR ? Inflation::more : Inflation::broken;
      });
}

}  // namespace

std::string encode_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    unsigned group = 0;
    auto count = std::min<std::size_t>(3, bytes.size() - at);
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0);
    for (std::size_t i = 0; i < 4; ++i) out += i <= count ? base64_digits[group >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

std::optional<std::string> decode_base64(std::string_view text) {
  std::string out;
  out.reserve(text.size() / 4 * 3);
  unsigned group = 0;
  std::size_t digits = 0, padding = 0;
  for (char c : text) {
    if (c == '\n' || c == '\r') continue;
    int value = base64_values[static_cast<unsigned char>(c)];
    if (c == '=') {
      ++padding;
      continue;
    }
    if (value < 0 || padding > 0) return std::nullopt;
    group = group << 6 | static_cast<unsigned>(value);
    if (++digits % 4 == 0) {
      for (int shift : {16, 8, 0}) out += static_cast<char>(group >> shift & 0xFF);
      group = 0;
    }
  }
  auto rest = digits % 4;
  if (rest == 1 || padding != (rest == 0 ? 0 : 4 - rest)) return std::nullopt;
  if (rest >= 2) out += static_cast<char>(group >> (rest == 2 ? 4 : 10) & 0xFF);
  if (rest == 3) out += static_cast<char>(group >> 2 & 0xFF);
  return out;
}

bool is_json_content(std::string_view content_type) {
  return lower_ascii(trim(content_type.substr(0, content_type.find(';')))) == "application/json";
}

bool is_utf8_content(std::string_view content_encoding) {
  auto name = lower_ascii(trim(content_encoding));
  return name.empty() || name == "utf-8" || name == "utf8" || name == "us-ascii" || name == "ascii";
}

std::optional<std::string> decompress(std::string_view bytes, std::string_view method, std::size_t most,
                                      std::string& why) {
  // Their libraries count in 32 bits.
  if (bytes.size() > max_body_bytes) return why = "The compressed body is too large.", std::nullopt;
  auto name = lower_ascii(method);
  if (name == "application/x-gzip" || name == "gzip" || name == "zlib") return inflate_zlib(bytes, most, why);
  if (name == "application/x-bz2" || name == "bzip2" || name == "bzip")
    return inflate_bzip2(bytes, most, why);
  if (name == "application/x-lzma" || name == "lzma" || name == "xz") return inflate_xz(bytes, most, why);
  why = "The body's compression " + clean_utf8(method, 60) + " is not known.";
  return std::nullopt;
}

}  // namespace segments::celery

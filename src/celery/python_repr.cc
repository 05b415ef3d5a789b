#include "celery/python_repr.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/text.h"

namespace segments::celery {
namespace {

struct CodeRange {
  char32_t first, last;
};
// What Python's str.isprintable() says no to, but for code points that no version of Unicode has given a
// meaning.
constexpr CodeRange unprintable[] = {
    {0x00, 0x1F},       {0x7F, 0xA0},       {0xAD, 0xAD},        {0x600, 0x605},     {0x61C, 0x61C},
    {0x6DD, 0x6DD},     {0x70F, 0x70F},     {0x890, 0x891},      {0x8E2, 0x8E2},     {0x1680, 0x1680},
    {0x180E, 0x180E},   {0x2000, 0x200F},   {0x2028, 0x202F},    {0x205F, 0x206F},   {0x3000, 0x3000},
    {0xD800, 0xF8FF},   {0xFDD0, 0xFDEF},   {0xFEFF, 0xFEFF},    {0xFFF0, 0xFFFB},   {0xFFFE, 0xFFFF},
    {0x110BD, 0x110BD}, {0x110CD, 0x110CD}, {0x13430, 0x1343F},  {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A},
    {0x1FFFE, 0x1FFFF}, {0xE0000, 0xE00FF}, {0xE01F0, 0x10FFFF},
};

bool is_printable(char32_t code) {
  const auto* range = std::partition_point(std::begin(unprintable), std::end(unprintable),
                                           [&](const CodeRange& r) { return r.last < code; });
  return range == std::end(unprintable) || code < range->first;
}

// The code point at `at` of valid UTF-8, and past it.
char32_t next_code_point(std::string_view text, std::size_t& at) {
  auto byte = [&] { return static_cast<unsigned char>(text[at++]); };
  char32_t code = byte();
  if (code < 0x80) return code;
  int more = code >= 0xF0 ? 3 : code >= 0xE0 ? 2 : 1;
  code &= 0x3F >> more;
  while (more-- > 0) code = code << 6 | (byte() & 0x3F);
  return code;
}

void append_escape(std::string& out, char32_t code) {
  constexpr std::string_view hex = "0123456789abcdef";
  int digits = code < 0x100 ? 2 : code < 0x10000 ? 4 : 8;
  out += digits == 2 ? "\\x" : digits == 4 ? "\\u" : "\\U";
  while (digits-- > 0) out += hex[code >> 4 * digits & 15];
}

class ReprPrinter {
 public:
  explicit ReprPrinter(std::size_t most) : most_(most) {}

  void add(const Json& json) {
    if (is_full()) return;
    switch (json.kind()) {
      case Json::Kind::null:
        out_ += "None";
        break;
      case Json::Kind::boolean:
        out_ += json.boolean() ? "True" : "False";
        break;
      case Json::Kind::integer:
        out_ += json.text() == "-0" ? "0" : json.text();
        break;
      case Json::Kind::real:
        add_real(*json.real());
        break;
      case Json::Kind::text:
        add_text(json.text());
        break;
      case Json::Kind::array:
        out_ += '[';
        add_items(json);
        out_ += ']';
        break;
      case Json::Kind::object:
        add_object(json);
    }
  }

  void add_tuple(const Json& json) {
    out_ += '(';
    add_items(json);
    out_ += json.items().size() == 1 ? ",)" : ")";
  }

  void add_text(std::string_view text) {
    if (!is_utf8(text)) return add_text(clean_utf8(text));
    bool single = text.find('\'') != text.npos, both = single && text.find('"') != text.npos;
    char quote = single && !both ? '"' : '\'';
    out_ += quote;
    for (std::size_t at = 0; at < text.size() && !is_full();) {
      auto begin = at;
      auto code = next_code_point(text, at);
      if (code == '\\' || code == static_cast<unsigned char>(quote))
        out_.append("\\").append(1, static_cast<char>(code));
      else if (code == '\n')
        out_ += "\\n";
      else if (code == '\r')
        out_ += "\\r";
      else if (code == '\t')
        out_ += "\\t";
      else if (is_printable(code))
        out_.append(text, begin, at - begin);
      else
        append_escape(out_, code);
    }
    out_ += quote;
  }

  std::string finish() && {
    if (out_.size() <= most_) return std::move(out_);
    out_.resize(most_ - 3);
    return clean_end(std::move(out_)) + "...";
  }

 private:
  bool is_full() const { return out_.size() > most_; }

  static std::string clean_end(std::string text) {
    while (!text.empty() && !is_utf8(text)) text.pop_back();
    return text;
  }

  void add_items(const Json& json) {
    bool first = true;
    for (const auto& item : json.items()) {
      if (is_full()) return;
      if (!std::exchange(first, false)) out_ += ", ";
      add(item);
    }
  }

  void add_object(const Json& json) {
    out_ += '{';
    bool first = true;
    for (const auto& [name, value] : json.members()) {
      if (is_full()) return;
      if (!std::exchange(first, false)) out_ += ", ";
      add_text(name);
      out_ += ": ";
      add(value);
    }
    out_ += '}';
  }

  // Python's float_repr_style 'short': exponents from 1e16 on and below 1e-4.
  void add_real(double value) {
    if (std::isnan(value)) return void(out_ += "nan");
    if (std::isinf(value)) return void(out_ += value < 0 ? "-inf" : "inf");
    double size = std::abs(value);
    bool with_exponent = size != 0 && (size >= 1e16 || size < 1e-4);
    char digits[400];
    auto format = with_exponent ? std::chars_format::scientific : std::chars_format::fixed;
    std::string_view text(digits, std::to_chars(digits, digits + sizeof digits, value, format).ptr - digits);
    out_ += text;
    if (!with_exponent && text.find('.') == text.npos) out_ += ".0";
  }

  std::size_t most_;
  std::string out_;
};

}  // namespace

std::string python_repr(const Json& json, std::size_t most) {
  ReprPrinter printer(std::max<std::size_t>(most, 3));
  printer.add(json);
  return std::move(printer).finish();
}

std::string python_tuple_repr(const Json& json, std::size_t most) {
  ReprPrinter printer(std::max<std::size_t>(most, 3));
  printer.add_tuple(json);
  return std::move(printer).finish();
}

std::string python_repr(std::string_view text, std::size_t most) {
  ReprPrinter printer(std::max<std::size_t>(most, 3));
  printer.add_text(text);
  return std::move(printer).finish();
}

}  // namespace segments::celery

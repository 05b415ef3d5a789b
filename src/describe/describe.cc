#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/text.h"
#include "describe/decode.h"
#include "describe/encode.h"
#include "describe/schema.h"

namespace segments {

namespace {

constexpr std::size_t max_faults = 100;

// The end of the number's text in `digits`, which has room for 32.
char* print_number(char* digits, double number) {
  char* end = digits + 32;
  // Durations and counts are seldom finer than thousandths. A decimal of so few digits that is the number is
  // its shortest text too, and is found at a fifth of the cost; beyond these bounds an exponent may be
  // shorter.
  double thousandths = number * 1'000;
  if (thousandths >= 1 && thousandths < 100'000'000 && thousandths == std::floor(thousandths) &&
      thousandths / 1'000 == number) {
    auto whole = static_cast<std::uint32_t>(thousandths);
    char* at = std::to_chars(digits, end, whole / 1'000).ptr;
    if (auto rest = whole % 1'000) {
      *at++ = '.';
      for (std::uint32_t unit = 100; rest; unit /= 10) {
        *at++ = static_cast<char>('0' + rest / unit);
        rest %= unit;
      }
    }
    return at;
  }
  return std::to_chars(digits, end, number).ptr;
}

// True when one of the sixteen bytes needs a look: below 0x20, a quote, a backslash, or not ASCII (negative).
bool is_special(const char* text) {
  using Bytes [[gnu::vector_size(16)]] = signed char;
  auto all = [](signed char c) { return Bytes{c, c, c, c, c, c, c, c, c, c, c, c, c, c, c, c}; };
  Bytes bytes;
  std::memcpy(&bytes, text, sizeof bytes);
  auto found = (bytes < all(0x20)) | (bytes == all('"')) | (bytes == all('\\'));
  std::uint64_t halves[2];
  std::memcpy(halves, &found, sizeof halves);
  return (halves[0] | halves[1]) != 0;
}

// The same of eight bytes.
bool is_special_word(const char* text) {
  constexpr std::uint64_t each = 0x0101010101010101;
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, text, sizeof bytes);
  auto has_zero = [](std::uint64_t word) { return (word - each) & ~word; };
  auto found =
      bytes | (bytes - 0x20 * each) | has_zero(bytes ^ ('"' * each)) | has_zero(bytes ^ ('\\' * each));
  return (found & (0x80 * each)) != 0;
}

bool is_plain(char c) {
  return static_cast<signed char>(c) >= 0x20 && c != '"' && c != '\\';
}

// How many bytes at the front are ASCII that needs no escape.
std::size_t plain_prefix(std::string_view text) {
  constexpr std::size_t step = 16, word = 8;
  const char* begin = text.data();
  const std::size_t size = text.size();
  std::size_t i = 0;
  while (i + step <= size && !is_special(begin + i)) i += step;
  // The last of them once more where they are not whole: a short rest costs more byte by byte.
  if (size >= step && i + step > size && !is_special(begin + size - step)) return size;
  if (size >= word && size < step && !is_special_word(begin) && !is_special_word(begin + size - word))
    return size;
  while (i < size && is_plain(text[i])) ++i;
  return i;
}

// Copies and looks in one go. False, with anything behind `to`, for a text that needs more than to be copied.
bool copy_plain(char* to, std::string_view text) {
  constexpr std::size_t step = 16, word = 8;
  const char* from = text.data();
  std::size_t left = text.size();
  if (left >= step) {
    for (; left > step; left -= step, from += step, to += step) {
      if (is_special(from)) return false;
      std::memcpy(to, from, step);
    }
    // The last of them ends with the text, wherever it begins.
    from -= step - left;
    std::memcpy(to - (step - left), from, step);
    return !is_special(from);
  }
  if (left >= word) {
    const std::size_t last = left - word;
    if (is_special_word(from) || is_special_word(from + last)) return false;
    std::memcpy(to, from, word);
    std::memcpy(to + last, from + last, word);
    return true;
  }
  for (; left > 0; --left)
    if (!is_plain(*to++ = *from++)) return false;
  return true;
}

template <class Out>
void append_escaped(Out& out, std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out += text.substr(from, i - from);
    from = i + 1;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out += hex[c >> 4];
        out += hex[c & 15];
    }
  }
  out += text.substr(from);
}

// Of which so many bytes at the front need no escape.
template <class Out>
void append_quoted(Out& out, std::string_view text, std::size_t plain) {
  out += '"';
  out += text.substr(0, plain);
  auto rest = text.substr(plain);
  if (is_utf8(rest))
    append_escaped(out, rest);
  else
    append_escaped(out, clean_utf8(rest));
  out += '"';
}

void serialize(std::string& out, const boost::json::value& json) {
  switch (json.kind()) {
    case boost::json::kind::null:
      out += "null";
      break;
    case boost::json::kind::bool_:
      encode(out, json.get_bool());
      break;
    case boost::json::kind::int64:
      encode(out, json.get_int64());
      break;
    case boost::json::kind::uint64:
      encode(out, json.get_uint64());
      break;
    case boost::json::kind::double_:
      encode(out, json.get_double());
      break;
    case boost::json::kind::string:
      encode_string(out, json.get_string());
      break;
    case boost::json::kind::array: {
      char before = '[';
      for (const auto& item : json.get_array()) {
        out += before;
        before = ',';
        serialize(out, item);
      }
      out += before == '[' ? "[]" : "]";
      break;
    }
    case boost::json::kind::object: {
      char before = '{';
      for (const auto& member : json.get_object()) {
        out += before;
        before = ',';
        encode_string(out, member.key());
        out += ':';
        serialize(out, member.value());
      }
      out += before == '{' ? "{}" : "}";
      break;
    }
  }
}

}  // namespace

void encode_string(TextSink& out, std::string_view text) {
  char* const at = out.room_for(text.size() + 2);
  if (!copy_plain(at + 1, text)) return append_quoted(out, text, plain_prefix(text));
  at[0] = at[text.size() + 1] = '"';
  out.end_at(at + text.size() + 2);
}

void encode_string(std::string& out, std::string_view text) {
  auto plain = plain_prefix(text);
  if (plain < text.size()) return append_quoted(out, text, plain);
  // Both quotes at once, then what is between.
  auto at = out.size();
  out.append(text.size() + 2, '"');
  text.copy(out.data() + at + 1, text.size());
}

namespace detail {

void throw_faults(Faults&& faults) {
  if (faults.empty()) return;
  if (faults.size() <= max_faults) throw invalid_input(std::move(faults));
  auto detail = "The input has " + std::to_string(faults.size()) + " faults; the first " +
                std::to_string(max_faults) + " are listed.";
  faults.resize(max_faults);
  throw Error(ErrorKind::invalid, detail, std::move(faults));
}

std::string shown(std::string_view name) {
  return clean_utf8(name, 100);
}

std::string pointer_to(const std::string& parent, std::string_view member) {
  std::string pointer = parent + "/";
  for (char c : shown(member)) {
    if (c == '~')
      pointer += "~0";
    else if (c == '/')
      pointer += "~1";
    else
      pointer += c;
  }
  return pointer;
}

std::string pointer_to(const std::string& parent, std::size_t item) {
  return parent + "/" + std::to_string(item);
}

std::string Pointer::text() const {
  if (!parent_) return std::string(name_);
  return item_ == no_item ? pointer_to(parent_->text(), name_) : pointer_to(parent_->text(), item_);
}

namespace {

const char* fault_of_characters(std::string_view text, const Rule& rule) {
  if (!is_utf8(text)) return "The text is not valid UTF-8.";
  if (!has_control(text)) return nullptr;
  if (rule.one_line) return "The text must not have control characters.";
  for (char c : text)
    if (c != '\n' && c != '\r' && c != '\t' && has_control({&c, 1}))
      return "The text must not have control characters other than line breaks and tabs.";
  return nullptr;
}

std::string at_least(std::size_t length) {
  if (length == 1) return "The text must not be empty.";
  return "The text must have at least " + std::to_string(length) + " characters.";
}

// Bounds are read by people: 1000000000, where JSON's shortest form is 1e+09.
void append_plain(std::string& out, double bound) {
  char digits[400];  // the largest double has 309
  out.append(digits, std::to_chars(digits, digits + sizeof digits, bound, std::chars_format::fixed).ptr);
}

}  // namespace

void check_string(std::string_view text, const Rule& rule, const Pointer& pointer, Faults& faults) {
  // Bytes bound characters from above and, by four, from below: a text within both is not counted, nor a huge
  // one.
  auto too_long = [&] {
    return text.size() > rule.max_length &&
           (text.size() / 4 > rule.max_length || count_code_points(text) > rule.max_length);
  };
  if (too_long())
    faults.push_back({pointer.text(), "length",
                      "The text must have at most " + std::to_string(rule.max_length) + " characters."});
  else if (const char* fault = fault_of_characters(text, rule))
    faults.push_back({pointer.text(), "encoding", fault});
  else if (text.size() < rule.min_length * 4 && count_code_points(text) < rule.min_length)
    faults.push_back({pointer.text(), "length", at_least(rule.min_length)});
  else if (const char* fault = rule.check ? rule.check(text) : nullptr)
    faults.push_back({pointer.text(), "format", fault});
}

void check_number(double number, const Rule& rule, const Pointer& pointer, Faults& faults) {
  bool low = rule.above_minimum ? number <= rule.minimum : number < rule.minimum;
  if (!low && number <= rule.maximum) return;
  std::string bounds;
  if (std::isfinite(rule.minimum)) {
    bounds += rule.above_minimum ? "above " : "at least ";
    append_plain(bounds, rule.minimum);
  }
  if (std::isfinite(rule.maximum)) {
    bounds += bounds.empty() ? "at most " : " and at most ";
    append_plain(bounds, rule.maximum);
  }
  faults.push_back({pointer.text(), "range", "The number must be " + bounds + "."});
}

bool read_integer(const boost::json::value& json, std::int64_t& out, const Pointer& pointer, Faults& faults) {
  if (json.is_int64()) {
    out = json.get_int64();
    return true;
  }
  if (!json.is_number()) {
    wrong_type("a whole number", json, pointer, faults);
    return false;
  }
  // 12.0 and 1e3 are whole numbers in JSON; above 2^53 a double no longer tells which one was meant.
  double number = json.is_double() ? json.get_double() : std::numeric_limits<double>::infinity();
  if (std::abs(number) > 9'007'199'254'740'991) {
    faults.push_back(
        {pointer.text(), "range", "The value must be a whole number below 2^63, without an exponent."});
    return false;
  }
  if (number != std::floor(number)) {
    faults.push_back({pointer.text(), "type", "The value must be a whole number."});
    return false;
  }
  out = static_cast<std::int64_t>(number);
  return true;
}

bool read_number(const boost::json::value& json, double& out, const Pointer& pointer, Faults& faults) {
  switch (json.kind()) {
    case boost::json::kind::int64:
      out = static_cast<double>(json.get_int64());
      break;
    case boost::json::kind::uint64:
      out = static_cast<double>(json.get_uint64());
      break;
    case boost::json::kind::double_:
      out = json.get_double();
      break;
    default:
      wrong_type("a number", json, pointer, faults);
      return false;
  }
  if (std::isfinite(out)) return true;
  faults.push_back({pointer.text(), "range", "The number is too large."});
  return false;
}

void wrong_type(const char* wanted, const boost::json::value& json, const Pointer& pointer, Faults& faults) {
  static constexpr const char* kinds[] = {"null",     "true or false", "a number", "a number",
                                          "a number", "a string",      "an array", "an object"};
  auto is = kinds[static_cast<int>(json.kind())];
  faults.push_back(
      {pointer.text(), "type", "The value must be " + std::string(wanted) + ", not " + is + "."});
}

void unknown_enum(const std::string& allowed, const Pointer& pointer, Faults& faults) {
  faults.push_back({pointer.text(), "enum", "The value must be one of " + allowed + "."});
}

void unknown_member(std::string_view name, const Pointer& parent, Faults& faults) {
  faults.push_back(
      {Pointer(parent, name).text(), "unknown", "\"" + shown(name) + "\" is not a known member."});
}

void append_number(std::string& out, double number) {
  char digits[32];
  out.append(digits, print_number(digits, number));
}

void append_number(TextSink& out, double number) {
  out.end_at(print_number(out.room_for(32), number));
}

std::string serialize(const boost::json::value& json) {
  std::string out;
  segments::serialize(out, json);
  return out;
}

void add_rule(boost::json::object& schema, const Rule& rule, SchemaOf what) {
  auto put_number = [&](const char* name, double number) {
    if (!std::isfinite(number)) return;
    // Whole bounds as integers, so that every serializer prints them plainly.
    if (number == std::floor(number) && std::abs(number) < 9e15)
      schema[name] = static_cast<std::int64_t>(number);
    else
      schema[name] = number;
  };
  if (what == SchemaOf::number) {
    put_number(rule.above_minimum ? "exclusiveMinimum" : "minimum", rule.minimum);
    put_number("maximum", rule.maximum);
  }
  if (what == SchemaOf::string) {
    if (rule.min_length) schema["minLength"] = rule.min_length;
    schema["maxLength"] = rule.max_length;
    if (rule.format) schema["format"] = rule.format;
  }
  if (what == SchemaOf::array) schema["maxItems"] = rule.max_items;
  if (rule.about) schema["description"] = rule.about;
}

}  // namespace detail

}  // namespace segments

#include <boost/json.hpp>

#include "base/text.h"
#include "describe/decode.h"
#include "describe/schema.h"

namespace segments {

void encode_string(std::string& out, std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  out += '"';
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, from, i - from);
    from = i + 1;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        out += "\\u00";
        out += hex[c >> 4];
        out += hex[c & 15];
    }
  }
  out.append(text, from, text.size() - from);
  out += '"';
}

boost::json::value parse_json(std::string_view text) {
  boost::json::error_code error;
  auto value = boost::json::parse(text, error);
  if (error) throw Error(ErrorKind::malformed, "The body is not valid JSON: " + error.message() + ".");
  return value;
}

namespace detail {

std::string pointer_to(const std::string& parent, std::string_view member) {
  std::string pointer = parent + "/";
  for (char c : member.substr(0, 100)) {
    if (c == '~') pointer += "~0";
    else if (c == '/') pointer += "~1";
    else pointer += c;
  }
  return pointer;
}

void check_string(std::string_view text, const Rule& rule, const std::string& pointer, Faults& faults) {
  if (text.size() < rule.min_length)
    faults.push_back({pointer, "length", rule.min_length == 1 ? "The text must not be empty."
                                                              : "The text has at least " + std::to_string(rule.min_length) + " bytes."});
  else if (text.size() > rule.max_length)
    faults.push_back({pointer, "length", "The text has at most " + std::to_string(rule.max_length) + " bytes."});
  else if (!is_utf8(text))
    faults.push_back({pointer, "encoding", "The text is not valid UTF-8."});
  else if (text.find('\0') != text.npos || (rule.one_line && has_control(text)))
    faults.push_back({pointer, "encoding", "The text must not have control characters."});
  else if (const char* fault = rule.check ? rule.check(text) : nullptr)
    faults.push_back({pointer, "format", fault});
}

void check_number(double number, const Rule& rule, const std::string& pointer, Faults& faults) {
  bool low = rule.above_minimum ? number <= rule.minimum : number < rule.minimum;
  if (!low && number <= rule.maximum) return;
  std::string detail = "The number must be ";
  detail += rule.above_minimum ? "above " : "at least ";
  encode(detail, rule.minimum);
  if (rule.maximum != std::numeric_limits<double>::infinity()) {
    detail += " and at most ";
    encode(detail, rule.maximum);
  }
  faults.push_back({pointer, "range", detail + "."});
}

bool read_integer(const boost::json::value& json, std::int64_t& out, const std::string& pointer, Faults& faults) {
  if (json.is_int64()) {
    out = json.get_int64();
    return true;
  }
  // 12.0 is a whole number in JSON; 2^63 and above are not representable.
  if (json.is_double() && json.get_double() == std::floor(json.get_double()) && std::abs(json.get_double()) < 9e15) {
    out = static_cast<std::int64_t>(json.get_double());
    return true;
  }
  if (json.is_number()) faults.push_back({pointer, json.is_double() && std::abs(json.get_double()) < 9e15 ? "type" : "range",
                                          "The value must be a whole number below 2^63."});
  else wrong_type("a whole number", json, pointer, faults);
  return false;
}

bool read_number(const boost::json::value& json, double& out, const std::string& pointer, Faults& faults) {
  if (!json.is_number()) {
    wrong_type("a number", json, pointer, faults);
    return false;
  }
  out = json.is_double() ? json.get_double() : json.is_int64() ? static_cast<double>(json.get_int64()) : static_cast<double>(json.get_uint64());
  if (std::isfinite(out)) return true;
  faults.push_back({pointer, "range", "The number is too large."});
  return false;
}

void wrong_type(const char* wanted, const boost::json::value& json, const std::string& pointer, Faults& faults) {
  static constexpr const char* kinds[] = {"null", "true or false", "a number", "a number", "a number", "a string", "an array", "an object"};
  faults.push_back({pointer, "type", "The value must be " + std::string(wanted) + ", not " + kinds[static_cast<int>(json.kind())] + "."});
}

void unknown_enum(const std::string& allowed, const std::string& pointer, Faults& faults) {
  faults.push_back({pointer, "enum", "The value must be one of " + allowed + "."});
}

std::string serialize(const boost::json::value& json) { return boost::json::serialize(json); }

void add_rule(boost::json::object& schema, const Rule& rule, bool is_string, bool is_number, bool is_array) {
  if (is_number && std::isfinite(rule.minimum)) schema[rule.above_minimum ? "exclusiveMinimum" : "minimum"] = rule.minimum;
  if (is_number && std::isfinite(rule.maximum)) schema["maximum"] = rule.maximum;
  if (is_string && rule.min_length) schema["minLength"] = rule.min_length;
  if (is_string) schema["maxLength"] = rule.max_length;
  if (is_string && rule.format) schema["format"] = rule.format;
  if (is_array) schema["maxItems"] = rule.max_items;
  if (rule.about) schema["description"] = rule.about;
}

}  // namespace detail

}  // namespace segments

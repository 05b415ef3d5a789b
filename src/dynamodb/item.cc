#include "dynamodb/item.h"

#include <boost/json/value.hpp>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "describe/encode.h"

namespace segments::dynamodb {

namespace {

Error not_understood() {
  return Error(ErrorKind::unavailable, "DynamoDB sent an item that could not be read.", {}, 1);
}

std::string digits_of(auto value) {
  char digits[32];
  return std::string(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

std::optional<double> parse_double(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

const std::string& string_in(const boost::json::value& json, std::string& kept) {
  if (!json.is_string()) throw not_understood();
  kept = json.get_string();
  return kept;
}

std::vector<std::string> strings_in(const boost::json::value& json) {
  if (!json.is_array()) throw not_understood();
  std::vector<std::string> out;
  for (const auto& entry : json.get_array()) string_in(entry, out.emplace_back());
  return out;
}

void encode_strings(std::string& out, const std::vector<std::string>& items) {
  encode(out, items);
}

struct Encoder {
  std::string& out;
  void operator()(const Attribute::Null&) const { out += "\"NULL\":true"; }
  void operator()(bool value) const { out += value ? "\"BOOL\":true" : "\"BOOL\":false"; }
  void operator()(const Attribute::Number& number) const {
    out += "\"N\":";
    encode_string(out, number.text);
  }
  void operator()(const std::string& text) const {
    out += "\"S\":";
    encode_string(out, text);
  }
  void operator()(const Attribute::Binary& binary) const {
    out += "\"B\":";
    encode_string(out, binary.base64);
  }
  void operator()(const Attribute::List& list) const {
    out += "\"L\":[";
    for (const auto& entry : list) {
      if (&entry != list.data()) out += ',';
      encode_attribute(out, entry);
    }
    out += ']';
  }
  void operator()(const Attribute::Map& map) const {
    out += "\"M\":";
    encode_item(out, map);
  }
  void operator()(const Attribute::Strings& set) const {
    out += "\"SS\":";
    encode_strings(out, set.items);
  }
  void operator()(const Attribute::Numbers& set) const {
    out += "\"NS\":";
    encode_strings(out, set.items);
  }
  void operator()(const Attribute::Binaries& set) const {
    out += "\"BS\":";
    encode_strings(out, set.items);
  }
};

}  // namespace

Attribute text(std::string_view value) {
  return {std::string(value)};
}

Attribute number(std::int64_t value) {
  return {Attribute::Number{digits_of(value)}};
}

Attribute number(double value) {
  if (!std::isfinite(value) || std::abs(value) >= 1e126)
    throw Error(ErrorKind::invalid, "The number is too large to be kept.");
  if (std::abs(value) < 1e-130) value = 0;  // without the sign, too
  return {Attribute::Number{digits_of(value)}};
}

std::optional<std::string> text_of(const Attribute& attribute) {
  const auto* text = std::get_if<std::string>(&attribute.value);
  return text ? std::optional(*text) : std::nullopt;
}

std::optional<double> number_of(const Attribute& attribute) {
  const auto* number = std::get_if<Attribute::Number>(&attribute.value);
  return number ? parse_double(number->text) : std::nullopt;
}

std::optional<std::int64_t> integer_of(const Attribute& attribute) {
  const auto* number = std::get_if<Attribute::Number>(&attribute.value);
  if (!number) return std::nullopt;
  std::int64_t whole = 0;
  const char* end = number->text.data() + number->text.size();
  if (auto [at, fault] = std::from_chars(number->text.data(), end, whole); fault == std::errc() && at == end)
    return whole;
  // A bound that a double has exactly: beyond it, what is not written as an integer is none of ours.
  constexpr double bound = 9'007'199'254'740'992.0;
  auto value = parse_double(number->text);
  if (!value || std::abs(*value) > bound) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

const Attribute* find(const Item& item, std::string_view name) {
  auto at = item.find(name);
  return at == item.end() ? nullptr : &at->second;
}

std::string text_of(const Item& item, std::string_view name) {
  const auto* attribute = find(item, name);
  return attribute ? text_of(*attribute).value_or("") : "";
}

std::int64_t integer_of(const Item& item, std::string_view name, std::int64_t otherwise) {
  const auto* attribute = find(item, name);
  return attribute ? integer_of(*attribute).value_or(otherwise) : otherwise;
}

void encode_attribute(std::string& out, const Attribute& attribute) {
  out += '{';
  std::visit(Encoder{out}, attribute.value);
  out += '}';
}

void encode_item(std::string& out, const Item& item) {
  out += '{';
  bool is_first = true;
  for (const auto& [name, attribute] : item) {
    if (!is_first) out += ',';
    is_first = false;
    encode_string(out, name);
    out += ':';
    encode_attribute(out, attribute);
  }
  out += '}';
}

Attribute decode_attribute(const boost::json::value& json) {
  if (!json.is_object() || json.get_object().size() != 1) throw not_understood();
  const auto& [type, value] = *json.get_object().begin();
  std::string kept;
  if (type == "S") return {string_in(value, kept)};
  if (type == "N") return {Attribute::Number{string_in(value, kept)}};
  if (type == "B") return {Attribute::Binary{string_in(value, kept)}};
  if (type == "SS") return {Attribute::Strings{strings_in(value)}};
  if (type == "NS") return {Attribute::Numbers{strings_in(value)}};
  if (type == "BS") return {Attribute::Binaries{strings_in(value)}};
  if (type == "M") return {decode_item(value)};
  if (type == "NULL" && value.is_bool()) return {Attribute::Null{}};
  if (type == "BOOL" && value.is_bool()) return {value.get_bool()};
  if (type != "L" || !value.is_array()) throw not_understood();
  Attribute::List list;
  for (const auto& entry : value.get_array()) list.push_back(decode_attribute(entry));
  return {std::move(list)};
}

Item decode_item(const boost::json::value& json) {
  if (!json.is_object()) throw not_understood();
  Item item;
  for (const auto& member : json.get_object()) item.emplace(member.key(), decode_attribute(member.value()));
  return item;
}

}  // namespace segments::dynamodb

#include "celery/json.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "base/text.h"

namespace segments::celery {
namespace {

const Json null_json;

std::string print_real(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  char digits[32];
  std::string text(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  // A whole number would come back as an integer.
  if (text.find_first_of(".e") == text.npos) text += ".0";
  return text;
}

}  // namespace

Json::Json(std::int64_t value) : value_(Integer{std::to_string(value)}) {}
Json::Json(double value) : value_(Real{print_real(value)}) {}

Json Json::number(Kind kind, std::string digits) {
  Json json;
  if (kind == Kind::integer)
    json.value_ = Integer{std::move(digits)};
  else
    json.value_ = Real{std::move(digits)};
  return json;
}
Json Json::array(std::vector<Json> items) {
  Json json;
  json.value_ = std::move(items);
  return json;
}
Json Json::object(std::initializer_list<Member> members) {
  Json json;
  json.value_ = std::vector<Member>(members);
  return json;
}
Json Json::texts(const std::vector<std::string>& texts) {
  return array(std::vector<Json>(texts.begin(), texts.end()));
}
Json Json::text_or_null(std::string_view text) {
  return text.empty() ? Json() : Json(text);
}

bool Json::boolean() const {
  const auto* value = std::get_if<bool>(&value_);
  return value && *value;
}
const std::string& Json::text() const {
  static const std::string none;
  if (const auto* text = std::get_if<std::string>(&value_)) return *text;
  if (const auto* integer = std::get_if<Integer>(&value_)) return integer->digits;
  if (const auto* real = std::get_if<Real>(&value_)) return real->digits;
  return none;
}
std::optional<std::int64_t> Json::integer() const {
  return kind() == Kind::integer ? parse_integer(text()) : std::nullopt;
}
std::optional<double> Json::real() const {
  if (!is_number()) return std::nullopt;
  const auto& digits = text();
  if (digits == "NaN") return std::numeric_limits<double>::quiet_NaN();
  bool negative = digits.front() == '-';
  double infinity =
      negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  if (digits.ends_with("Infinity")) return infinity;
  double value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc{}) return value;
  // Out of range, and from_chars does not say on which side: strtod does, in any locale for digits as ours.
  value = std::strtod(digits.c_str(), nullptr);
  return std::abs(value) < 1 ? 0.0 : infinity;
}
bool Json::is_true() const {
  switch (kind()) {
    case Kind::null:
      return false;
    case Kind::boolean:
      return boolean();
    case Kind::text:
      return !text().empty();
    case Kind::array:
      return !items().empty();
    case Kind::object:
      return !members().empty();
    default:
      return *real() != 0;
  }
}

const std::vector<Json>& Json::items() const {
  static const std::vector<Json> none;
  const auto* items = std::get_if<std::vector<Json>>(&value_);
  return items ? *items : none;
}
std::vector<Json>& Json::items() {
  thread_local std::vector<Json> none;
  if (auto* items = std::get_if<std::vector<Json>>(&value_)) return *items;
  none.clear();
  return none;
}
const std::vector<Json::Member>& Json::members() const {
  static const std::vector<Member> none;
  const auto* members = std::get_if<std::vector<Member>>(&value_);
  return members ? *members : none;
}
std::vector<Json::Member>& Json::members() {
  thread_local std::vector<Member> none;
  if (auto* members = std::get_if<std::vector<Member>>(&value_)) return *members;
  none.clear();
  return none;
}

const Json* Json::find(std::string_view member) const {
  for (const auto& [name, value] : members())
    if (name == member) return &value;
  return nullptr;
}
const Json& Json::at(std::string_view member) const {
  const auto* found = find(member);
  return found ? *found : null_json;
}
void Json::put(std::string_view member, Json value) {
  if (is_null()) *this = object();
  for (auto& [name, old] : members())
    if (name == member) {
      old = std::move(value);
      return;
    }
  members().emplace_back(std::string(member), std::move(value));
}
bool Json::remove(std::string_view member) {
  return std::erase_if(members(), [&](const Member& entry) { return entry.first == member; }) > 0;
}
std::string Json::text_of(std::string_view member) const {
  const auto& value = at(member);
  return value.is_text() ? value.text() : "";
}

bool Json::operator==(const Json& other) const {
  if (!is_object() || !other.is_object()) return value_ == other.value_;
  if (members().size() != other.members().size()) return false;
  for (const auto& [name, value] : members()) {
    const auto* same = other.find(name);
    if (!same || *same != value) return false;
  }
  return true;
}

bool has_non_finite(const Json& json) {
  if (json.kind() == Json::Kind::real && !std::isfinite(*json.real())) return true;
  for (const auto& item : json.items())
    if (has_non_finite(item)) return true;
  for (const auto& [name, value] : json.members())
    if (has_non_finite(value)) return true;
  return false;
}

}  // namespace segments::celery

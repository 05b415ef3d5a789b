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

Json::Json(std::int64_t value) : kind_(Kind::integer), text_(std::to_string(value)) {}
Json::Json(double value) : kind_(Kind::real), text_(print_real(value)) {}

Json Json::number(Kind kind, std::string digits) {
  Json json;
  json.kind_ = kind;
  json.text_ = std::move(digits);
  return json;
}
Json Json::array(std::vector<Json> items) {
  Json json;
  json.kind_ = Kind::array;
  json.items_ = std::move(items);
  return json;
}
Json Json::object(std::initializer_list<Member> members) {
  Json json;
  json.kind_ = Kind::object;
  json.members_ = members;
  return json;
}
Json Json::texts(const std::vector<std::string>& texts) {
  return array(std::vector<Json>(texts.begin(), texts.end()));
}
Json Json::text_or_null(std::string_view text) {
  return text.empty() ? Json() : Json(text);
}

std::optional<std::int64_t> Json::integer() const {
  return kind_ == Kind::integer ? parse_integer(text_) : std::nullopt;
}
std::optional<double> Json::real() const {
  if (!is_number()) return std::nullopt;
  if (text_ == "NaN") return std::numeric_limits<double>::quiet_NaN();
  bool negative = text_.front() == '-';
  double infinity =
      negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  if (text_.ends_with("Infinity")) return infinity;
  double value = 0;
  auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
  if (error == std::errc{}) return value;
  // Out of range, and from_chars does not say on which side: strtod does, in any locale for digits as ours.
  value = std::strtod(text_.c_str(), nullptr);
  return std::abs(value) < 1 ? 0.0 : infinity;
}
bool Json::is_true() const {
  switch (kind_) {
    case Kind::null:
      return false;
    case Kind::boolean:
      return boolean_;
    case Kind::text:
      return !text_.empty();
    case Kind::array:
      return !items_.empty();
    case Kind::object:
      return !members_.empty();
    default:
      return *real() != 0;
  }
}

const Json* Json::find(std::string_view member) const {
  for (const auto& [name, value] : members_)
    if (name == member) return &value;
  return nullptr;
}
const Json& Json::at(std::string_view member) const {
  const auto* found = find(member);
  return found ? *found : null_json;
}
void Json::put(std::string_view member, Json value) {
  if (is_null()) kind_ = Kind::object;
  for (auto& [name, old] : members_)
    if (name == member) {
      old = std::move(value);
      return;
    }
  members_.emplace_back(std::string(member), std::move(value));
}
bool Json::remove(std::string_view member) {
  return std::erase_if(members_, [&](const Member& entry) { return entry.first == member; }) > 0;
}
std::string Json::text_of(std::string_view member) const {
  const auto& value = at(member);
  return value.is_text() ? value.text() : "";
}

bool Json::operator==(const Json& other) const {
  if (kind_ != other.kind_ || boolean_ != other.boolean_ || text_ != other.text_ || items_ != other.items_ ||
      members_.size() != other.members_.size())
    return false;
  for (const auto& [name, value] : members_) {
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

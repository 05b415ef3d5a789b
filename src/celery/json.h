// JSON as Python's json module writes and reads it. describe/'s parser is too strict for it: this one keeps a
// number's digits as they came (whole numbers of any size come out again byte for byte) and takes NaN,
// Infinity and -Infinity; of members given twice the last counts. What it takes is always valid UTF-8 inside.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace segments::celery {

class Json {
 public:
  enum class Kind { null, boolean, integer, real, text, array, object };
  using Member = std::pair<std::string, Json>;

  Json() = default;  // null
  Json(std::nullptr_t) {}
  Json(bool value) : value_(value) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(std::string_view value) : Json(std::string(value)) {}
  Json(const char* value) : Json(std::string(value)) {}
  Json(std::int64_t);
  Json(int value) : Json(static_cast<std::int64_t>(value)) {}
  Json(double);  // 2.0 prints as "2.0"; NaN and the infinities as Python's words
  static Json number(Kind integer_or_real, std::string digits);
  static Json array(std::vector<Json> items = {});
  static Json object(std::initializer_list<Member> members = {});
  static Json texts(const std::vector<std::string>&);
  static Json text_or_null(std::string_view);  // "" is null
  template <class T>
  static Json maybe(const std::optional<T>& value) {
    return value ? Json(*value) : Json();
  }

  Kind kind() const { return static_cast<Kind>(value_.index()); }
  bool is_null() const { return kind() == Kind::null; }
  bool is_text() const { return kind() == Kind::text; }
  bool is_array() const { return kind() == Kind::array; }
  bool is_object() const { return kind() == Kind::object; }
  bool is_number() const { return kind() == Kind::integer || kind() == Kind::real; }
  bool boolean() const;                         // false of what is none
  const std::string& text() const;              // of a text; the digits of a number; else ""
  std::optional<std::int64_t> integer() const;  // of an integer that fits
  std::optional<double> real() const;           // of any number, to the nearest double
  bool is_true() const;                         // as Python's bool(): not null, false, 0, "", [] or {}

  // Of an array, of an object; else empty, and what is put into that is not kept.
  const std::vector<Json>& items() const;
  std::vector<Json>& items();
  const std::vector<Member>& members() const;
  std::vector<Member>& members();
  const Json* find(std::string_view member) const;  // nullptr when absent, or this is no object
  const Json& at(std::string_view member) const;    // a null when absent
  void put(std::string_view member, Json);  // creates or replaces, keeps the order; null becomes an object
  bool remove(std::string_view member);
  std::string text_of(std::string_view member) const;  // "" when it is absent or no text

  bool operator==(const Json&) const;  // numbers by their digits; members in any order

 private:
  struct Integer {
    std::string digits;
    bool operator==(const Integer&) const = default;
  };
  struct Real {
    std::string digits;
    bool operator==(const Real&) const = default;
  };
  // In the order of Kind. Forty bytes: a message may have a million values.
  std::variant<std::nullptr_t, bool, Integer, Real, std::string, std::vector<Json>, std::vector<Member>>
      value_;
};

inline constexpr int max_json_depth = 200;
inline constexpr int max_json_values = 1'000'000;

// Empty when the text is no JSON, not valid UTF-8, nested deeper than max_json_depth, has more than
// most_values values in it, or a lone surrogate in a string; then `why` (if given) is one plain sentence.
std::optional<Json> read_json(std::string_view text, std::string* why = nullptr,
                              int most_values = max_json_values);

// Without spaces. Valid UTF-8 and on one line.
void print_json(std::string& out, const Json&);
std::string print_json(const Json&);
// Whether NaN or an infinity (also by its size: 1e999) is anywhere inside; such is not JSON to others.
bool has_non_finite(const Json&);

}  // namespace segments::celery

// From untrusted JSON to a described struct. Every fault of the input is found and named by its JSON pointer;
// a struct comes back only from input without any. Members that the struct does not have are faults, and so
// are members given twice.
#pragma once

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/value.hpp>
#include <concepts>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "describe/encode.h"
#include "describe/members.h"
#include "describe/rule.h"

namespace segments {

using Faults = std::vector<Fault>;

// Throws Error{malformed} when the text is not one JSON value (32 levels at most, valid UTF-8),
// Error{invalid} when a member of an object is given twice. Numbers are read to the nearest double; 1e400 is
// infinite and refused by decode().
boost::json::value parse_json(std::string_view text);

namespace detail {

// The same, kept in the given memory; members given twice are put into the faults instead.
boost::json::value parse_json(std::string_view text, Faults&, boost::json::storage_ptr = {});
// Error{invalid} when there are any. It tells how many there are and carries the first hundred: an answer
// must not grow with hostile input.
void throw_faults(Faults&&);

// What is shown of a caller's own name in a fault: valid UTF-8, not long.
std::string shown(std::string_view name);
std::string pointer_to(const std::string& parent, std::string_view member);
std::string pointer_to(const std::string& parent, std::size_t item);

// Where in the input a value stands. The text is made when a fault asks for it: most input has none.
class Pointer {
 public:
  Pointer(std::string_view root) : name_(root) {}
  Pointer(const std::string& root) : name_(root) {}
  Pointer(const char* root) : name_(root) {}
  Pointer(const Pointer& parent, std::string_view member) : parent_(&parent), name_(member) {}
  Pointer(const Pointer& parent, std::size_t item) : parent_(&parent), item_(item) {}
  std::string text() const;

 private:
  static constexpr std::size_t no_item = static_cast<std::size_t>(-1);
  const Pointer* parent_ = nullptr;
  std::string_view name_;
  std::size_t item_ = no_item;
};

void check_string(std::string_view text, const Rule&, const Pointer& pointer, Faults&);
void check_number(double number, const Rule&, const Pointer& pointer, Faults&);
bool read_integer(const boost::json::value&, std::int64_t&, const Pointer& pointer, Faults&);
bool read_number(const boost::json::value&, double&, const Pointer& pointer, Faults&);
void wrong_type(const char* wanted, const boost::json::value&, const Pointer& pointer, Faults&);
void unknown_enum(const std::string& allowed, const Pointer& pointer, Faults&);
void unknown_member(std::string_view name, const Pointer& parent, Faults&);
// JSON text of a tree, with numbers as encode() prints them.
std::string serialize(const boost::json::value&);

}  // namespace detail

template <class T>
void decode_into(T& out, const boost::json::value& json, const Rule& rule, const detail::Pointer& pointer,
                 Faults& faults) {
  if constexpr (std::is_same_v<T, bool>) {
    if (json.is_bool())
      out = json.get_bool();
    else
      detail::wrong_type("true or false", json, pointer, faults);
  } else if constexpr (std::is_same_v<T, RawJson>) {
    out.text = detail::serialize(json);
  } else if constexpr (DescribedEnum<T>) {
    if (!json.is_string()) return detail::wrong_type("a string", json, pointer, faults);
    if (auto found = enum_from<T>(std::string_view(json.get_string())))
      out = *found;
    else
      detail::unknown_enum(names_of<T>(), pointer, faults);
  } else if constexpr (std::is_integral_v<T>) {
    std::int64_t number = 0;
    if (!detail::read_integer(json, number, pointer, faults)) return;
    if (!std::in_range<T>(number)) {
      faults.push_back({pointer.text(), "range", "The number is out of range."});
      return;
    }
    out = static_cast<T>(number);
    detail::check_number(static_cast<double>(number), rule, pointer, faults);
  } else if constexpr (std::is_floating_point_v<T>) {
    double number = 0;
    if (!detail::read_number(json, number, pointer, faults)) return;
    out = static_cast<T>(number);
    detail::check_number(number, rule, pointer, faults);
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!json.is_string()) return detail::wrong_type("a string", json, pointer, faults);
    out = json.get_string();
    detail::check_string(out, rule, pointer, faults);
  } else if constexpr (OptionalOf<T>::value) {
    if (json.is_null())
      out.reset();
    else
      decode_into(out.emplace(), json, rule, pointer, faults);
  } else if constexpr (PatchOf<T>::value) {
    out.given = true;
    decode_into(out.value, json, rule, pointer, faults);
  } else if constexpr (VectorOf<T>::value) {
    if (!json.is_array()) return detail::wrong_type("an array", json, pointer, faults);
    const auto& array = json.get_array();
    if (array.size() > rule.max_items) {
      faults.push_back(
          {pointer.text(), "length", "At most " + std::to_string(rule.max_items) + " items are taken."});
      return;
    }
    out.resize(array.size());
    for (std::size_t i = 0; i < array.size(); ++i)
      decode_into(out[i], array[i], rule, detail::Pointer(pointer, i), faults);
  } else if constexpr (requires { typename T::mapped_type; }) {
    if (!json.is_object()) return detail::wrong_type("an object", json, pointer, faults);
    for (const auto& member : json.get_object())
      decode_into(out[std::string(member.key())], member.value(), rule,
                  detail::Pointer(pointer, std::string_view(member.key())), faults);
  } else {
    static_assert(Described<T>);
    if (!json.is_object()) return detail::wrong_type("an object", json, pointer, faults);
    const auto& object = json.get_object();
    std::size_t known = 0;
    boost::mp11::mp_for_each<MembersOf<T>>([&](auto member) {
      constexpr std::string_view name(member.name);
      static constexpr Rule member_rule = rule_of(Describes<T>{}, name);
      using Member = std::remove_reference_t<decltype(out.*member.pointer)>;
      const auto* value = object.if_contains(name);
      if (value) {
        ++known;
        decode_into(out.*member.pointer, *value, member_rule, detail::Pointer(pointer, name), faults);
      } else if (!OptionalOf<Member>::value && !PatchOf<Member>::value && !member_rule.defaulted) {
        faults.push_back({detail::Pointer(pointer, name).text(), "required",
                          "\"" + std::string(name) + "\" is required."});
      }
    });
    if (known == object.size()) return;
    for (const auto& entry : object) {
      bool is_known = false;
      for_each_member<T>([&](const char* name, auto) { is_known = is_known || entry.key() == name; });
      for (std::string_view name : ignored_members(Describes<T>{}))
        is_known = is_known || entry.key() == name;
      if (!is_known) detail::unknown_member(entry.key(), pointer, faults);
    }
  }
}

// Throws Error{invalid} with every fault.
template <class T>
T decode(const boost::json::value& json, Faults faults = {}) {
  T out{};
  decode_into(out, json, Rule{}, "", faults);
  detail::throw_faults(std::move(faults));
  return out;
}

// The same from text; Error{malformed} when it is not JSON.
template <class T, std::convertible_to<std::string_view> Text>
T decode(const Text& text) {
  Faults faults;
  // Most input fits, and its tree takes no memory of its own.
  unsigned char buffer[4096];
  boost::json::monotonic_resource memory(buffer, sizeof buffer);
  const auto json = detail::parse_json(text, faults, &memory);
  return decode<T>(json, std::move(faults));
}

}  // namespace segments

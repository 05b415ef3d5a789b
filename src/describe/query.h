// From a query string's parameters to a described struct of std::optional members. The texts become numbers,
// booleans ("true", "false", "1", "0"), enumerators, strings or comma-separated vectors; an empty text is an
// absent one. A vector's parameter that is repeated gives one item each time, as it stands, commas and all.
// Every fault is named by its parameter; unknown parameters are faults, other repeated ones too.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "describe/decode.h"

namespace segments {

using QueryParameters = std::vector<std::pair<std::string, std::string>>;  // percent-decoded, in their order

namespace detail {

template <class T>
void decode_parameter(T& out, const std::string& text, const Rule&, const std::string& name, Faults&);

template <class T>
void decode_items(std::vector<T>& out, const std::vector<std::string>& items, const Rule& rule,
                  const std::string& name, Faults& faults) {
  if (items.size() > rule.max_items)
    return faults.push_back(
        {name, "length", "At most " + std::to_string(rule.max_items) + " items are taken."});
  for (const auto& item : items) decode_parameter(out.emplace_back(), item, rule, name, faults);
}

template <class T>
void decode_parameter(T& out, const std::string& text, const Rule& rule, const std::string& name,
                      Faults& faults) {
  if constexpr (OptionalOf<T>::value) {
    decode_parameter(out.emplace(), text, rule, name, faults);
  } else if constexpr (std::is_same_v<T, bool>) {
    std::string lower = lower_ascii(text);
    if (lower == "true" || lower == "1" || lower == "yes")
      out = true;
    else if (lower == "false" || lower == "0" || lower == "no")
      out = false;
    else
      faults.push_back({name, "type", "\"" + name + "\" must be true or false."});
  } else if constexpr (DescribedEnum<T>) {
    if (auto found = enum_from<T>(text))
      out = *found;
    else
      unknown_enum(names_of<T>(), name, faults);
  } else if constexpr (std::is_integral_v<T>) {
    auto number = parse_integer(text);
    if (!number || !std::in_range<T>(*number)) {
      faults.push_back({name, "type", "\"" + name + "\" must be a whole number below 2^63."});
      return;
    }
    out = static_cast<T>(*number);
    check_number(static_cast<double>(*number), rule, name, faults);
  } else if constexpr (std::is_floating_point_v<T>) {
    auto number = parse_number(text);
    if (!number) {
      faults.push_back({name, "type", "\"" + name + "\" must be a finite number."});
      return;
    }
    out = static_cast<T>(*number);
    check_number(*number, rule, name, faults);
  } else if constexpr (VectorOf<T>::value) {
    std::vector<std::string> items;
    for (const auto& part : split(text, ','))
      if (auto item = trim(part); !item.empty()) items.emplace_back(item);
    decode_items(out, items, rule, name, faults);
  } else {
    out = text;
    check_string(out, rule, name, faults);
  }
}

// Of a parameter that is given several times.
template <class T>
void decode_repeated(std::optional<std::vector<T>>& out, const QueryParameters& parameters, const Rule& rule,
                     const std::string& name, Faults& faults) {
  std::vector<std::string> items;
  for (const auto& parameter : parameters)
    if (parameter.first == name && !parameter.second.empty()) items.push_back(parameter.second);
  if (!items.empty()) decode_items(out.emplace(), items, rule, name, faults);
}

inline bool is_repeated(const QueryParameters& parameters, const std::string& name) {
  return std::ranges::count(parameters, name, &QueryParameters::value_type::first) > 1;
}

}  // namespace detail

// Throws Error{invalid} with every fault.
template <Described T>
T decode_query(const QueryParameters& parameters) {
  T out{};
  Faults faults;
  std::array<bool, boost::mp11::mp_size<MembersOf<T>>::value> given{};
  for (const auto& parameter : parameters) {
    const auto& name = parameter.first;  // no structured binding: clang 14 cannot capture one
    const auto& text = parameter.second;
    bool known = false;
    std::size_t i = 0;
    for_each_member<T>([&](const char* member_name, auto member) {
      bool& was_given = given[i++];
      if (name != member_name) return;
      known = true;
      if constexpr (requires { detail::decode_repeated(out.*member, parameters, Rule{}, name, faults); }) {
        if (was_given) return;
        if (detail::is_repeated(parameters, name)) {
          was_given = true;
          return detail::decode_repeated(out.*member, parameters, rule_of(Describes<T>{}, name), name,
                                         faults);
        }
      }
      if (was_given) return faults.push_back({name, "duplicate", "\"" + name + "\" is given twice."});
      was_given = true;
      if (!text.empty())
        detail::decode_parameter(out.*member, text, rule_of(Describes<T>{}, name), name, faults);
    });
    for (std::string_view ignored : ignored_members(Describes<T>{})) known = known || name == ignored;
    if (!known) {
      auto shown = detail::shown(name);
      faults.push_back({shown, "unknown", "\"" + shown + "\" is not a known parameter."});
    }
  }
  detail::throw_faults(std::move(faults));
  return out;
}

}  // namespace segments

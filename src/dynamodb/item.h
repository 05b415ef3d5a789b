// DynamoDB's items and their attributes, and how they are written in its JSON. All its types are known, so
// that an item that is read and written again loses nothing. Source: DynamoDB's API reference,
// "AttributeValue".
#pragma once

#include <boost/json/fwd.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "describe/members.h"

namespace segments::dynamodb {

struct Attribute {
  struct Null {
    bool operator==(const Null&) const = default;
  };
  // Decimal, up to 38 digits, as text: DynamoDB's numbers are more exact than doubles.
  struct Number {
    std::string text;
    bool operator==(const Number&) const = default;
  };
  struct Binary {
    std::string base64;
    bool operator==(const Binary&) const = default;
  };
  using List = std::vector<Attribute>;
  using Map = std::map<std::string, Attribute, std::less<>>;
  // Sets are never empty, and of no order.
  struct Strings {
    std::vector<std::string> items;
    bool operator==(const Strings&) const = default;
  };
  struct Numbers {
    std::vector<std::string> items;
    bool operator==(const Numbers&) const = default;
  };
  struct Binaries {
    std::vector<std::string> items;  // base64
    bool operator==(const Binaries&) const = default;
  };
  using Value = std::variant<Null, bool, Number, std::string, Binary, List, Map, Strings, Numbers, Binaries>;

  Value value = Null{};

  bool operator==(const Attribute&) const = default;
};
using Item = Attribute::Map;

// An attribute of a plain value.
Attribute text(std::string_view);
Attribute number(std::int64_t);
// The shortest text that reads back as the same double. DynamoDB keeps nothing between 0 and 1e-130, which is
// 0 here, nor what is not finite or from 1e126 on, for which it throws Error{invalid}.
Attribute number(double);

// Of an attribute of that type; std::nullopt for any other. Whole numbers may be written in any way
// ("12", "12.0", "1.2E1").
std::optional<std::string> text_of(const Attribute&);
std::optional<std::int64_t> integer_of(const Attribute&);
std::optional<double> number_of(const Attribute&);
// The member of an item; nullptr where it is absent.
const Attribute* find(const Item&, std::string_view name);
std::string text_of(const Item&, std::string_view name);  // "" where there is none
std::int64_t integer_of(const Item&, std::string_view name, std::int64_t otherwise = 0);

// DynamoDB's JSON. Decoding throws Error{unavailable} for what is not that: an answer that cannot be read.
void encode_attribute(std::string& out, const Attribute&);  // {"S":"text"}
void encode_item(std::string& out, const Item&);            // {"name":{"S":"text"}}
Attribute decode_attribute(const boost::json::value&);
Item decode_item(const boost::json::value&);

// A value of a described struct's member as an attribute; std::nullopt where there is nothing to be kept (an
// empty optional, a double that is not finite). Structs become maps without such members.
template <class T>
std::optional<Attribute> attribute_of(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return Attribute{value};
  } else if constexpr (DescribedEnum<T>) {
    return text(name_of(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!(value - value == 0)) return std::nullopt;
    return number(static_cast<double>(value));
  } else if constexpr (std::is_integral_v<T>) {
    return number(static_cast<std::int64_t>(value));
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return text(value);
  } else if constexpr (OptionalOf<T>::value) {
    return value ? attribute_of(*value) : std::nullopt;
  } else if constexpr (VectorOf<T>::value) {
    Attribute::List list;
    for (const auto& entry : value) list.push_back(attribute_of(entry).value_or(Attribute{}));
    return Attribute{std::move(list)};
  } else {
    static_assert(Described<T>);
    Item item;
    for_each_member<T>([&](const char* name, auto member) {
      if (auto attribute = attribute_of(value.*member)) item.emplace(name, std::move(*attribute));
    });
    return Attribute{std::move(item)};
  }
}

// Into a member. What is of another type, or an enumerator that nobody knows, leaves it as it is, and the
// answer is false: items may be written by others, and one strange attribute must not hide a record.
template <class T>
bool read_attribute(T& out, const Attribute& attribute) {
  if constexpr (std::is_same_v<T, bool>) {
    const bool* found = std::get_if<bool>(&attribute.value);
    if (found) out = *found;
    return found != nullptr;
  } else if constexpr (DescribedEnum<T>) {
    auto name = text_of(attribute);
    auto found = name ? enum_from<T>(*name) : std::nullopt;
    if (found) out = *found;
    return found.has_value();
  } else if constexpr (std::is_floating_point_v<T>) {
    auto found = number_of(attribute);
    if (found) out = static_cast<T>(*found);
    return found.has_value();
  } else if constexpr (std::is_integral_v<T>) {
    auto found = integer_of(attribute);
    if (found) out = static_cast<T>(*found);
    return found.has_value();
  } else if constexpr (std::is_same_v<T, std::string>) {
    const auto* found = std::get_if<std::string>(&attribute.value);
    if (found) out = *found;
    return found != nullptr;
  } else if constexpr (OptionalOf<T>::value) {
    if (std::holds_alternative<Attribute::Null>(attribute.value)) {
      out.reset();
      return true;
    }
    typename OptionalOf<T>::Value value{};
    if (!read_attribute(value, attribute)) return false;
    out = std::move(value);
    return true;
  } else if constexpr (VectorOf<T>::value) {
    T found;
    bool is_whole = true;
    if (const auto* set = std::get_if<Attribute::Strings>(&attribute.value)) {
      for (const auto& entry : set->items)
        is_whole = read_attribute(found.emplace_back(), Attribute{entry}) && is_whole;
    } else if (const auto* list = std::get_if<Attribute::List>(&attribute.value)) {
      for (const auto& entry : *list) is_whole = read_attribute(found.emplace_back(), entry) && is_whole;
    } else {
      return false;
    }
    out = std::move(found);
    return is_whole;
  } else {
    static_assert(Described<T>);
    const auto* item = std::get_if<Item>(&attribute.value);
    if (!item) return false;
    read_item(out, *item);
    return true;
  }
}

// Into the struct's members that the item has, by their names.
template <Described T>
void read_item(T& out, const Item& item) {
  for_each_member<T>([&](const char* name, auto member) {
    if (const auto* attribute = find(item, name)) read_attribute(out.*member, *attribute);
  });
}

// The described struct as an item.
template <Described T>
Item item_of(const T& value) {
  return std::get<Item>(attribute_of(value)->value);
}

}  // namespace segments::dynamodb

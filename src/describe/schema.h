// The JSON Schema (2020-12, as OpenAPI 3.1 uses it) of a described struct, from the same description and
// rules that decode and check it.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "describe/decode.h"

namespace segments {

namespace detail {
enum class SchemaOf { string, number, array, other };
void add_rule(boost::json::object& schema, const Rule&, SchemaOf);
}  // namespace detail

// `strict` schemas (of bodies that are decoded) refuse further members.
template <class T>
boost::json::object schema_of(const Rule& rule = {}, bool strict = false) {
  namespace json = boost::json;
  json::object schema;
  if constexpr (OptionalOf<T>::value || PatchOf<T>::value) {
    using Value = typename std::conditional_t<OptionalOf<T>::value, OptionalOf<T>, PatchOf<T>>::Value;
    schema = schema_of<Value>(rule, strict);
    if (auto* type = schema.if_contains("type"); type && type->is_string())
      schema["type"] = json::array{*type, "null"};
    if (auto* values = schema.if_contains("enum")) values->as_array().push_back(nullptr);
    return schema;
  } else if constexpr (std::is_same_v<T, bool>) {
    schema["type"] = "boolean";
    detail::add_rule(schema, rule, detail::SchemaOf::other);
  } else if constexpr (std::is_same_v<T, RawJson>) {
    detail::add_rule(schema, rule, detail::SchemaOf::other);  // any JSON
  } else if constexpr (DescribedEnum<T>) {
    schema["type"] = "string";
    json::array values;
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>(
        [&](auto e) { values.push_back(e.name); });
    schema["enum"] = std::move(values);
    detail::add_rule(schema, rule, detail::SchemaOf::other);
  } else if constexpr (std::is_integral_v<T>) {
    schema["type"] = "integer";
    detail::add_rule(schema, rule, detail::SchemaOf::number);
  } else if constexpr (std::is_floating_point_v<T>) {
    schema["type"] = "number";
    detail::add_rule(schema, rule, detail::SchemaOf::number);
  } else if constexpr (std::is_same_v<T, std::string>) {
    schema["type"] = "string";
    detail::add_rule(schema, rule, detail::SchemaOf::string);
  } else if constexpr (VectorOf<T>::value) {
    schema["type"] = "array";
    Rule of_items = rule;
    of_items.about = nullptr;
    schema["items"] = schema_of<typename VectorOf<T>::Value>(of_items, strict);
    detail::add_rule(schema, rule, detail::SchemaOf::array);
  } else if constexpr (requires { typename T::mapped_type; }) {
    schema["type"] = "object";
    schema["additionalProperties"] = schema_of<typename T::mapped_type>(rule, strict);
  } else {
    static_assert(Described<T>);
    json::object properties;
    json::array required;
    for_each_member<T>([&](const char* name, auto member) {
      using Member = std::remove_cvref_t<decltype(std::declval<T&>().*member)>;
      Rule member_rule = rule_of(Describes<T>{}, name);
      auto& property = (properties[name] = schema_of<Member>(member_rule, strict)).get_object();
      if constexpr (!PatchOf<Member>::value)
        if (strict && member_rule.defaulted) property["default"] = parse_json(encode(T{}.*member));
      bool may_miss =
          strict ? OptionalOf<Member>::value || PatchOf<Member>::value || member_rule.defaulted : false;
      if (!may_miss) required.push_back(name);
    });
    schema["type"] = "object";
    schema["properties"] = std::move(properties);
    if (!required.empty()) schema["required"] = std::move(required);
    if (strict) schema["additionalProperties"] = false;
  }
  return schema;
}

}  // namespace segments

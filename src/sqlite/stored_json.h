// JSON that this program stored itself, read back without the rules that a caller's input has to obey: a rule
// that is made stricter later must not make stored records unreadable.
#pragma once

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string_view>

#include "base/error.h"
#include "describe/decode.h"
#include "describe/members.h"
#include "sqlite/printed_json.h"

namespace segments::sqlite {

template <class T>
void read_stored(T& out, const boost::json::value& json) {
  if constexpr (OptionalOf<T>::value) {
    if (json.is_null())
      out.reset();
    else
      read_stored(out.emplace(), json);
  } else if constexpr (DescribedEnum<T>) {
    if (auto value = enum_from<T>(std::string_view(json.as_string()))) out = *value;
  } else if constexpr (std::is_same_v<T, bool>) {
    out = json.as_bool();
  } else if constexpr (std::is_arithmetic_v<T>) {
    out = json.to_number<T>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    out = json.as_string();
  } else if constexpr (VectorOf<T>::value) {
    const auto& array = json.as_array();
    out.resize(array.size());
    for (std::size_t i = 0; i < array.size(); ++i) read_stored(out[i], array[i]);
  } else {
    static_assert(Described<T>);
    const auto& object = json.as_object();
    // A member that was described after the record was stored keeps its initial value.
    for_each_member<T>([&](const char* name, auto member) {
      if (const auto* value = object.if_contains(name)) read_stored(out.*member, *value);
    });
  }
}

// Whether these are texts, and encode() would write them as this very JSON: all ASCII and none with an
// escape, as most tags are.
inline bool are_plain_texts(std::string_view json) {
  if (!json.starts_with("[\"") || !json.ends_with("\"]")) return false;
  if (std::ranges::any_of(json, [](char c) { return c == '\\' || static_cast<signed char>(c) < 0x20; }))
    return false;
  for (json.remove_prefix(2);;) {
    const auto end = json.find('"');
    if (end == json.npos) return false;
    json.remove_prefix(end + 1);
    if (json == "]") return true;
    if (!json.starts_with(",\"")) return false;
    json.remove_prefix(2);
  }
}

template <class T>
void read_stored(T& out, std::string_view text) {
  out = {};
  if (text.empty() || text == "[]") return;
  if (PrintedJson::read_all(out, text)) return;
  out = {};
  try {
    read_stored(out, parse_json(text));
  } catch (const std::exception&) {
    throw Error(ErrorKind::internal, "A stored record is not readable.");
  }
}

}  // namespace segments::sqlite

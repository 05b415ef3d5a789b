// From a described struct straight to JSON text, without a tree between. Members come in the order of their
// description; std::nullopt is null; numbers are printed by std::to_chars (shortest form that reads back the
// same).
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <string>
#include <string_view>

#include "describe/members.h"
#include "describe/text_sink.h"

namespace segments {

// All of this header writes to a std::string or, where much is written, to a TextSink.

// Quoted and escaped. Bytes that are not UTF-8 become U+FFFD, so that the output is JSON whatever comes in.
void encode_string(std::string& out, std::string_view);
void encode_string(TextSink& out, std::string_view);

// JSON that is already text and is put in as it is.
struct RawJson {
  std::string text = "null";
  bool operator==(const RawJson&) const = default;
};

namespace detail {

// `,"name":` as an array of known size (`{` instead of the comma before the first), so that writing it is one
// small copy.
template <class Member, bool first>
constexpr auto piece_of() {
  constexpr std::string_view name(Member::name);
  std::array<char, name.size() + 4> piece{};
  piece[0] = first ? '{' : ',';
  piece[1] = '"';
  std::copy(name.begin(), name.end(), piece.begin() + 2);
  piece[name.size() + 2] = '"';
  piece[name.size() + 3] = ':';
  return piece;
}

template <class Member, bool first>
inline constexpr auto piece = piece_of<Member, first>();

// Finite, and not zero: the shortest text that reads back the same.
void append_number(std::string& out, double);
void append_number(TextSink& out, double);

}  // namespace detail

// The object with each member's name, its value written by `encode_member(member_pointer)`.
template <class T, class Out, class F>
void encode_each_member(Out& out, F&& encode_member) {
  using Members = MembersOf<T>;
  if constexpr (boost::mp11::mp_empty<Members>::value) out += '{';
  boost::mp11::mp_for_each<boost::mp11::mp_iota<boost::mp11::mp_size<Members>>>([&](auto i) {
    using Member = boost::mp11::mp_at<Members, decltype(i)>;
    constexpr const auto& piece = detail::piece<Member, i == 0>;
    out.append(piece.data(), piece.size());
    encode_member(Member::pointer);
  });
  out += '}';
}

// The same of a value, written by `encode_value(member_pointer, value)`.
template <class Out, class T, class F>
void encode_members(Out& out, const T& value, F&& encode_value) {
  encode_each_member<T>(out, [&](auto member) { encode_value(member, value.*member); });
}

template <class Out, class T>
void encode(Out& out, const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::is_same_v<T, RawJson>) {
    out += value.text;
  } else if constexpr (DescribedEnum<T>) {
    encode_string(out, name_of(value));
  } else if constexpr (std::is_arithmetic_v<T>) {
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(value)) {
        out += "null";
        return;
      }
      if (value == 0) {
        out += '0';  // the sign of zero would not come back from a reader of integers
        return;
      }
      if constexpr (std::is_same_v<T, double>) return detail::append_number(out, value);
    }
    char digits[32];
    auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    out.append(digits, end);
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    encode_string(out, value);
  } else if constexpr (OptionalOf<T>::value) {
    if (value)
      encode(out, *value);
    else
      out += "null";
  } else if constexpr (VectorOf<T>::value) {
    out += '[';
    bool first = true;
    for (const auto& item : value) {
      if (!first) out += ',';
      first = false;
      encode(out, item);
    }
    out += ']';
  } else if constexpr (requires { typename T::mapped_type; }) {
    out += '{';
    bool first = true;
    for (const auto& [key, item] : value) {
      if (!first) out += ',';
      first = false;
      encode_string(out, key);
      out += ':';
      encode(out, item);
    }
    out += '}';
  } else {
    static_assert(Described<T>,
                  "only described structs, numbers, strings, optionals, vectors and maps are encoded");
    encode_members(out, value, [&](auto, const auto& member) { encode(out, member); });
  }
}

template <class T>
std::string encode(const T& value) {
  std::string out;
  TextSink sink(out);
  encode(sink, value);
  sink.end();
  return out;
}

}  // namespace segments

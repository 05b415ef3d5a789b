// JSON as encode() prints it, read back without a tree between: members in their order, nothing between them,
// texts without escapes. All else, such as what an older version has printed, is for who builds the tree.
#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <type_traits>

#include "describe/encode.h"
#include "describe/members.h"

namespace segments::sqlite {

class PrintedJson {
 public:
  // False where it is of another form; `out` may then have been written to.
  template <class T>
  static bool read_all(T& out, std::string_view text) {
    PrintedJson json(text);
    return json.read(out) && json.rest_.empty();
  }

 private:
  explicit PrintedJson(std::string_view text) : rest_(text) {}

  bool take(std::string_view expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }
  bool take_text(std::string_view& text) {
    if (!take("\"")) return false;
    const auto end = rest_.find('"');
    if (end == rest_.npos) return false;
    text = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return text.find('\\') == text.npos;
  }
  template <class T>
  bool read(T& out) {
    if constexpr (OptionalOf<T>::value) {
      if (!take("null")) return read(out.emplace());
      out.reset();
      return true;
    } else if constexpr (DescribedEnum<T>) {
      std::string_view name;
      if (!take_text(name)) return false;
      const auto value = enum_from<T>(name);
      if (value) out = *value;
      return value.has_value();
    } else if constexpr (std::is_same_v<T, std::string>) {
      std::string_view text;
      if (!take_text(text)) return false;
      out = text;
      return true;
    } else if constexpr (VectorOf<T>::value) {
      return read_items(out);
    } else if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
      return read_number(out);
    } else if constexpr (Described<T>) {
      return read_members(out);
    } else {
      return false;
    }
  }
  // from_chars() takes more than JSON knows, such as 01.
  template <class T>
  bool read_number(T& out) {
    const auto end = std::from_chars(rest_.data(), rest_.data() + rest_.size(), out).ptr;
    std::string printed;
    encode(printed, out);
    return end == rest_.data() + printed.size() && take(printed);
  }
  template <class T>
  bool read_items(T& out) {
    if (!take("[")) return false;
    if (take("]")) return true;
    do {
      if (!read(out.emplace_back())) return false;
    } while (take(","));
    return take("]");
  }
  template <class T>
  bool read_members(T& out) {
    using Members = MembersOf<T>;
    if (boost::mp11::mp_empty<Members>::value) return false;
    bool is_read = true;
    boost::mp11::mp_for_each<boost::mp11::mp_iota<boost::mp11::mp_size<Members>>>([&](auto i) {
      using Member = boost::mp11::mp_at<Members, decltype(i)>;
      constexpr const auto& piece = detail::piece<Member, i == 0>;
      is_read = is_read && take({piece.data(), piece.size()}) && read(out.*Member::pointer);
    });
    return is_read && take("}");
  }

  std::string_view rest_;
};

}  // namespace segments::sqlite

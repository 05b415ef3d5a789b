// A walk over a described struct's members: for_each_member<T>([](const char* name, auto member_pointer)
// {…}).
#pragma once

#include <boost/describe.hpp>
#include <boost/mp11/algorithm.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "describe/patch.h"

namespace segments {

template <class T>
concept Described = boost::describe::has_describe_members<T>::value && !std::is_union_v<T>;
template <class T>
concept DescribedEnum = boost::describe::has_describe_enumerators<T>::value;

template <Described T>
using MembersOf =
    boost::describe::describe_members<T, boost::describe::mod_public | boost::describe::mod_inherited>;

template <Described T, class F>
void for_each_member(F&& f) {
  boost::mp11::mp_for_each<MembersOf<T>>([&](auto member) { f(member.name, member.pointer); });
}

template <class T>
struct OptionalOf : std::false_type {};
template <class T>
struct OptionalOf<std::optional<T>> : std::true_type {
  using Value = T;
};
template <class T>
struct PatchOf : std::false_type {};
template <class T>
struct PatchOf<Patch<T>> : std::true_type {
  using Value = T;
};
template <class T>
struct VectorOf : std::false_type {};
template <class T>
struct VectorOf<std::vector<T>> : std::true_type {
  using Value = T;
};

// The name of an enumerator, which is its wire name.
template <DescribedEnum E>
const char* name_of(E value) {
  return boost::describe::enum_to_string(value, "?");
}
template <DescribedEnum E>
std::optional<E> enum_from(std::string_view name) {
  std::optional<E> found;
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>([&](auto enumerator) {
    if (name == enumerator.name) found = enumerator.value;
  });
  return found;
}
template <DescribedEnum E>
std::string names_of() {
  std::string names;
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>([&](auto enumerator) {
    if (!names.empty()) names += ", ";
    names += enumerator.name;
  });
  return names;
}

}  // namespace segments

// A member of an update: left out (the stored value stays), null (it is cleared), or a new value.
#pragma once

#include <optional>
#include <utility>

namespace segments {

template <class T>
struct Patch {
  bool given = false;
  std::optional<T> value;  // with given: empty clears

  void apply_to(std::optional<T>& stored) const {
    if (given) stored = value;
  }
  void apply_to(T& stored) const {
    if (given) stored = value ? *value : T{};
  }
};

}  // namespace segments

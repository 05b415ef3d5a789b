// Object keys as this room takes them, and how the directory store lays them out as paths.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace segments {

// Throws Error{invalid} unless base/object_key.h takes the key.
void check_object_key(std::string_view key);

// A key as a relative path that people can read, one to one: the last part keeps its name, folders get a `+`
// behind theirs, so that "a" and "a/b" are both there ("a" and "a+/b"). `%` and a last part's closing `+` are
// escaped as in URLs; a part longer than file names may be goes on in a folder that ends with `%~`.
std::string path_of_key(std::string_view key);
// The folder part alone, of a text that ends with `/` or is empty: "a/b/" gives "a+/b+/".
std::string path_of_folder(std::string_view folder);

// One name of a directory, read back.
struct KeyName {
  enum class Kind { object, folder, beginning };  // beginning: of a long part that goes on within
  Kind kind = Kind::object;
  std::string text;  // unescaped, without the mark; of a folder or an object
};
std::optional<KeyName> parse_key_name(
    std::string_view name);  // std::nullopt: not a name that path_of_key makes

}  // namespace segments

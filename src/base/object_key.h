// What may be the key of an object.
#pragma once

#include <string_view>

namespace segments {

// nullptr, or what is allowed: 1-900 bytes of UTF-8, parts between slashes that are neither empty nor . nor
// .., no backslash, no control character.
const char* fault_of_object_key(std::string_view);

}  // namespace segments

// Bytes of one version of an object. Where the connection breaks within them, reading goes on at the byte
// where it broke, and only of the same version.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "s3/bucket.h"

namespace segments::s3 {

// `length` bytes (at least 1) from `offset`, fewer at the end, none beyond it. Throws Error{not_found}, and
// Error{unavailable} where it broke without any progress, or the object was replaced again and again.
std::string read_range(Bucket&, std::string_view key, std::int64_t offset, std::int64_t length);

}  // namespace segments::s3

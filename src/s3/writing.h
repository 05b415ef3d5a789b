// How large the parts are in which we put objects ourselves.
#pragma once

#include <cstdint>

namespace segments::s3 {

inline constexpr std::int64_t least_part_bytes = 8 << 20;

// Of a writer that does not know what is still to come: parts grow, so that 10,000 of them hold 300 GiB while
// the first ones, all that most objects have, take little memory.
std::int64_t streamed_part_bytes(int part_number);
// Of a file that is known: in at most 10,000 parts.
std::int64_t file_part_bytes(std::int64_t size);

}  // namespace segments::s3

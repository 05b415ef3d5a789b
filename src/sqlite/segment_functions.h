// SQL functions that filter segments: has_tags(tags, wanted), both JSON arrays of strings as encode() writes
// them, and matches(needle, text...), whether one of the texts contains the needle, whose case fold_case()
// has folded.
#pragma once

#include <string_view>

#include "sqlite/connection.h"

namespace segments::sqlite {

void add_segment_functions(Connection&);
bool has_all_tags(std::string_view tags, std::string_view wanted);

}  // namespace segments::sqlite

// How many segments a user has, kept in an item of its own, since DynamoDB would have to read them all to
// tell. It is changed after a segment came or went, so that whoever is killed between the two leaves it
// wrong, and so does who writes segments without knowing of it: now and then it is counted anew from the
// index.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/time.h"
#include "dynamodb/table.h"

namespace segments::dynamodb {

// Repeated never: where that is not certain it is left to the next counting. `now` throughout: since 1970.
void add_to_count(Table&, std::string_view user_id, int change, Millis now);

// Counts anew when nobody has yet, or ten minutes after that was done and when nothing has changed for a
// minute; a minute after it was done while something was changing, because the index may not have known yet.
std::int64_t count_segments(Table&, std::string_view user_id, Millis now);

}  // namespace segments::dynamodb

// One item out of the text of DynamoDB's answer, without the tree of its JSON between: most answers hold an
// item and nothing else that is read.
#pragma once

#include <string_view>

#include "dynamodb/item.h"

namespace segments::dynamodb {

// The answer's member ("Item", "Attributes") of that name; empty where it has none. Throws Error{unavailable}
// for what is no such answer, as decode_item() does.
Item parse_item_in(std::string_view answer, std::string_view member);

}  // namespace segments::dynamodb

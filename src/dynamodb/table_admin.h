// Makes the table, and says how one that is there differs from what we need.
#pragma once

#include <functional>
#include <optional>

#include "dynamodb/table.h"
#include "dynamodb/table_check.h"

namespace segments::dynamodb {

bool has_table(Table&);

// What DynamoDB says of the table; std::nullopt where there is none.
std::optional<TableAnswers> describe_table(Table&);

struct Creation {
  bool is_new = false;                    // else it was there before
  std::vector<Difference> differences{};  // of what is there now
};
// Makes the table unless there is one, waits until it and its indexes are ready, and switches expiry and
// point-in-time recovery on where they are off; so whoever was killed half-way starts it again. A table that
// is there and differs in what is needed is left as it is. `wait` sleeps between two looks.
Creation create_table(Table&, const std::function<void(Millis)>& wait = {});

}  // namespace segments::dynamodb

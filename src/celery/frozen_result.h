// What a signature's result will be, before it has run: as Celery nests it in the children of the task that
// sends it. A task is [[id, parent], null], a group [[id, parent], [member, …]], each parent such a result or
// null.
#pragma once

#include "celery/json.h"

namespace segments::celery {

Json task_result(std::string_view id);
Json group_result(std::string_view id, std::vector<Json> members);
// Gives all tasks of a signature the ids that they will have, and tells its result: of a chain that of its
// last step, with those before it as parents; of a chord that of its body. Throws UnusableSignature.
Json freeze(Json& signature);

}  // namespace segments::celery

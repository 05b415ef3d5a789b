// `segments admin table …`: the cloud's table, for whoever runs the service.
#pragma once

#include <ostream>
#include <string>

#include "app/config.h"
#include "dynamodb/table.h"

namespace segments {

// Throws Error{not_found} where there is no such table, Error{conflict} where it lacks something that is
// needed.
void require_our_table(dynamodb::Table&);

// The definition as one JSON document. Asks nobody.
int show_table(const Config&, std::ostream&);
// Makes the table, unless there is one, and says how it differs from the definition. The exit code: 1 where
// something that is needed is otherwise.
int make_table(const Config&, std::ostream&);
// Says every difference of the table that is there; exit code as above.
int verify_table(const Config&, std::ostream&);
// Copies the earlier service's table into ours. The exit code: 1 where anything is missing at the end, or
// still changes.
int migrate_table(const Config&, const std::string& old_name, std::ostream&);

}  // namespace segments

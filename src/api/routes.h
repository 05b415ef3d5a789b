// The whole HTTP interface: one table. Handlers get the request and the services and nothing else.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "http/router.h"
#include "services/services.h"

namespace segments {

// The router of the whole interface. Keeps references to the services.
std::unique_ptr<Router> make_router(Services&);
// The OpenAPI 3.1 document, walked from the route table.
std::string make_openapi();

}  // namespace segments

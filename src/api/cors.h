// What every answer carries, errors too: CORS, and what follows from its status.
#pragma once

#include "http/request.h"
#include "http/response.h"
#include "services/services.h"

namespace segments {

// The router's decorate hook.
void decorate(const Request&, Response&, const ServiceSettings&);

}  // namespace segments

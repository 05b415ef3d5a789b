// application/problem+json (RFC 9457) for what goes wrong before or outside a handler.
#pragma once

#include <string_view>
#include <vector>

#include "base/error.h"
#include "http/request.h"
#include "http/response.h"

namespace segments::http {

// `type` is about:blank, so `title` is the status's phrase; `code` of the faults says the rest to machines.
Response problem(int status, std::string_view detail, const Request&, const std::vector<Fault>& faults = {});

}  // namespace segments::http

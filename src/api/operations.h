// What those who run the service look at: is it alive, is it ready, its figures, its description; and single
// tasks.
#pragma once

#include <boost/describe.hpp>
#include <string>

#include "api/api.h"
#include "http/request.h"
#include "http/response.h"

namespace segments {

Response get_health(const Request&, Services&);   // GET /health, /api/health
Response get_ready(const Request&, Api&);         // GET /ready
Response get_metrics(const Request&, Services&);  // GET /metrics
Response get_openapi(const Request&, Services&);  // GET /openapi.json
Response get_docs(const Request&, Services&);     // GET /docs
Response get_task(const Request&, Services&);     // GET /api/tasks/{task_id}

// Gauges that are read when metrics are printed: the queue, this process. `services` outlives the metrics'
// last print.
void add_process_metrics(Services& services);

struct Health {
  std::string status = "ok";
};
BOOST_DESCRIBE_STRUCT(Health, (), (status))

}  // namespace segments

// Where kombu's producers put a message that is sent to an exchange by name: the bindings are in Redis.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "celery/message.h"
#include "redis/client.h"

namespace segments::celery {

// The queues that are bound to it for that routing key: by the key itself, or by a topic's pattern. Their
// order is any; empty where nothing fits.
std::vector<std::string> find_bound_queues(redis::Client&, std::string_view exchange,
                                           std::string_view routing_key);

// Each message that is to go to an exchange becomes one for each of its queues. Where no binding leads
// anywhere kombu would lose it: it goes to the queue that its routing key names.
void resolve_exchanges(redis::Client&, std::vector<TaskMessage>&);

}  // namespace segments::celery

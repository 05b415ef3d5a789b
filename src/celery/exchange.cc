#include "celery/exchange.h"

#include "celery/keys.h"
#include "celery/name_match.h"

namespace segments::celery {

std::vector<std::string> find_bound_queues(redis::Client& redis, std::string_view exchange,
                                           std::string_view routing_key) {
  std::vector<std::string> queues;
  for (const auto& member : redis.ask({"SMEMBERS", keys::binding(exchange)}).items) {
    std::string_view text = member.text;
    auto first = text.find(keys::separator), last = text.rfind(keys::separator);
    if (first == text.npos || last == first) continue;
    auto pattern = text.substr(first + keys::separator.size(), last - first - keys::separator.size());
    auto queue = text.substr(last + keys::separator.size());
    bool fits =
        text.substr(0, first) == routing_key || (!pattern.empty() && matches_regex(routing_key, pattern));
    if (fits && !queue.empty()) queues.emplace_back(queue);
  }
  return queues;
}

void resolve_exchanges(redis::Client& redis, std::vector<TaskMessage>& messages) {
  std::vector<TaskMessage> resolved;
  bool has_exchange = false;
  for (const auto& message : messages) has_exchange = has_exchange || !message.exchange.empty();
  if (!has_exchange) return;
  for (auto& message : messages) {
    if (message.exchange.empty()) {
      resolved.push_back(std::move(message));
      continue;
    }
    auto queues = find_bound_queues(redis, message.exchange, message.routing_key);
    if (queues.empty()) queues.push_back(message.routing_key);
    for (auto& queue : queues) {
      resolved.push_back(message);
      resolved.back().exchange.clear();
      resolved.back().routing_key = std::move(queue);
    }
  }
  messages = std::move(resolved);
}

}  // namespace segments::celery

#include "celery_control/mingle.h"

#include "celery/envelope.h"
#include "celery/keys.h"

namespace segments::celery {

void Mingle::begin(redis::Client& redis, const std::string& node, const std::vector<std::string>& revoked,
                   std::int64_t clock) {
  open_ = false;
  oid_ = make_uuid();
  ticket_ = make_uuid();
  ControlRequest request;
  request.method = "hello";
  request.arguments = Json::object({{"from_node", node}, {"revoked", Json::texts(revoked)}});
  request.ticket = ticket_;
  request.reply_exchange = keys::reply_exchange;
  request.reply_routing_key = oid_;
  request.clock = clock;
  auto replies = redis.ask_all(std::vector<redis::Command>{
      {"SADD", keys::binding(keys::reply_exchange), keys::binding_member(oid_, keys::reply_queue(oid_))},
      {"PUBLISH", keys::control_channel(redis.url().db), encode_control_request(request)},
  });
  missing_ = replies[1].integer;  // how many heard it, this node among them
  until_ = steady_ms() + patience_ms;
  open_ = true;
}

std::vector<ControlReply> Mingle::poll(redis::Client& redis) {
  std::vector<ControlReply> answers;
  if (!open_) return answers;
  try {
    constexpr int together = 8;
    while (missing_ > 0) {
      auto raw = redis.ask_all(
          std::vector<redis::Command>(together, redis::Command{"RPOP", keys::reply_queue(oid_)}));
      for (const auto& one : raw) {
        if (one.is_nil()) continue;
        --missing_;
        if (auto reply = decode_control_reply(one.text); reply && reply->ticket == ticket_)
          answers.push_back(std::move(*reply));
      }
      if (raw.back().is_nil()) break;
    }
    if (missing_ <= 0 || steady_ms() >= until_) close(redis);
  } catch (...) {
    open_ = false;
    throw;
  }
  return answers;
}

void Mingle::close(redis::Client& redis) {
  open_ = false;
  redis.ask_all(std::vector<redis::Command>{
      {"SREM", keys::binding(keys::reply_exchange), keys::binding_member(oid_, keys::reply_queue(oid_))},
      {"DEL", keys::reply_queue(oid_)},
  });
}

}  // namespace segments::celery

// How the node joins the cluster, what it hears of its peers, and how it leaves.
#include "base/log.h"
#include "celery_control/node.h"

namespace segments::celery {

// At the start, and again whenever Redis had been away: what was published meanwhile is gone.
void Node::join_cluster() {
  redis_.ask_all(std::vector<redis::Command>{
      {"SADD", keys::binding(keys::control_exchange),
       keys::binding_member("", keys::control_queue(hooks_.node))},
      print_worker(WorkerEvent::online),
  });
  join_is_due_ = false;
  mingle_.begin(redis_, hooks_.node, hooks_.revoked.list(), desk_.clock.forward());
}

void Node::take_event(std::string_view raw) {
  for (const auto& event : decode_events(raw)) {
    if (event.node == hooks_.node) continue;
    desk_.clock.adjust(event.clock);
    if (event.type != "worker-elect") continue;
    // An election counts every node that is alive; this one stands for none. A Python worker that has counted
    // all of them and knows of one candidate alone dies (kombu's sort_heap).
    auto id = event.fields.text_of("id");
    if (id.empty() || !has_rival(id, event.node)) continue;
    auto answer = worker_elect_ack(source(), id);
    redis_.ask({"PUBLISH", keys::event_channel(redis_.url().db, answer.type), encode_event(answer)});
  }
}

bool Node::has_rival(const std::string& election, const std::string& candidate) {
  for (const auto& [id, first] : elections_)
    if (id == election) return first != candidate;
  constexpr std::size_t most_elections = 100;
  if (elections_.size() >= most_elections) elections_.pop_front();
  elections_.emplace_back(election, candidate);
  return false;
}

void Node::mingle() {
  for (const auto& answer : mingle_.poll(redis_)) {
    desk_.clock.adjust(answer.clock);
    for (const auto& [node, payload] : answer.nodes) {
      if (node == hooks_.node || !payload.is_object()) continue;
      desk_.clock.adjust(payload.at("clock").integer().value_or(0));
      auto ids = texts_in(payload, "revoked");
      // Python's map is of times on the peer's own clock, which say nothing here.
      for (const auto& [id, times] : payload.at("revoked").members()) ids.push_back(id);
      log_info("celery.peer_found", {{"node", node}, {"revoked", ids.size()}});
      desk_.hear(ids);
    }
  }
  if (desk_.has_revoked()) drop_revoked();
  if (mingle_.is_open()) return;
  has_mingled_ = true;
  mingled_.ring();
}

void Node::leave_cluster() {
  for (std::size_t sent = 0; sent < EventBuffer::most && hooks_.buffer.due(); sent += EventBuffer::batch)
    publish_tasks();
  redis_.ask_all(std::vector<redis::Command>{
      {"SREM", keys::binding(keys::control_exchange),
       keys::binding_member("", keys::control_queue(hooks_.node))},
      print_worker(WorkerEvent::offline),
  });
}

}  // namespace segments::celery

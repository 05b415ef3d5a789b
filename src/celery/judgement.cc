// Which of the messages that were fetched are begun.
#include "celery/judgement.h"

#include "base/log.h"
#include "celery/arguments.h"
#include "celery/celery_queue.h"

namespace segments::celery {

Ending refuse(DeliveryPtr delivery, const PythonException& exception, Millis now) {
  Ending ending{std::move(delivery)};
  ending.kind = Ending::Kind::drop;
  ending.status = "FAILURE";
  ending.error = exception.sentence();
  ending.registered = exception.type != "NotRegistered";
  follow(ending, exception, now);
  put_meta(ending, make_failure(ending.delivery->message.id, exception, "", now));
  return ending;
}

Ending drop_done(DeliveryPtr delivery) {
  Ending ending{std::move(delivery)};
  ending.kind = Ending::Kind::drop;
  ending.status = "SUCCESS";
  return ending;
}

Ending drop_revoked(DeliveryPtr delivery, bool expired, Millis now) {
  const char* why = expired ? "expired" : "revoked";
  Ending ending{std::move(delivery)};
  ending.kind = Ending::Kind::drop;
  ending.status = "REVOKED";
  ending.error = expired ? expired_sentence : "";
  put_meta(ending, make_revoked(ending.delivery->message.id, why, now));
  // Its owner is told of what nobody revoked.
  if (expired) ending.given = encode_given_up(ending.delivery->task(), expired_sentence, false);
  add_chord(ending, ending.delivery->message, "REVOKED", task_revoked(why).json());
  return ending;
}

std::variant<std::string, PythonException> CeleryQueue::bind(const TaskMessage& message) const {
  if (options_.bind) return options_.bind(message);
  const auto* signature = find_task_signature(message.task);
  if (!signature) return not_registered(message.task);
  return bind_arguments(*signature, message.args, message.kwargs);
}

void CeleryQueue::note_received(const Delivery& delivery) {
  // One that was parked here comes again when it is due.
  if (parked_.take(delivery.message.id)) return;
  if (options_.observer.received) options_.observer.received(delivery.message);
}

// In Celery's order: known? expired or revoked? received; eta; rate limit.
void CeleryQueue::judge(std::shared_ptr<Delivery> delivery, Sight sight, Millis at, Judgement& judged) {
  const auto& message = delivery->message;
  auto bound = bind(message);
  if (auto* arguments = std::get_if<std::string>(&bound)) delivery->arguments = std::move(*arguments);
  if (auto* exception = std::get_if<PythonException>(&bound)) {
    log_warning("celery.task_refused",
                {{"task", message.task}, {"task_id", message.id}, {"error", exception->repr()}});
    if (options_.observer.refused) options_.observer.refused(message, *exception);
    judged.dropped.push_back(refuse(std::move(delivery), *exception, at));
    return;
  }
  bool revoked = sight == Sight::revoked;
  bool expired = message.expires && at > *message.expires;
  if (expired || revoked) {
    if (options_.observer.revoked) options_.observer.revoked(message, expired && !revoked);
    judged.dropped.push_back(drop_revoked(std::move(delivery), expired && !revoked, at));
    return;
  }
  note_received(*delivery);
  if (message.eta && *message.eta > at) {
    judged.parked.push_back({std::move(delivery), *message.eta});
  } else if (Millis wait = options_.limit ? options_.limit(message.task) : 0; wait > 0) {
    judged.parked.push_back({std::move(delivery), at + wait});
  } else {
    judged.begun.push_back(delivery);
    if (sight != Sight::begun) judged.late.push_back(std::move(delivery));
  }
}

}  // namespace segments::celery

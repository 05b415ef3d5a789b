// Turns the signatures that a task's end publishes into messages: chains into their first step with the rest
// in it, groups and chords into all their tasks.
#pragma once

#include <vector>

#include "celery/signature.h"

namespace segments::celery {

class Publisher {
 public:
  Publisher(const TaskMessage& parent, Millis now) : parent_(parent), now_(now) {}

  // One signature in all its parts, or with a fault none of them.
  void publish(const Json& signature, const std::vector<Json>& partial, const Json& chain = {});
  // Of several, groups are sent by themselves, and all else as one group: as Celery does it.
  void publish_all(const std::vector<Json>& signatures, const std::vector<Json>& partial);
  FollowUps& out() { return out_; }

 private:
  template <class Step>
  void attempt(Step);
  static void show(std::vector<Json>& children, Json child);
  // Each tells the result that Celery counts among the children of the task that sends it.
  Json expand(Json signature, const std::vector<Json>& partial);
  Json expand_task(Json signature, const std::vector<Json>& partial);
  Json expand_chain(const Json& signature, const std::vector<Json>& partial);
  Json expand_group(const Json& signature, const std::vector<Json>& partial);
  Json expand_chord(const Json& signature, const std::vector<Json>& partial);
  void spend(const TaskMessage&);

  const TaskMessage& parent_;
  Millis now_;
  FollowUps out_;
  std::size_t bytes_ = 0;
};

}  // namespace segments::celery

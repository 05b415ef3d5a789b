// What becomes of the messages of one fetch.
#pragma once

#include <new>
#include <optional>
#include <stdexcept>
#include <vector>

#include "celery/delivery.h"
#include "celery/ending.h"
#include "celery/result.h"

namespace segments::celery {

struct Judgement {
  struct Parked {
    DeliveryPtr delivery;
    Millis due;
  };
  std::vector<DeliveryPtr> begun;  // in their order
  std::vector<DeliveryPtr> late;   // of these: those whose beginning is yet to be recorded
  std::vector<Parked> parked;
  std::vector<Ending> dropped;
};

// Endings of what is not begun.
Ending refuse(DeliveryPtr, const PythonException&, Millis now);  // unknown task, wrong arguments
Ending drop_done(DeliveryPtr);                                   // made good by another run
Ending drop_revoked(DeliveryPtr, bool expired, Millis now);

// What keeps a message from being read although it is one: the memory that it takes. Other messages go on.
template <class F>
std::optional<MessageFault> fault_of(F&& read) {
  try {
    read();
    return std::nullopt;
  } catch (const std::bad_alloc&) {
  } catch (const std::length_error&) {
  }
  return MessageFault{MessageProblem::too_large, "The message takes more memory than there is.", "", ""};
}

}  // namespace segments::celery

// The message of a signature that is one task.
#pragma once

#include "celery/message.h"

namespace segments::celery {

// As the task that ended, `parent`, sends it. Throws UnusableSignature.
TaskMessage make_follow_up(const Json& signature, const TaskMessage& parent, Millis now);

}  // namespace segments::celery

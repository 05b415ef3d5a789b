// Completing an upload stores the video and then queues its task, in two files: whoever dies in between
// leaves a video that waits for a task that nobody queued. A queue that others use may lose a message, and a
// task that another program's worker failed has told nobody here of it.
#pragma once

#include "services/services.h"

namespace segments {

// Queues the tasks of videos that wait since a few seconds before `now` and that the queue does not know; how
// many. Those whose tasks failed or were revoked are given up.
int queue_forgotten_videos(Services&, Millis now);

}  // namespace segments

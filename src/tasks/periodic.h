// What is to be done by itself, at any time and again at any time, whatever queue carries it: reading the
// counts of followed posts, and what nobody waits for. When it is done, and by whom, is not known here.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "services/services.h"
#include "tasks/sync_social_media_metrics.h"

namespace segments {

inline constexpr std::size_t most_syncs_of_a_round = 1'000;

// The same for everybody who finds the segment's posts due since then, so that they are queued once.
std::string due_sync_id(const SyncMetrics&, Millis due_at);

// Queues a sync for each segment and platform with posts that are due at `now`, for at most `most` posts, the
// longest due first; how many tasks. It is done in steps of which each may be done again; before each it asks
// `may_go_on`. Nothing in the way of what users wait for: the tasks have the last priority, and expire when
// they are due again.
std::int64_t queue_due_syncs(Services&, Millis now, std::size_t most, const std::function<bool()>& may_go_on);

// Videos whose task was never queued, tasks whose lease ended, and results and events that are old.
void sweep(Services&, Millis now);

}  // namespace segments

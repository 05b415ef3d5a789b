// The readings of a segment's posts: an item each, in a partition of the segment's own, by time.
#pragma once

#include <vector>

#include "dynamodb/segment_item.h"
#include "store/segment_store.h"

namespace segments::dynamodb {

// Of the same reading it is the same item.
Item make_history_item(const StoredSegment&, const HistoryEntry&);
std::vector<HistoryEntry> list_history(Table&, const StoredSegment&, std::size_t limit);
// What a killed process leaves of it belongs to no segment: another with the same id has a history of its
// own.
void remove_history(Table&, const StoredSegment&);

}  // namespace segments::dynamodb

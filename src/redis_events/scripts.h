// What the event log asks of Redis, as scripts that run whole or not at all. Their keys: `segments:events`
// first, for read_script() then the index to walk, if any, for append_script() that of the writer, if it may
// ask again.
//
// `segments:events` is a stream with the events, ids "<event id>-0". `segments:events:user:<user id>` and
// `segments:events:job:<job id>` are streams of ids alone, so that an event's data is kept once. Nothing has
// a TTL: the trimming empties and removes the indexes of quiet users, and a server that evicts keys with a
// TTL when its memory is full (volatile-lru) leaves events alone.
#pragma once

#include "redis/client.h"

namespace segments::redis_events {

// type, user, job or "", at, data → the new event's id. With a second key, the hash of a writer, and a lane
// and a number besides: 0, and nothing is done, where that lane has come so far. Numbers only grow, so an
// attempt that was long under way does nothing either.
const redis::Script& append_script();
// after, announce_above, newest, then id, type, user, job or "", at, data of each event → the newest id
// afterwards. Changes nothing where Redis knows fewer than `after`: the events between are missing. Passes
// over what is there.
const redis::Script& copy_script();
// after, limit, "next" or "last", and a user that events of the index must be of, if any → newest id, oldest
// id, events.
const redis::Script& read_script();
// "at" or "id", bound → how many of the oldest events went, at most trimmed_at_once.
const redis::Script& trim_script();
// newest → 1 where everything was removed, 0 where the newest id is another one by now.
const redis::Script& clear_script();

inline constexpr std::int64_t trimmed_at_once = 500;

}  // namespace segments::redis_events

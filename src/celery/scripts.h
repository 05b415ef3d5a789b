// The Lua scripts by which the queue changes its data in Redis: each one step that happens whole or not at
// all. They name their keys themselves (see keys.h), so that no call has to, and take flat lists of
// arguments; where each of them is called the arguments stand in the order in which its text takes them.
// Redis rolls nothing back, so that a script must not fail in its middle: all it is given was checked before.
#pragma once

#include "redis/client.h"

namespace segments::celery {

// What fetch_script() saw of a message; its text has the numbers.
enum class Sight {
  begun = 0,  // recorded as begun
  open = 1,   // it has an eta, expires, or cannot be judged there
  revoked = 2,
  garbage = 3,    // no envelope. This and what follows: kept in segments:garbage until it is buried
  too_large = 4,  // of this and the next only the beginning is given
  too_many_values = 5,
};

const redis::Script& enqueue_script();
const redis::Script& search_script();
const redis::Script& fetch_script();
const redis::Script& settle_script();
const redis::Script& end_script();
const redis::Script& beat_script();
const redis::Script& renew_script();
const redis::Script& revoke_script();
const redis::Script& revoked_script();
const redis::Script& progress_script();
const redis::Script& lease_given_up_script();
const redis::Script& settle_given_up_script();
const redis::Script& bury_script();
const redis::Script& requeue_script();
const redis::Script& remove_letter_script();
const redis::Script& restore_script();
const redis::Script& lose_script();
const redis::Script& adopt_script();
const redis::Script& store_script();
const redis::Script& unlock_script();

}  // namespace segments::celery

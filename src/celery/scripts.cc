// Scripts of tasks that were handed out, and of those who have them.
#include "celery/scripts.h"

#include <string>

#include "celery/script_parts.h"

namespace segments::celery {

// What is decided after a fetch: runs that begin after all, messages that wait in `unacked` until they are
// due, and whose the tasks of others are.
const redis::Script& settle_script() {
  static const redis::Script script(std::string(common_lua) + R"lua(
local now, worker, holder = take(), take(), take()
local runs, begun = {}, {}
for i = 1, take_number() do
  runs[i] = {take(), take(), take(), take()}
  begun[i] = runs[i][2]
end
start(runs, now, worker, holder)
many('ZREM', 'segments:expiring', begun)
for _ = 1, take_number() do
  local tag, id, name, retries = take(), take(), take(), take()
  local due, score, ttl, user = take(), take(), take(), take()
  if call('ZSCORE', 'unacked_index', tag) then
    call('ZREM', 'segments:leases', tag)
    call('HDEL', 'segments:running', tag)
    call('ZADD', 'segments:delayed', due, tag)
    call('ZADD', 'unacked_index', score, tag)
    local key = task_key(id)
    call('HSET', key, 'name', name, 'status', waiting_status(retries), 'retries', retries, 'ready_at', due,
         'worker', '', 'tag', tag)
    if ttl ~= '0' then
      call('HSETNX', key, 'created_at', now)
      call('HSET', key, 'user_id', user)
      call('PEXPIRE', key, ttl)
    end
    wait_again(id, name, retries, due)
  end
end
for _ = 1, take_number() do
  local key, user = task_key(take()), take()
  call('HSET', key, 'user_id', user)
end
write_totals()
return 1
)lua");
  return script;
}

// Answers 1 where leases that have ended are to be taken for ended: somebody lives who could have renewed
// them.
const redis::Script& beat_script() {
  static const redis::Script script(std::string(common_lua) + R"lua(
local now, worker, holder = take(), take(), take()
if worker ~= '' then
  call('ZADD', 'segments:workers', now, worker)
  call('ZADD', 'segments:holders', now, holder)
end
return leases_may_end() and 1 or 0
)lua");
  return script;
}

const redis::Script& renew_script() {
  static const redis::Script script(std::string(common_lua) + R"lua(
local lease_end, score, tags, ids = take(), take(), {}, {}
for i = 1, take_number() do tags[i], ids[i] = take(), take() end
local held, revoked = ask_many('ZMSCORE', 'unacked_index', tags), ask_many('ZMSCORE', 'segments:revoked', ids)
local leases, index, kept = {}, {}, {}
local leased = ask_many('ZMSCORE', 'segments:leases', tags)
for i, tag in ipairs(tags) do
  local stopped = revoked[i] and call('HGET', task_key(ids[i]), 'status') == 'REVOKED'
  kept[i] = held[i] and leased[i] and not stopped and 1 or 0
  if kept[i] == 1 then
    leases[#leases + 1], leases[#leases + 2] = lease_end, tag
    index[#index + 1], index[#index + 2] = score, tag
  end
end
many('ZADD', 'segments:leases', leases)
many('ZADD', 'unacked_index', index)
return kept
)lua");
  return script;
}

const redis::Script& progress_script() {
  static const redis::Script script(std::string(common_lua) + R"lua(
local key, progress, message = task_key(take()), take_number(), take()
local known = call('HMGET', key, 'status', 'progress')
if known[1] ~= 'STARTED' then return 0 end
progress = math.max(progress, tonumber(known[2] or '') or 0)
call('HSET', key, 'progress', string.format('%.17g', progress), 'message_shown', message)
return 1
)lua");
  return script;
}

}  // namespace segments::celery

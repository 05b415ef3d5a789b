// Scripts that queue tasks and hand them out.
#include "celery/scripts.h"

#include <string>

#include "celery/script_parts.h"

namespace segments::celery {

// Answers the ids of those that were known to wait, and whose message was gone.
const redis::Script& enqueue_script() {
  static const redis::Script script(std::string(common_lua) + R"lua(
local now, old, overdue, queue, n = take(), take_number(), take_number(), take(), take_number()
-- Whether the message of a task that waits is nowhere: purged, evicted, or lost by a worker that acknowledges
-- before it runs. Where there is too much to look through it counts as there. A false "gone" only makes it run
-- twice.
local function is_gone(id, tag)
  if tag and call('ZSCORE', 'unacked_index', tag) then return false end
  local places, left = {}, 1000 - call('HLEN', 'unacked')
  for i, priority in ipairs({0, 3, 6, 9}) do
    places[i] = list_key(queue, priority)
    left = left - call('LLEN', places[i])
  end
  if left < 0 then return false end
  local function holds(messages)
    for _, message in ipairs(messages) do
      if string.find(message, '"' .. id .. '"', 1, true) then return true end
    end
  end
  for _, list in ipairs(places) do
    if holds(call('LRANGE', list, 0, -1)) then return false end
  end
  return not holds(call('HVALS', 'unacked'))
end

local lists, pushes, waiting, revoked, again = {}, {}, {}, {}, {}
for _ = 1, n do
  local id, list, message, name, user = take(), take(), take(), take(), take()
  local ready, parent, expires, retries = take(), take(), take(), take()
  local key = task_key(id)
  local known = call('HMGET', key, 'status', 'finished_at', 'ready_at', 'looked_for_at', 'tag', 'name')
  local status, finished = known[1], tonumber(known[2] or '')
  -- A final task is known for as long as its result is kept, whether or not it is gone already.
  local outlived = status and final[status] and finished and finished <= old
  local gone = false
  local since = tonumber(known[4] or known[3] or '')
  if (status == 'PENDING' or status == 'RETRY') and since and since <= overdue then
    gone = is_gone(id, known[5])
    if not gone then call('HSET', key, 'looked_for_at', now) end
  end
  if not status or outlived or gone then
    if gone then
      again[#again + 1] = id
      if call('ZREM', 'segments:waiting', id) == 1 then count(known[6], status, -1) end
    end
    if outlived then
      call('DEL', key, meta_key(id))
      unbury(id)
      forget_given_up(id)
    end
    call('HSET', key, 'name', name, 'user_id', user, 'status', 'PENDING', 'created_at', now, 'ready_at', ready,
         'parent_id', parent, 'retries', retries)
    if gone then call('HDEL', key, 'looked_for_at', 'tag') end
    if expires ~= '0' then
      call('ZADD', 'segments:expiring', expires, id)
      call('HSET', key, 'message', message)
    end
    if parent ~= '' and not gone then
      call('HINCRBY', 'segments:children:' .. parent, 'total', 1)
      call('PERSIST', 'segments:children:' .. parent)
    end
    if not pushes[list] then pushes[list] = {}; lists[#lists + 1] = list end
    table.insert(pushes[list], message)
    waiting[#waiting + 1] = ready
    waiting[#waiting + 1] = id
    revoked[#revoked + 1] = id
    count(name, 'PENDING', 1)
  end
end
for _, list in ipairs(lists) do many('LPUSH', list, pushes[list]) end
many('ZADD', 'segments:waiting', waiting)
many('ZREM', 'segments:revoked', revoked)
write_totals()
return again
)lua");
  return script;
}

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

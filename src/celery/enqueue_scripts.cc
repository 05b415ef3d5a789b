// Scripts that queue tasks, and look for the messages of those that were queued.
#include <string>

#include "celery/script_parts.h"
#include "celery/scripts.h"

namespace segments::celery {

// Answers the ids of those that were known to wait, and whose message was gone; where a key of the queue
// holds no list that key, and nothing was done.
const redis::Script& enqueue_script() {
  static const redis::Script script(std::string(common_lua) + R"lua(
local now, old, overdue, queue, n = take(), take_number(), take_number(), take(), take_number()
for _, list in ipairs(lists_of(queue)) do
  if is_misused(list) then return list end
end
-- Whether the message of a task that waits is nowhere: purged, evicted, or lost by a worker that acknowledges
-- before it runs. nil where there is too much to look through at once: then sweeps look for it (search_script),
-- and `mark` says what they found. A false "gone" only makes it run twice.
local function is_gone(id, tag, mark, ready)
  -- One that JSON may spell otherwise would not be found.
  if string.find(id, '[^%w _.:@/+=-]') or tag and call('ZSCORE', 'unacked_index', tag) then return false end
  if mark and mark == ready then return true end
  local left = 1000 - call('HLEN', 'unacked')
  for _, list in ipairs(lists_of(queue)) do left = left - call('LLEN', list) end
  if left < 0 then
    call('ZADD', 'segments:sought:' .. queue, 'NX', now, id)
    return nil
  end
  local function holds(messages)
    for _, message in ipairs(messages) do
      if string.find(message, '"' .. id .. '"', 1, true) then return true end
    end
  end
  for _, list in ipairs(lists_of(queue)) do
    if holds(call('LRANGE', list, 0, -1)) then return false end
  end
  return not holds(call('HVALS', 'unacked'))
end

local lists, pushes, waiting, revoked, again = {}, {}, {}, {}, {}
for _ = 1, n do
  local id, list, message, name, user = take(), take(), take(), take(), take()
  local ready, parent, expires, retries = take(), take(), take(), take()
  local key = task_key(id)
  local known = call('HMGET', key, 'status', 'finished_at', 'ready_at', 'looked_for_at', 'tag', 'name', 'gone')
  local status, finished = known[1], tonumber(known[2] or '')
  -- A final task is known for as long as its result is kept, whether or not it is gone already.
  local outlived = status and final[status] and finished and finished <= old
  local gone = false
  local since = tonumber(known[4] or known[3] or '')
  if (status == 'PENDING' or status == 'RETRY') and since and since <= overdue then
    gone = is_gone(id, known[5], known[7], known[3])
    if gone == false then
      call('HSET', key, 'looked_for_at', now)
      call('HDEL', key, 'gone')
    end
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
    if gone then call('HDEL', key, 'looked_for_at', 'tag', 'gone') end
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

// Looks on through the queue's lists and `unacked` for the messages of tasks that wait for too long: no more
// than so many messages and bytes at once, from where the last one ended. The ids that the walk has not met
// when it comes to its end, and that were sought when it began, are marked as gone. Answers 0 where there is
// nothing left to do for now.
const redis::Script& search_script() {
  static const redis::Script script(std::string(common_lua) + R"lua(
local now, queue, most, most_bytes = take(), take(), take_number(), take_number()
local sought, walk = 'segments:sought:' .. queue, 'segments:search:' .. queue
if call('EXISTS', sought) == 0 then
  call('DEL', walk)
  return 0
end
local known, lists = call('HMGET', walk, 'since', 'place', 'from'), lists_of(queue)
local since, place, from = known[1] or now, tonumber(known[2] or '') or 1, known[3] or '0'
local seen, bytes = 0, 0
local function is_enough() return seen >= most or bytes >= most_bytes end
-- All that may be the id, so that nothing has to be decoded.
local function see(text)
  seen, bytes = seen + 1, bytes + #text
  for id in string.gmatch(text, '"id"%s*:%s*"([^"]+)"') do
    local key = task_key(id)
    if call('ZREM', sought, id) == 1 and call('EXISTS', key) == 1 then call('HSET', key, 'looked_for_at', now) end
  end
end
-- From the head: what comes in meanwhile moves the others on, so that at most some are seen twice.
while place <= #lists and not is_enough() do
  local step = bytes > 65536 * seen and 1 or math.min(math.max(4, seen), most - seen)
  local page = is_misused(lists[place]) and {} or call('LRANGE', lists[place], from, from + step - 1)
  for _, message in ipairs(page) do see(message) end
  if #page < step then place, from = place + 1, '0' else from = string.format('%.0f', from + step) end
end
-- Last, because messages are taken from the lists to there.
while place == #lists + 1 and not is_enough() do
  local page = call('HSCAN', 'unacked', from, 'COUNT', 50)
  for i = 2, #page[2], 2 do see(page[2][i]) end
  from = page[1]
  if from == '0' then place = place + 1 end
end
if place <= #lists + 1 then
  call('HSET', walk, 'since', since, 'place', place, 'from', from)
  return 1
end
call('DEL', walk)
for _, id in ipairs(call('ZRANGEBYSCORE', sought, '-inf', since)) do
  call('ZREM', sought, id)
  local task = call('HMGET', task_key(id), 'status', 'ready_at')
  if (task[1] == 'PENDING' or task[1] == 'RETRY') and task[2] then call('HSET', task_key(id), 'gone', task[2]) end
end
return call('EXISTS', sought)
)lua");
  return script;
}

}  // namespace segments::celery

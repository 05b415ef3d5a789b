// Scripts of what is left over: given up tasks, dead letters, other people's outcomes and leases.
#include <string>

#include "celery/script_parts.h"
#include "celery/scripts.h"

namespace segments::celery {

// Answers {id, fence, JSON, …}; or {'ended'}, where leases have ended that may have to be told of.
const redis::Script& lease_given_up_script() {
  static const redis::Script script(std::string(common_lua) + R"lua(
local now, lease_end, most, out = take(), take(), take(), {}
if #call('ZRANGEBYSCORE', 'segments:leases', '-inf', now, 'LIMIT', 0, 1) > 0 and leases_may_end() then
  return {'ended'}
end
for _, id in ipairs(call('ZRANGEBYSCORE', 'segments:given_up', '-inf', now, 'LIMIT', 0, most)) do
  local item = call('HGET', 'segments:given_up:items', id)
  local json = item and string.match(item, '^%d+ (.*)$')
  if json then
    local fence = string.format('%.0f', call('INCR', 'segments:fence'))
    call('ZADD', 'segments:given_up', lease_end, id)
    call('HSET', 'segments:given_up:items', id, fence .. ' ' .. json)
    out[#out + 1], out[#out + 2], out[#out + 3] = id, fence, json
  else
    forget_given_up(id)
  end
end
return out
)lua");
  return script;
}

const redis::Script& settle_given_up_script() {
  static const redis::Script script(std::string(common_lua) + R"lua(
local id, fence = take(), take()
local item = call('HGET', 'segments:given_up:items', id)
if not item or string.match(item, '^%d+') ~= fence then return 0 end
forget_given_up(id)
return 1
)lua");
  return script;
}

// A message that is never run: out of `unacked` (tag) and out of segments:garbage (fence), kept as a dead
// letter.
const redis::Script& bury_script() {
  static const redis::Script script(std::string(common_lua) + R"lua(
local now, most, id, item, tag, garbage, value = take(), take_number(), take(), take(), take(), take(), take()
if tag ~= '' then
  if value ~= '' and call('HGET', 'unacked', tag) ~= value then return 0 end
  local _, task = run_of(tag)
  -- It was begun before anybody could see that it cannot be.
  if task and call('HGET', task_key(task), 'tag') == tag then
    call('HSET', task_key(task), 'status', 'FAILURE', 'finished_at', now, 'error', 'The message cannot be read.')
    call('EXPIRE', task_key(task), 86400)
    count('(unknown)', 'FAILURE', 1)
  end
  drop_tags({tag})
end
if garbage ~= '' then call('HDEL', 'segments:garbage', garbage) end
bury(id, now, item)
call('ZADD', 'segments:undecodable', now, id)
local surplus = call('ZCARD', 'segments:undecodable') - most
if surplus > 0 then
  for _, old in ipairs(call('ZRANGE', 'segments:undecodable', 0, surplus - 1)) do unbury(old) end
end
write_totals()
return 1
)lua");
  return script;
}

// Back to its list, if it is still the same and its task is not under way again. An undecodable one has no
// task.
const redis::Script& requeue_script() {
  static const redis::Script script(std::string(common_lua) + R"lua(
local now, letter, item, list, message = take(), take(), take(), take(), take()
local id, name, user, parent, lasting = take(), take(), take(), take(), take()
if call('HGET', 'segments:dead_letters:items', letter) ~= item then return 0 end
if is_misused(list) then return list end
if id ~= '' then
  local key = task_key(id)
  local status = call('HGET', key, 'status')
  if status and not final[status] then return 0 end
  call('DEL', key, meta_key(id))
  call('HSET', key, 'name', name, 'user_id', user, 'status', 'PENDING', 'created_at', now, 'ready_at', now,
       'parent_id', parent, 'retries', 0)
  if lasting ~= '1' then call('PEXPIRE', key, 172800000) end
  call('ZREM', 'segments:revoked', id)
  forget_given_up(id)
  child_done(parent, -1)
  wait_again(id, name, 0, now)
end
unbury(letter)
call('LPUSH', list, message)
write_totals()
return 1
)lua");
  return script;
}

const redis::Script& remove_letter_script() {
  static const redis::Script script(std::string(common_lua) + R"lua(
local removed = 0
for _, id in ipairs(ARGV) do
  if unbury(id) then removed = removed + 1 end
end
return removed
)lua");
  return script;
}

// What a peer held for too long, unless it was renewed or restored meanwhile.
const redis::Script& restore_script() {
  static const redis::Script script(std::string(common_lua) + R"lua(
local now, tag, value, cutoff, list, raw = take(), take(), take(), take_number(), take(), take()
local held = tonumber(call('ZSCORE', 'unacked_index', tag) or '')
if not held or held > cutoff then return 0 end
local kept = call('HGET', 'unacked', tag)
if kept and kept ~= value then return 0 end
lose(tag, now)
drop_tags({tag})
write_totals()
if not kept then return 0 end
push('RPUSH', list, raw)
return 1
)lua");
  return script;
}

// Leases that ended of what is in `unacked` no more.
const redis::Script& lose_script() {
  static const redis::Script script(std::string(common_lua) + R"lua(
local now, lost = take(), {}
while at < #ARGV do
  local tag = take()
  if call('HEXISTS', 'unacked', tag) == 0 then
    lose(tag, now)
    lost[#lost + 1] = tag
  end
end
drop_tags(lost)
write_totals()
return #lost
)lua");
  return script;
}

// Tasks that waited when we saw them last and that a peer has ended, or begun again, since: {id, status,
// finished, retries, error}. With the status '' it is forgotten.
const redis::Script& adopt_script() {
  static const redis::Script script(std::string(common_lua) + R"lua(
for _ = 1, take_number() do
  local id, status, finished, error = take(), take(), take(), take()
  local key = task_key(id)
  local known = call('HMGET', key, 'status', 'name', 'parent_id')
  if not known[1] then
    call('ZREM', 'segments:waiting', id)
  elseif known[1] == 'PENDING' or known[1] == 'RETRY' then
    if call('ZREM', 'segments:waiting', id) == 1 then count(known[2], known[1], -1) end
    call('ZREM', 'segments:expiring', id)
    call('EXPIRE', key, 86400)
    if final[status] then
      call('HSET', key, 'status', status, 'finished_at', finished, 'error', error,
           unpack(status == 'SUCCESS' and {'progress', 100} or {}))
      count(known[2], status, 1)
      child_done(known[3], 1)
    end
  end
end
write_totals()
return 1
)lua");
  return script;
}

// kombu's lock is let go of only by who has it.
const redis::Script& unlock_script() {
  static const redis::Script script(R"lua(
if redis.call('GET', 'unacked_mutex') == ARGV[1] then return redis.call('DEL', 'unacked_mutex') end
return 0
)lua");
  return script;
}

}  // namespace segments::celery

// Scripts that end runs, and tasks that did not run.
#include <string>

#include "celery/script_parts.h"
#include "celery/scripts.h"

namespace segments::celery {

// Any number of runs end, each by itself: first those that succeeded and bring about nothing else, of which
// little has to be said, then all others. Answers for each: 0 the lease is no longer ours, 1 taken, 2 nothing
// was done because it is now that a chord is complete, or no longer: plan again.
const redis::Script& end_script() {
  static const redis::Script script(std::string(common_lua) + R"lua(
local now, ttl, plain = take(), take(), take_number()
local items, tags, ids, metas = {}, {}, {}, {}
for i = 1, plain do
  local id = ARGV[at + 2]
  tags[i], ids[i], metas[i] = ARGV[at + 1], id, meta_key(id)
  at = at + 5
end
local names = {'tag', 'id', 'name', 'counted', 'kind', 'status', 'retries', 'error', 'ready', 'parent', 'lasting',
               'user', 'meta', 'back', 'list', 'letter', 'given', 'guard'}
for i = plain + 1, plain + take_number() do
  local item = {}
  for _, name in ipairs(names) do item[name] = take() end
  for _, part in ipairs({{'chords', 6}, {'messages', 2}, {'sizes', 2}, {'others', 2}}) do
    local list = {}
    for j = 1, take_number() do
      list[j] = {}
      for k = 1, part[2] do list[j][k] = take() end
    end
    item[part[1]] = list
  end
  items[i], tags[i], ids[i], metas[i] = item, item.tag, item.id, meta_key(item.id)
end
local held = ask_many('ZMSCORE', 'unacked_index', tags)
local revoked = ask_many('ZMSCORE', 'segments:revoked', ids)
local before = ask_many('MGET', nil, metas)
local taken, gone, lost = {}, {}, {}

-- The part that completes its chord brings the body, which was made of all the others. Any other part is
-- recorded, whatever came meanwhile.
local function chords_went_on(item)
  local brought = {}
  for _, chord in ipairs(item.chords) do
    local key = 'celery-taskset-meta-' .. chord[1]
    local size, more = call('GET', key .. '.s'), call('GET', key .. '.t')
    local whole = size and (tonumber(size) or 0) + (tonumber(more or '') or 0) or 0
    local seen = call('ZCARD', key .. '.j') + (brought[key] or 0)
    brought[key] = (brought[key] or 0) + 1
    local completes = whole > 0 and seen + 1 == whole
    local planned = completes and seen == tonumber(chord[4]) and string.format('%.0f', whole) == chord[5]
    if chord[6] ~= 'record' and (completes ~= (chord[6] == 'complete') or completes and not planned) then
      return true
    end
  end
end

-- For good: who is told, and what is kept of it.
local function tell(item, status)
  child_done(item.parent, 1)
  count(item.counted, status, 1)
  if status ~= item.status then return end
  if item.given ~= '' then give_up(item.id, now, item.given) end
  if item.letter ~= '' then bury(item.id, now, item.letter) end
end
local function publish(item)
  for _, chord in ipairs(item.chords) do
    local key = 'celery-taskset-meta-' .. chord[1]
    call('ZADD', key .. '.j', chord[2], chord[3])
    if chord[6] == 'complete' then
      call('DEL', key .. '.j', key .. '.t', key .. '.s')
    else
      for _, suffix in ipairs({'.j', '.t', '.s'}) do call('EXPIRE', key .. suffix, 86400) end
    end
  end
  for _, message in ipairs(item.messages) do push('LPUSH', message[1], message[2]) end
  for _, size in ipairs(item.sizes) do
    local key = 'celery-taskset-meta-' .. size[1] .. '.s'
    call('SETEX', key, 86400, size[2])
    call('PUBLISH', key, size[2])
  end
  for _, other in ipairs(item.others) do
    if status_of(call('GET', meta_key(other[1]))) ~= 'SUCCESS' then store(other[1], other[2], ttl) end
  end
end

local function waits(item)
  local key, ready = task_key(item.id), item.ready
  if item.kind == 'retry' then
    push('LPUSH', item.list, item.back)
    call('HSET', key, 'deaths', 0, 'error', item.error)
  else
    push('RPUSH', item.list, item.back)
    if item.kind == 'died' then call('HINCRBY', key, 'deaths', 1) end
    ready = call('HGET', key, 'ready_at') or now
  end
  call('HSET', key, 'status', waiting_status(item.retries), 'retries', item.retries, 'ready_at', ready, 'worker', '')
  if item.lasting ~= '1' then call('PEXPIRE', key, math.max(0, tonumber(ready) - tonumber(now)) + 172800000) end
  wait_again(item.id, item.name, item.retries, ready)
end

-- Whose lease it is, and whether it was revoked, is settled: the usual end of the usual run.
local function succeed(id, name, user, meta, over)
  local key = task_key(id)
  if meta ~= '' and not over then store(id, meta, ttl) end
  -- All three are new where nothing was on record any more.
  if call('HSET', key, 'status', 'SUCCESS', 'finished_at', now, 'progress', 100) == 3 then
    call('HSET', key, 'name', name, 'user_id', user)
  end
  call('EXPIRE', key, 86400)
end
local succeeded = {}
for i = 1, plain do
  local tag, id, from = tags[i], ids[i], 3 + 5 * (i - 1)
  if gone[tag] then
    taken[i] = 0
  elseif not held[i] then
    taken[i], gone[tag] = 0, true
    lose(tag, now)
  elseif revoked[i] and call('HGET', task_key(id), 'status') == 'REVOKED' then
    taken[i] = 0
  else
    taken[i], gone[tag] = 1, true
    local name = ARGV[from + 3]
    succeed(id, name, ARGV[from + 4], ARGV[from + 5], before[i] and status_of(before[i]) == 'SUCCESS')
    succeeded[name] = (succeeded[name] or 0) + 1
  end
end
for name, by in pairs(succeeded) do count(name, 'SUCCESS', by) end

for i = plain + 1, #tags do
  local item = items[i]
  local key, dropped = task_key(item.id), item.kind == 'drop'
  local known = (dropped or revoked[i]) and call('HGET', key, 'status')
  local stopped = known == 'REVOKED' and not dropped
  local late = item.guard ~= '' and
               (tonumber(call('ZSCORE', 'segments:leases', item.tag) or '') or 0) > tonumber(item.guard)
  if gone[item.tag] or late then
    taken[i] = 0
  elseif not held[i] then
    taken[i], gone[item.tag] = 0, true
    lose(item.tag, now)
  elseif stopped and item.back == '' or stopped and item.kind == 'retry' then
    taken[i] = 0
  elseif (item.back == '' or stopped) and chords_went_on(item) then
    taken[i] = 2
  else
    taken[i], gone[item.tag] = 1, true
    local over = status_of(before[i]) == 'SUCCESS'
    if stopped then
      give_up(item.id, now, item.given)
      publish(item)
    elseif dropped and known and final[known] then
      if not over then publish(item) end
    else
      if item.meta ~= '' and not over then store(item.id, item.meta, ttl) end
      if item.back ~= '' and not over then
        waits(item)
      else
        local status = over and 'SUCCESS' or item.status
        call('HSET', key, 'name', item.name, 'user_id', item.user, 'status', status, 'finished_at', now, 'error',
             item.error, unpack(status == 'SUCCESS' and {'progress', 100} or {}))
        call('EXPIRE', key, 86400)
        if dropped and call('ZREM', 'segments:waiting', item.id) == 1 then
          count(item.name, waiting_status(item.retries), -1)
        end
        tell(item, status)
        -- Where somebody else made it good meanwhile, what it asked for was published then.
        if not over then publish(item) end
      end
    end
  end
end
for tag in pairs(gone) do lost[#lost + 1] = tag end
drop_tags(lost)
write_totals()
return taken
)lua");
  return script;
}

// Of tasks that are known and not final. `expired`: only while they wait. How many are revoked now.
const redis::Script& revoke_script() {
  static const redis::Script script(std::string(common_lua) + R"lua(
local now, ttl, error, expired, channel, forget = take(), take(), take(), take(), take(), take()
local function revoke(id, meta, meta_of_run, given, broadcast)
  local key = task_key(id)
  local known = call('HMGET', key, 'status', 'name', 'retries', 'tag', 'parent_id', 'ready_at')
  local status, tag = known[1], known[4]
  if expired == '1' then call('ZREM', 'segments:expiring', id) end
  if not status or final[status] or final[status_of(call('GET', meta_key(id)))] then return 0 end
  if status == 'STARTED' then
    if expired == '1' then return 0 end
    meta = meta_of_run
  else
    if call('ZREM', 'segments:waiting', id) == 1 then count(known[2], status, -1) end
    if tag and call('ZSCORE', 'segments:delayed', tag) then
      drop_tags({tag})
      call('ZREM', 'segments:delayed', tag)
    end
  end
  call('ZREM', 'segments:expiring', id)
  call('HSET', key, 'status', 'REVOKED', 'finished_at', now, 'error', error)
  call('EXPIRE', key, 86400)
  -- Until then its message may still come out of a list.
  call('ZADD', 'segments:revoked', math.max(tonumber(forget), (tonumber(known[6] or '') or 0) + 86400000), id)
  count(known[2], 'REVOKED', 1)
  child_done(known[5], 1)
  if given ~= '' then give_up(id, now, given) end
  store(id, meta, ttl)
  if channel ~= '' then call('PUBLISH', channel, broadcast) end
  return 1
end
local revoked = 0
for _ = 1, take_number() do revoked = revoked + revoke(take(), take(), take(), take(), take()) end
write_totals()
return revoked
)lua");
  return script;
}

// Which of them were revoked and are not to go on.
const redis::Script& revoked_script() {
  static const redis::Script script(std::string(common_lua) + R"lua(
local marked, out = ask_many('ZMSCORE', 'segments:revoked', ARGV), {}
for i, id in ipairs(ARGV) do
  if marked[i] and call('HGET', task_key(id), 'status') == 'REVOKED' then out[#out + 1] = id end
end
return out
)lua");
  return script;
}

// A state that is not final: STARTED, where that is tracked. Never over one that is.
const redis::Script& store_script() {
  static const redis::Script script(std::string(common_lua) + R"lua(
local ttl = take()
for _ = 1, take_number() do
  local id, meta = take(), take()
  if not final[status_of(call('GET', meta_key(id)))] then store(id, meta, ttl) end
end
return 1
)lua");
  return script;
}

}  // namespace segments::celery

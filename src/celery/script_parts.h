// What several scripts have in common, put before their own text.
#pragma once

namespace segments::celery {

inline constexpr const char* common_lua = R"lua(
local call, at = redis.call, 0
local function take() at = at + 1; return ARGV[at] end
local function take_number() return tonumber(take()) end

-- Variadic commands, in pieces that fit Lua's stack (even ones, for pairs).
local function many(command, key, items)
  for i = 1, #items, 4000 do call(command, key, unpack(items, i, math.min(i + 3999, #items))) end
end
-- One answer for each of the items, also without a key before them (MGET).
local function ask_many(command, key, items)
  local answers = {}
  for i = 1, #items, 4000 do
    local last, part = math.min(i + 3999, #items)
    if key then part = call(command, key, unpack(items, i, last)) else part = call(command, unpack(items, i, last)) end
    for j = 1, last - i + 1 do answers[i + j - 1] = part[j] end
  end
  return answers
end

local final = {SUCCESS = true, FAILURE = true, REVOKED = true}
local function task_key(id) return 'segments:task:' .. id end
local function meta_key(id) return 'celery-task-meta-' .. id end
local function list_key(queue, priority)
  priority = tonumber(priority) or 0
  if priority < 3 then return queue end
  return queue .. '\6\22' .. (priority < 6 and 3 or priority < 9 and 6 or 9)
end

local function lists_of(queue)
  return {list_key(queue, 0), list_key(queue, 3), list_key(queue, 6), list_key(queue, 9)}
end
-- Whether a push to it would fail, in the middle of all else that a script does.
local function is_misused(list)
  local kind = call('TYPE', list).ok
  return kind ~= 'none' and kind ~= 'list'
end

-- Totals are gathered and written once.
local totals = {}
local function count(name, status, by)
  local field = (name or '(unknown)') .. '|' .. status
  totals[field] = (totals[field] or 0) + by
end
local function write_totals()
  for field, by in pairs(totals) do
    if by ~= 0 then call('HINCRBY', 'segments:totals', field, by) end
  end
end

local function waiting_status(retries) return (tonumber(retries) or 0) > 0 and 'RETRY' or 'PENDING' end
local function wait_again(id, name, retries, ready)
  if call('ZADD', 'segments:waiting', ready, id) == 1 then count(name, waiting_status(retries), 1) end
end

local function status_of(meta)
  if not meta then return '' end
  local good, json = pcall(cjson.decode, meta)
  return good and type(json) == 'table' and json.status or ''
end
-- SETEX and PUBLISH belong together: who sees the message may ask at once.
local function store(id, meta, ttl)
  if tonumber(ttl) > 0 then call('SETEX', meta_key(id), ttl, meta) else call('SET', meta_key(id), meta) end
  call('PUBLISH', meta_key(id), meta)
end

local function child_done(parent, by)
  if parent == '' or not parent then return end
  local key = 'segments:children:' .. parent
  local done = call('HINCRBY', key, 'done', by)
  if done >= (tonumber(call('HGET', key, 'total')) or 0) then call('EXPIRE', key, 604800) else call('PERSIST', key) end
end

local function bury(id, died, item)
  call('HSET', 'segments:dead_letters:items', id, item)
  call('ZADD', 'segments:dead_letters', died, id)
  call('ZADD', 'segments:dead_letters:ids', 0, id)
end
local function unbury(id)
  call('ZREM', 'segments:dead_letters:ids', id)
  call('ZREM', 'segments:undecodable', id)
  call('HDEL', 'segments:dead_letters:items', id)
  return call('ZREM', 'segments:dead_letters', id) == 1
end
-- An item is "<fence> <JSON>": the fence is of the telling that is under way.
local function give_up(id, now, item)
  call('ZADD', 'segments:given_up', now, id)
  call('HSET', 'segments:given_up:items', id, '0 ' .. item)
end
local function forget_given_up(id)
  call('ZREM', 'segments:given_up', id)
  call('HDEL', 'segments:given_up:items', id)
end

-- Where Redis itself was away, every lease seems to have ended and no worker seems to live. As long as any
-- worker lives somebody reaches it each second: where nobody did, those who hold something are first left the
-- time to come back and renew it. An outage that is shorter ends no lease, which is renewed when a third of its
-- 30 s is over. Both keys go by the server's own clock.
local function note_reached()
  if call('PEXPIRE', 'segments:reachable', 15000) == 1 then return end
  if call('EXISTS', 'segments:leases') == 1 then call('SET', 'segments:grace', 1, 'NX', 'PX', 15000) end
  call('SET', 'segments:reachable', 1, 'PX', 15000)
end
local function leases_may_end()
  note_reached()
  return call('EXISTS', 'segments:grace') == 0
end

-- The name and the id of what is under way. Behind them stands who holds it, in what a worker of now began.
local function run_of(tag)
  local run = call('HGET', 'segments:running', tag) or ''
  local name, id = string.match(run, '^(.-)\6\22(.*)\6\22%w*$')
  if not id then name, id = string.match(run, '^(.-)\6\22(.*)$') end
  return name, id
end

-- A delivery that a peer has put back into its list, or taken for itself: its task waits again, so that what
-- becomes of it there is seen.
local function lose(tag, now)
  local name, id = run_of(tag)
  if not id then return end
  local known = call('HMGET', task_key(id), 'status', 'tag', 'retries')
  if known[1] ~= 'STARTED' or known[2] ~= tag then return end
  call('HSET', task_key(id), 'status', waiting_status(known[3]), 'ready_at', now, 'worker', '')
  wait_again(id, name, known[3], now)
end

-- To an end of a list. Where its key is no list it is left to be a dead letter: a script that failed in its
-- middle would lose it, and what else it had in hand.
local function push(command, list, raw)
  local answer = redis.pcall(command, list, raw)
  if type(answer) ~= 'table' or not answer.err then return end
  local field = 'misplaced-' .. string.format('%.0f', call('INCR', 'segments:fence'))
  call('HSET', 'segments:garbage', field, list .. '\n' .. raw)
end

local function drop_tags(tags)
  many('ZREM', 'unacked_index', tags)
  many('HDEL', 'unacked', tags)
  many('ZREM', 'segments:leases', tags)
  many('HDEL', 'segments:running', tags)
end

-- Runs begin: a list of {tag, id, name, retries}.
local function start(runs, now, worker, holder)
  if #runs == 0 then return end
  local ids, running = {}, {}
  for i, run in ipairs(runs) do
    ids[i] = run[2]
    -- Longer than what Redis keeps in a list and searches from its beginning.
    running[2 * i - 1], running[2 * i] = run[1], run[3] .. '\6\22' .. run[2] .. '\6\22' .. holder
    call('HSET', task_key(run[2]), 'name', run[3], 'status', 'STARTED', 'started_at', now, 'worker', worker,
         'retries', run[4], 'tag', run[1])
  end
  local waited = ask_many('ZMSCORE', 'segments:waiting', ids)
  local over = {}
  for i, run in ipairs(runs) do
    if waited[i] then
      over[#over + 1] = run[2]
      count(run[3], waiting_status(run[4]), -1)
    end
  end
  many('ZREM', 'segments:waiting', over)
  many('HSET', 'segments:running', running)
end
)lua";

}  // namespace segments::celery

#include "redis_events/scripts.h"

namespace segments::redis_events {

namespace {

// XTRIM and a restart keep a stream's last-generated-id: what newest() says outlives the events.
constexpr std::string_view prelude = R"(
local events = KEYS[1]
local function number_of(id) return tonumber(string.match(id, '^%d+')) end
local function text_of(number) return string.format('%.0f', number) end
local function user_key(user) return events .. ':user:' .. user end
local function job_key(job) return events .. ':job:' .. job end
local function newest()
  if redis.call('EXISTS', events) == 0 then return 0 end
  local info = redis.call('XINFO', 'STREAM', events)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return number_of(info[i + 1]) end
  end
end
local function oldest()
  local first = redis.call('XRANGE', events, '-', '+', 'COUNT', 1)[1]
  if first then return number_of(first[1]) end
  local last = newest()
  if last == 0 then return 0 end
  return last + 1
end
)";

// The event comes last, so that a script which fails half-way (an index that is no stream) is repeated whole;
// an index entry that is there already is right as it is.
constexpr std::string_view adding = R"(
local function index(key, id)
  local done = redis.pcall('XADD', key, id, '', '')
  if type(done) == 'table' and done.err and not string.find(done.err, 'equal or smaller', 1, true) then
    error(done.err)
  end
end
local function add(id, kind, user, job, at, data)
  index(user_key(user), id)
  if job == '' then
    redis.call('XADD', events, id, 'type', kind, 'user', user, 'at', at, 'data', data)
  else
    index(job_key(job), id)
    redis.call('XADD', events, id, 'type', kind, 'user', user, 'at', at, 'data', data, 'job', job)
  end
end
local function announce(job, data)
  if job ~= '' then redis.call('PUBLISH', 'job_progress_' .. job, data) end
end
)";

// The first id is the time in microseconds: should Redis lose its data, ids go on above those that readers
// know.
constexpr std::string_view append = R"(
if KEYS[2] then
  local done = tonumber(redis.call('HGET', KEYS[2], ARGV[6]) or 0)
  if done >= tonumber(ARGV[7]) then return 0 end
end
local number = newest() + 1
if number == 1 then
  local now = redis.call('TIME')
  number = now[1] * 1000000 + now[2]
end
add(text_of(number), ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])
if KEYS[2] then
  redis.call('HSET', KEYS[2], ARGV[6], ARGV[7])
  redis.call('EXPIRE', KEYS[2], 86400)
end
announce(ARGV[3], ARGV[5])
redis.call('PUBLISH', events, text_of(number))
return number
)";

constexpr std::string_view copy = R"(
local last = newest()
if last < tonumber(ARGV[1]) then return last end
local announce_above, source_newest = tonumber(ARGV[2]), tonumber(ARGV[3])
local before = last
for i = 4, #ARGV, 6 do
  local number = tonumber(ARGV[i])
  if number > last then
    add(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5])
    if number > announce_above then announce(ARGV[i + 3], ARGV[i + 5]) end
    last = number
  end
end
if source_newest > last then
  redis.call('XADD', events, ARGV[3], '', '')
  redis.call('XDEL', events, ARGV[3])
  last = source_newest
end
if last > before then redis.call('PUBLISH', events, text_of(last)) end
return last
)";

// Fields of an event by their places: 2 type, 4 user, 6 at, 8 data, 10 job.
constexpr std::string_view read = R"(
local first, limit, found = oldest(), tonumber(ARGV[2]), {}
local from = math.max(tonumber(ARGV[1]) + 1, first)
if ARGV[3] == 'last' then
  local last = redis.call('XREVRANGE', KEYS[2], '+', text_of(first), 'COUNT', 1)[1]
  if last then found = redis.call('XRANGE', events, last[1], last[1]) end
elseif limit > 0 and #KEYS == 1 then
  found = redis.call('XRANGE', events, text_of(from), '+', 'COUNT', limit)
else
  while #found < limit do
    local asked = limit - #found
    local ids = redis.call('XRANGE', KEYS[2], text_of(from), '+', 'COUNT', asked)
    for _, entry in ipairs(ids) do
      local event = redis.call('XRANGE', events, entry[1], entry[1])[1]
      if event and (not ARGV[4] or event[2][4] == ARGV[4]) then found[#found + 1] = event end
    end
    if #ids < asked then break end
    from = number_of(ids[#ids][1]) + 1
  end
end
return {newest(), first, found}
)";

constexpr std::string_view trim = R"(
local bound = tonumber(ARGV[2])
local entries = redis.call('XRANGE', events, '-', '+', 'COUNT', tonumber(ARGV[3]))
local keep, gone, indexes = nil, 0, {}
for _, entry in ipairs(entries) do
  local value = ARGV[1] == 'at' and tonumber(entry[2][6]) or number_of(entry[1])
  if value >= bound then
    keep = entry[1]
    break
  end
  gone = gone + 1
  indexes[user_key(entry[2][4])] = true
  if entry[2][10] then indexes[job_key(entry[2][10])] = true end
end
if gone == 0 then return 0 end
keep = keep or text_of(number_of(entries[gone][1]) + 1)
for key in pairs(indexes) do
  redis.call('XTRIM', key, 'MINID', keep)
  if redis.call('XLEN', key) == 0 then redis.call('DEL', key) end
end
redis.call('XTRIM', events, 'MINID', keep)
return gone
)";

constexpr std::string_view clear = R"(
if newest() ~= tonumber(ARGV[1]) then return 0 end
for _, key in ipairs(redis.call('KEYS', events .. ':*')) do redis.call('UNLINK', key) end
redis.call('UNLINK', events)
return 1
)";

redis::Script script_of(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (auto part : parts) text += part;
  return redis::Script(text);
}

}  // namespace

const redis::Script& append_script() {
  static const auto script = script_of({prelude, adding, append});
  return script;
}
const redis::Script& copy_script() {
  static const auto script = script_of({prelude, adding, copy});
  return script;
}
const redis::Script& read_script() {
  static const auto script = script_of({prelude, read});
  return script;
}
const redis::Script& trim_script() {
  static const auto script = script_of({prelude, trim});
  return script;
}
const redis::Script& clear_script() {
  static const auto script = script_of({prelude, clear});
  return script;
}

}  // namespace segments::redis_events

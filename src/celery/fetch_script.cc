// The script that hands messages out.
#include <string>
#include <string_view>

#include "celery/plain_message.h"
#include "celery/script_parts.h"
#include "celery/scripts.h"

namespace segments::celery {

namespace {

// How a message is sorted: what it is, and whether it takes one of the places of those that are to begin.
constexpr const char* sorting_lua = R"lua(
local clock, most, lease_end, score = take_number(), take_number(), take(), take()
local worker, holder = take(), take()
local look, most_bytes, largest, most_values = take_number(), take_number(), take_number(), take_number()
local now = ARGV[1]

-- Milliseconds since 1970; nil for what is to be looked at more closely.
local function time_of(text)
  if type(text) ~= 'string' then return nil end
  local year, month, day, hour, minute, second, rest =
    string.match(text, '^(%d%d%d%d)-(%d%d)-(%d%d)[T ](%d%d):(%d%d):(%d%d)(.*)$')
  if not year then return nil end
  local sign, east_hours, east_minutes = string.match(rest, '^%.?%d*([+-])(%d%d):?(%d%d)$')
  if not sign and not string.match(rest, '^%.?%d*Z?$') then return nil end
  year, month = tonumber(year), tonumber(month)
  if month < 3 then year, month = year - 1, month + 12 end
  local days = 365 * year + math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400) +
               math.floor((153 * (month - 3) + 2) / 5) + day - 719469
  local minutes = (days * 24 + hour) * 60 + minute
  if sign then minutes = minutes - (sign == '+' and 1 or -1) * (east_hours * 60 + east_minutes) end
  return (minutes * 60 + second) * 1000
end
-- Only what is certain: the parts of a second are not looked at.
local function is_not_to_begin(headers)
  local eta, expires = time_of(headers.eta), time_of(headers.expires)
  return eta and eta > clock + 1000 or expires and expires < clock - 2000
end

-- About as many values as it has commas and brackets; more of them would become a lot of memory here. Searched
-- for one by one, which is quick where there are few: in base64 there are none.
local function has_too_many_values(raw)
  local left = 2 * most_values
  if #raw <= left then return false end
  for _, mark in ipairs({',', '[', '{'}) do
    local found = string.find(raw, mark, 1, true)
    while found do
      left = left - 1
      if left < 0 then return true end
      found = string.find(raw, mark, found + 1, true)
    end
  end
  return false
end

-- See plain_message.h. nil for any other message, which is decoded.
local sub, find = string.sub, string.find
local function text_after(raw, from, words)
  local begin = from + #words
  if sub(raw, from, begin - 1) ~= words then return nil end
  local quote = find(raw, '"', begin, true)
  if quote then return sub(raw, begin, quote - 1), quote end
end
local function cut_plain(raw)
  if sub(raw, 1, #plain_begin) ~= plain_begin or sub(raw, -#plain_end) ~= plain_end then return nil end
  local quote, lang, task, id = find(raw, '"', #plain_begin + 1, true)
  if quote then lang, quote = text_after(raw, quote, plain_headers) end
  if quote then task, quote = text_after(raw, quote, plain_task) end
  if quote then id, quote = text_after(raw, quote, plain_id) end
  if not quote or sub(raw, quote, quote + #plain_rest - 1) ~= plain_rest then return nil end
  local escape = find(raw, '\\', 1, true)
  if escape and escape < quote then return nil end
  return task, id
end

local function is_name(value) return type(value) == 'string' and value ~= '' and #value <= 1024 end
local function blank(value) return value == nil or value == cjson.null end
local function sort(raw)
  if #raw > largest then return {flag = 4} end
  if has_too_many_values(raw) then return {flag = 5} end
  local task, id = cut_plain(raw)
  if is_name(id) and is_name(task) then
    return {flag = 1, place = true, id = id, task = task, whole = true, retries = '0'}
  end
  local good, json = pcall(cjson.decode, raw)
  if not good or type(json) ~= 'table' or type(json.properties) ~= 'table' then return {flag = 3} end
  local item, headers = {flag = 1, place = true}, json.headers
  if type(headers) == 'table' and is_name(headers.id) and is_name(headers.task) then
    item.id, item.task = headers.id, headers.task
    item.place = not is_not_to_begin(headers)
    item.whole = blank(headers.eta) and blank(headers.expires)
    item.retries = string.format('%.0f', type(headers.retries) == 'number' and headers.retries or 0)
  end
  return item
end
)lua";

constexpr const char* fetching_lua = R"lua(
local ended = call('ZRANGEBYSCORE', 'segments:leases', '-inf', now, 'LIMIT', 0, 50)
if #ended > 0 and leases_may_end() then
  local out, bytes = {'ended'}, 0
  for i, tag in ipairs(ended) do
    local value = call('HGET', 'unacked', tag) or ''
    bytes = bytes + #value
    if i > 1 and bytes > most_bytes then break end
    out[#out + 1], out[#out + 2] = tag, value
  end
  return out
end

-- Parked ones that are due go back to their lists, the earliest to be served first, as they came.
local due, fitting, due_bytes = call('ZRANGEBYSCORE', 'segments:delayed', '-inf', now, 'LIMIT', 0, 200), 0, 0
for i, tag in ipairs(due) do
  due_bytes = due_bytes + call('HSTRLEN', 'unacked', tag)
  if i > 1 and due_bytes > most_bytes then break end
  fitting = i
end
for i = fitting, 1, -1 do
  local value = call('HGET', 'unacked', due[i])
  local raw, queue
  if value then raw, queue = string.match(value, '^%[(.*), "", "([^"]*)"%]$') end
  local good, json = pcall(cjson.decode, raw or '')
  if good and type(json) == 'table' then
    push('RPUSH', list_key(queue, type(json.properties) == 'table' and json.properties.priority), raw)
    call('HDEL', 'unacked', due[i])
    call('ZREM', 'unacked_index', due[i])
  end
  call('ZREM', 'segments:delayed', due[i])
end

local raws, queues, from_queues, items, places, bytes, more = {}, {}, {}, {}, 0, 0, 0
local function is_enough() return places >= most or #raws >= look or bytes >= most_bytes end
while at < #ARGV and not is_enough() do
  local queue, list, before, step, got = take(), take(), #raws
  repeat
    -- As many as may all be begun; large ones by themselves.
    step = bytes > 65536 * #raws and 1 or math.min(math.max(4, #raws), most - places, look - #raws)
    -- A key that is no list must not cost what was taken from others.
    local popped = redis.pcall('RPOP', list, step)
    got = popped and not popped.err and #popped or 0
    for i = 1, got do
      local raw, item = popped[i], sort(popped[i])
      raws[#raws + 1], queues[#queues + 1], items[#items + 1] = raw, queue, item
      bytes = bytes + #raw
      if item.place then places = places + 1 end
    end
  until got < step or is_enough()
  if #raws > before then from_queues[#from_queues + 1], from_queues[#from_queues + 2] = queue, #raws - before end
  more = (got == step or at < #ARGV) and 1 or 0
end
if #raws == 0 then return {'fetched', more} end
note_reached()

local first = call('INCRBY', 'segments:fence', #raws) - #raws
local unacked, index, leases, garbage, runs, ids, known, flags = {}, {}, {}, {}, {}, {}, {}, {}
for i, item in ipairs(items) do
  local raw = raws[i]
  if item.flag == 1 then
    local n, tag = #index, string.format('segments-%.0f', first + i)
    unacked[n + 1], unacked[n + 2] = tag, '[' .. raw .. ', "", "' .. queues[i] .. '"]'
    index[n + 1], index[n + 2] = score, tag
    leases[n + 1], leases[n + 2] = lease_end, tag
    if item.id then
      item.tag = tag
      ids[#ids + 1], known[#known + 1] = item.id, item
    end
  else
    -- A byte more than is kept whole, so that it is seen to be a beginning.
    if item.flag > 3 then raw = sub(raw, 1, 1048577) end
    garbage[#garbage + 1], garbage[#garbage + 2] = string.format('%.0f', first + i), queues[i] .. '\n' .. raw
    raws[i] = raw
  end
end
local revoked = ask_many('ZMSCORE', 'segments:revoked', ids)
for i, item in ipairs(known) do
  if revoked[i] then
    item.flag = 2
  elseif item.whole then
    item.flag = 0
    runs[#runs + 1] = {item.tag, item.id, item.task, item.retries}
  end
end
for i, item in ipairs(items) do flags[i] = item.flag end
many('HSET', 'unacked', unacked)
many('ZADD', 'unacked_index', index)
many('ZADD', 'segments:leases', leases)
many('HSET', 'segments:garbage', garbage)
start(runs, now, worker, holder)
write_totals()
return {'fetched', more, first + 1, table.concat(flags), from_queues, raws}
)lua";

std::string plain_words() {
  std::string words;
  auto add = [&](const char* name, std::string_view word) {
    words.append("local ").append(name).append(" = '").append(word).append("'\n");
  };
  add("plain_begin", plain_begin);
  add("plain_headers", plain_headers);
  add("plain_task", plain_task);
  add("plain_id", plain_id);
  add("plain_rest", plain_rest);
  add("plain_end", plain_end);
  return words;
}

}  // namespace

// Answers {'ended', tag, value, …} where leases have ended: these come first, and nothing is fetched then.
// Otherwise {'fetched', more}, and where messages were taken behind it the first one's fence (the others'
// follow), a digit for each, which is a Sight, {queue, how many came from it, …} and the messages. more 1:
// there may be more in the lists. Of those that may be begun it takes no more than are asked for, whatever
// else comes between.
const redis::Script& fetch_script() {
  static const redis::Script script(common_lua + plain_words() + sorting_lua + fetching_lua);
  return script;
}

}  // namespace segments::celery

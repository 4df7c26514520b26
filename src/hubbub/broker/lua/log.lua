-- One channel's log: append to it and publish, or read it, as one step. What hubbub/broker/stream.py promises of logs.
--
-- KEYS[1] is a hash: epoch, run (id of the server process that wrote it), conflated (0 or 1), head (the offset last
-- given), forgotten (of a conflated log: the highest offset of a latest value that is gone), oldest (a time before which
-- nothing kept was appended), due (when the lives of the keys are to be prolonged); and, of a conflated log, the offset
-- of each key's latest publication as "k:<key>". KEYS[2] is a stream of what is kept: its ids are <offset>-0, its fields
-- t (when, in milliseconds), p (the body), and k (the key, in a conflated log). KEYS[3], if given, keeps an idempotency
-- key: the digest of what it was used for, then what that gave.
--
-- ARGV: append, size, ttl, conflated, life, seed, name, stamp, body, key, [digest, id, life of the key,] run, publish;
-- or: read, size, ttl, conflated, life, seed, epoch, offset, limit, reverse, run, publish. Times are in milliseconds.
--
-- Should the server evict one of the keys alone, or the stream expire, the log has only forgotten more.
local operation, size, ttl, conflated = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'
local life, seed = tonumber(ARGV[5]), ARGV[6]
local run, publish = ARGV[#ARGV - 1], ARGV[#ARGV]
local meta, stream, used = KEYS[1], KEYS[2], KEYS[3]
local call = redis.call

if used then
  local first = call('GET', used)
  if first then
    return string.sub(first, 1, 16) == ARGV[11] and string.sub(first, 17)
  end
end

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = call('HMGET', meta, 'epoch', 'run', 'head', 'oldest', 'due', 'conflated', 'forgotten')
local epoch, head = known[1], tonumber(known[3] or 0)
local oldest, due, forgotten = tonumber(known[4] or now), tonumber(known[5] or 0), tonumber(known[7] or 0)

local function begin()
  epoch = string.sub(redis.sha1hex(table.concat({seed, time[1], time[2], run}, ' ')), 1, 8)
  call('HSET', meta, 'epoch', epoch, 'run', run, 'head', head, 'conflated', ARGV[4])
end

if not epoch or known[6] ~= ARGV[4] then
  if known[6] or call('EXISTS', stream) == 1 then -- no needless write: after the first a full server refuses none
    call('DEL', meta, stream)
  end
  head, oldest, due, forgotten, known = 0, now, 0, 0, {}
  begin()
elseif known[2] ~= run then
  -- Another process: what it has may be older than what was acknowledged, and offsets may be given again.
  begin()
end
if conflated and forgotten < head and call('XLEN', stream) == 0 then
  call('DEL', meta) -- the stream has expired, and these are of what was in it
  call('HSET', meta, 'epoch', epoch, 'run', run, 'head', head, 'conflated', ARGV[4])
  forgotten, due, known = head, 0, {}
end

local function id(offset)
  return string.format('%.0f-0', offset)
end

local function offset_of(entry)
  return tonumber(string.sub(entry[1], 1, -3))
end

local function forget(entry)
  if conflated then
    forgotten = offset_of(entry)
    call('HDEL', meta, 'k:' .. entry[2][6])
  end
end

-- Let go what is too old.
local function expire()
  if ttl > 0 and now - oldest > ttl then
    oldest = now
    local entries, stale
    repeat
      entries, stale = call('XRANGE', stream, '-', '+', 'COUNT', 16), 0
      for index, entry in ipairs(entries) do
        local at = tonumber(entry[2][2])
        if now - at <= ttl then
          oldest = at
          break
        end
        forget(entry)
        stale = index
      end
      if stale > 0 then
        call('XTRIM', stream, 'MINID', id(offset_of(entries[stale]) + 1))
      end
    until stale == 0 or stale < #entries
  end
end

-- Let go what is too much.
local function shorten()
  if not conflated then
    call('XTRIM', stream, 'MAXLEN', size)
    return
  end
  for _ = size + 1, call('XLEN', stream) do
    local entry = call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
    forget(entry)
    call('XDEL', stream, entry[1])
  end
end

local function add(...)
  if not call('XADD', stream, 'NOMKSTREAM', ...) then
    call('XADD', stream, ...)
    due = 0 -- the stream is new: nothing has said yet how long it lives
  end
end

-- Write down what has changed. The life of the log from now, if it had to be prolonged; else 0.
local function save()
  if oldest ~= tonumber(known[4]) then
    call('HSET', meta, 'oldest', oldest)
  end
  if conflated and forgotten ~= tonumber(known[7]) then
    call('HSET', meta, 'forgotten', forgotten)
  end
  if now < due then
    return 0
  end
  local age = ttl > 0 and ttl or life
  local pause = math.max(1000, math.floor(math.min(age, life) / 2))
  call('HSET', meta, 'due', now + pause)
  call('PEXPIRE', stream, age + pause + 1000)
  local left = math.max(age, life) + 2 * pause + 2000
  call('PEXPIRE', meta, left)
  return left
end

if operation == 'append' then
  local name, stamp, body, key = ARGV[7], ARGV[8], ARGV[9], ARGV[10]
  head = head + 1
  if conflated then
    local before = call('HGET', meta, 'k:' .. key)
    if before then
      call('XDEL', stream, before .. '-0')
    end
    add(id(head), 't', now, 'p', body, 'k', key)
    call('HSET', meta, 'head', head, 'k:' .. key, head)
    expire()
    shorten()
  else
    add('MAXLEN', size, id(head), 't', now, 'p', body)
    call('HSET', meta, 'head', head)
    expire()
  end
  local prolonged = save()
  local place = struct.pack('>I8B', head, #epoch) .. epoch
  if used then
    call('SET', used, ARGV[11] .. place .. ARGV[12], 'PX', ARGV[13])
  end
  return {head, epoch, call(publish, name, stamp .. place .. body), prolonged}
end

local here, since, limit, reverse = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10] == '1'
expire()
shorten()
if not conflated then
  forgotten = head - call('XLEN', stream)
end
local complete = 1
if since then
  if here ~= epoch or since > head then
    since, complete = nil, 0
  elseif since < forgotten then
    complete = 0
  end
end
local entries
if reverse then
  local newest = since and id(math.max(since - 1, 0)) or '+'
  entries = call('XREVRANGE', stream, newest, '-', 'COUNT', limit + 1)
else
  local first = since and id(math.max(since + 1, 0)) or '-'
  entries = call('XRANGE', stream, first, '+', 'COUNT', limit + 1)
end
local found = {epoch, head, complete, #entries > limit and 1 or 0, save()}
for index = 1, math.min(#entries, limit) do
  found[#found + 1] = string.sub(entries[index][1], 1, -3)
  found[#found + 1] = entries[index][2][4]
end
return found

-- A node lives, for a while more; who does not? Returns how the caller's own lease stands (1: it holds; 0: it is not
-- there; -1: it had run out and the others hold the caller dead); those whose entries the caller is to take out; those
-- that the others hold dead although the caller says that they live.
-- KEYS: the leases, a hash: owner ("<node>.<generation>") -> "L <end>" while it lives, "D <when the next one is to take
-- its entries out>" when it is dead, "S <end>" when that has been done (times in ms); "@" -> until when the time can be
-- believed, for somebody has shown life. After that it was this server that was away, and not all nodes at once: whoever
-- lived then is given the time to show it.
-- ARGV: owner, its lease (ms), "1" if it is new, how long the hash is kept (ms), for how long a dead one is the
-- caller's (ms); then pairs of an owner and what is known of it: L, D or S.
local TOMBSTONE, MOST = 3600000, 16
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease = tonumber(ARGV[2])

local function set(owner, kind, at)
  redis.call('HSET', KEYS[1], owner, string.format('%s %.0f', kind, at))
end

local standing, dead, lapsed = ARGV[3] == '1' and 1 or 0, {}, {}
for index = 6, #ARGV - 3, 2 do
  local owner, kind = ARGV[index], ARGV[index + 1]
  if kind == 'S' then
    set(owner, 'S', now + TOMBSTONE)
  else
    local stands = string.sub(redis.call('HGET', KEYS[1], owner) or ' ', 1, 1)
    if kind == 'L' and stands == 'L' then
      set(owner, 'L', now + lease)
    elseif kind == 'L' and stands ~= ' ' then
      lapsed[#lapsed + 1] = owner
    elseif kind == 'D' and (stands == 'L' or stands == ' ') then
      set(owner, 'D', now)
    end
  end
end

local doubted = tonumber(redis.call('HGET', KEYS[1], '@') or now)
local leases = redis.call('HGETALL', KEYS[1])
for index = 1, #leases, 2 do
  local owner = leases[index]
  if owner ~= '@' then
    local kind, at = string.match(leases[index + 1], '^(%u) (%d+)$')
    at = tonumber(at)
    if owner == ARGV[1] then
      standing = kind == 'L' and 1 or -1
    elseif kind == 'L' then
      if at <= math.min(now, doubted) then
        kind, at = 'D', now
      elseif now > doubted then
        set(owner, 'L', math.max(at, now + lease))
      end
    end
    if kind == 'D' and owner ~= ARGV[1] then
      if at > now then -- somebody else does it
      elseif #dead < MOST then
        dead[#dead + 1] = owner
        set(owner, 'D', now + ARGV[5])
      else
        set(owner, 'D', now)
      end
    elseif kind == 'S' and at <= now then
      redis.call('HDEL', KEYS[1], owner)
    end
  end
end
if standing == 1 then
  set(ARGV[1], 'L', now + lease)
end
redis.call('HSET', KEYS[1], '@', string.format('%.0f', now + math.floor(lease * 0.75)))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return { standing, dead, lapsed }

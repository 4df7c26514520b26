-- A node lives, for a while more. Returns 1, or 0 if the others may have held it dead since its last sign of life.
-- KEYS: the nodes, a hash: id -> "<end of lease, ms> <what it tells of itself>"; "@" -> until when the time can be
-- believed, for somebody has shown life. After that it was this server that was away, and not all nodes at once: whoever
-- lived then is given the time to show it.
-- ARGV: id, what it tells, its lease (ms), "1" if it is the first time, how long the hash is kept (ms).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease = tonumber(ARGV[3])
local doubted = tonumber(redis.call('HGET', KEYS[1], '@') or now)
local held = ARGV[4] == '1'
local nodes = redis.call('HGETALL', KEYS[1])
for index = 1, #nodes, 2 do
  local id = nodes[index]
  if id ~= '@' then
    local ends, told = string.match(nodes[index + 1], '^(%d+) (.*)$')
    if tonumber(ends) <= math.min(now, doubted) then
      redis.call('HDEL', KEYS[1], id)
    elseif id == ARGV[1] then
      held = true
    elseif now > doubted then
      redis.call('HSET', KEYS[1], id, string.format('%.0f ', math.max(tonumber(ends), now + lease)) .. told)
    end
  end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f ', now + lease) .. ARGV[2])
redis.call('HSET', KEYS[1], '@', string.format('%.0f', now + math.floor(lease * 0.75)))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return held and 1 or 0

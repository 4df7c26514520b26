-- What each of the nodes tells of itself that live. KEYS: the nodes, as `beat` keeps them.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local nodes = redis.call('HGETALL', KEYS[1])
now = math.min(now, tonumber(redis.call('HGET', KEYS[1], '@') or now))
local alive = {}
for index = 1, #nodes, 2 do
  if nodes[index] ~= '@' then
    local ends, told = string.match(nodes[index + 1], '^(%d+) (.*)$')
    if tonumber(ends) > now then
      alive[#alive + 1] = told
    end
  end
end
return alive

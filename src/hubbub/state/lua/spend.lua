-- Take one from a token bucket (GCRA): all that is kept is when the bucket is full again, in seconds.
-- KEYS: the bucket. ARGV: events a second, how many at once. Returns the seconds to wait, "0" if it was taken.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local interval = 1 / tonumber(ARGV[1])
local tolerance = interval * math.max(tonumber(ARGV[2]) - 1, 0)
local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
arrival = math.min(arrival, now + tolerance + interval) -- later only if the server's clock was put back
local wait = arrival - tolerance - now
if wait > 0.000001 then
  return string.format('%.6f', wait)
end
arrival = arrival + interval
redis.call('SET', KEYS[1], string.format('%.6f', arrival), 'PX', string.format('%.0f', math.ceil((arrival - now) * 1000)))
return '0'

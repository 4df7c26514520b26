-- Take from a token bucket what has been spent already: all that is kept is when the bucket is full again, in seconds.
-- KEYS: the bucket, as `spend` keeps it. ARGV: by how many seconds that is put off, how far off it is at the most.
-- Returns the seconds until it is full.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local left = math.max(tonumber(redis.call('GET', KEYS[1]) or now) - now, 0)
left = math.min(left + tonumber(ARGV[1]), tonumber(ARGV[2])) -- later only if the server's clock was put back, too
redis.call('SET', KEYS[1], string.format('%.6f', now + left), 'PX', string.format('%.0f', math.max(1, math.ceil(left * 1000))))
return string.format('%.6f', left)

-- The index of all logs: KEYS[1] has each channel, at the time (milliseconds) when its log ends unless it is used.
-- ARGV: a channel and how long from now that is; or nothing, to let go what has ended.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if ARGV[1] ~= '' then
  local life = tonumber(ARGV[2])
  redis.call('ZADD', KEYS[1], now + life, ARGV[1])
  if redis.call('PTTL', KEYS[1]) < life then
    redis.call('PEXPIRE', KEYS[1], life)
  end
end

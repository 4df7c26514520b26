-- How many sessions and persons are in a channel; then session and entry of each, unless there are more than ARGV[1].
-- KEYS as in `enter`.
local sessions = redis.call('HLEN', KEYS[1])
local answer = sessions <= tonumber(ARGV[1]) and redis.call('HGETALL', KEYS[1]) or {}
table.insert(answer, 1, sessions)
table.insert(answer, 2, redis.call('HLEN', KEYS[2]))
return answer

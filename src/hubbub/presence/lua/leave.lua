-- A node's session is no longer in a channel. Returns 1 if it was its person's last one, 0 if the person is still there
-- (or the session, on another node), -1 if neither the session nor the person was there.
-- KEYS as in `enter`. ARGV: node, generation, session, user.
local person = ARGV[4] ~= '' and '=' .. ARGV[4] or '~' .. ARGV[3]
local old = redis.call('HGET', KEYS[1], ARGV[3])
if not old then
  return redis.call('HEXISTS', KEYS[2], person) - 1
end
local owner, age, length, rest = string.match(old, '^(%w+)%.(%d+) (%d+) (.*)$')
if owner ~= ARGV[1] or tonumber(age) > tonumber(ARGV[2]) then
  return 0
end
redis.call('HDEL', KEYS[1], ARGV[3])
local user = string.sub(rest, 1, tonumber(length))
person = user ~= '' and '=' .. user or '~' .. ARGV[3]
if redis.call('HINCRBY', KEYS[2], person, -1) < 1 then
  redis.call('HDEL', KEYS[2], person)
  return 1
end
return 0

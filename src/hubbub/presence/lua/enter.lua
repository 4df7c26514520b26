-- A node's sessions are in a channel. Returns for each how many sessions its person has there now: positive if one came
-- with it, negative if not; 0 if it is another node's.
-- KEYS: the entries, a hash: session -> "<node>.<generation> <bytes of user> <user><info>"; persons, a hash: person ->
-- sessions.
-- ARGV: node, generation, how long both are kept (ms); for each session: its id, user, info, and "1" if it has just come
-- to this node, "0" if that is only said again, and it may have gone to another one meanwhile.
local node, generation = ARGV[1], tonumber(ARGV[2])
local answers = {}
for index = 4, #ARGV - 5, 4 do
  local session, user, info = ARGV[index], ARGV[index + 1], ARGV[index + 2]
  local person = user ~= '' and '=' .. user or '~' .. session
  local old = redis.call('HGET', KEYS[1], session)
  local writes, comes, disputed = true, true, false
  if old then
    local owner, age, length, rest = string.match(old, '^(%w+)%.(%d+) (%d+) (.*)$')
    if owner == node then
      writes = tonumber(age) <= generation -- else this was sent before what is there, and came late
    else
      writes = ARGV[index + 3] == '1'
      disputed = not writes
    end
    local before = string.sub(rest, 1, tonumber(length))
    comes = writes and before ~= user
    if comes then
      local left = before ~= '' and '=' .. before or '~' .. session
      if redis.call('HINCRBY', KEYS[2], left, -1) < 1 then
        redis.call('HDEL', KEYS[2], left)
      end
    end
  end
  if writes then
    redis.call('HSET', KEYS[1], session, node .. '.' .. ARGV[2] .. ' ' .. #user .. ' ' .. user .. info)
  end
  if disputed then
    answers[#answers + 1] = 0
  elseif comes then
    answers[#answers + 1] = redis.call('HINCRBY', KEYS[2], person, 1)
  else
    answers[#answers + 1] = -(tonumber(redis.call('HGET', KEYS[2], person)) or 0)
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return answers

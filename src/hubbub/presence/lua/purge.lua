-- Take out of a channel what a node left there in a generation or before. Returns where to go on ("0": that was all),
-- then session, user and info of each person's last session.
-- KEYS as in `enter`. ARGV: node, generation, where to go on, about how many entries to look at.
local generation = tonumber(ARGV[2])
local found = redis.call('HSCAN', KEYS[1], ARGV[3], 'COUNT', ARGV[4])
local answer = { found[1] }
for index = 1, #found[2], 2 do
  local session = found[2][index]
  local owner, age, length, rest = string.match(found[2][index + 1], '^(%w+)%.(%d+) (%d+) (.*)$')
  if owner == ARGV[1] and tonumber(age) <= generation and redis.call('HDEL', KEYS[1], session) == 1 then
    local user = string.sub(rest, 1, tonumber(length))
    local person = user ~= '' and '=' .. user or '~' .. session
    if redis.call('HINCRBY', KEYS[2], person, -1) < 1 then
      redis.call('HDEL', KEYS[2], person)
      answer[#answer + 1] = session
      answer[#answer + 1] = user
      answer[#answer + 1] = string.sub(rest, tonumber(length) + 1)
    end
  end
end
return answer

-- Keep a value if the one there is what the caller thinks.
-- KEYS: the value. ARGV: "1" if there is thought to be one, what it is thought to be, the new one, its life (ms).
local present = redis.call('GET', KEYS[1])
if ARGV[1] == '1' then
  if present ~= ARGV[2] then
    return 0
  end
elseif present then
  return 0
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1

-- Publish what is kept nowhere, once for each idempotency key. KEYS[1] keeps the key: the digest of what it was used
-- for, then what that gave. Gives how many heard it; what was given before, for a repeat; nothing, for another use.
local digest, given, life, name, frame = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local first = redis.call('GET', KEYS[1])
if first then
  if string.sub(first, 1, 16) ~= digest then
    return false
  end
  return string.sub(first, 17)
end
redis.call('SET', KEYS[1], digest .. given, 'PX', life)
return redis.call(ARGV[#ARGV], name, frame)

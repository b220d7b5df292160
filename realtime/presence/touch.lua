-- Everything that happens to the people of one stream, in one atomic step: leases are taken,
-- renewed, shortened and run out, each person's state is worked out anew, and every difference is
-- counted. Time is Redis's own, because the clocks of the nodes may differ by minutes.
--
-- KEYS  leases  zset: "<user>:<connection>" by the moment at which its lease ends, in ms
--       people  hash: user -> {n: name, s: state told last, t: {connection: {state, since}}}
--       due     zset: user by the moment at which the person becomes away
--       meta    hash: nonce, counter
-- ARGV  1 lease_ms, 2 linger_ms (of a clean close), 3 away_ms, 4 keep_ms (of all keys),
--       5 a nonce for a new beginning, 6 and 7 the nonce and counter that the caller knows (an
--       empty counter: no list is wanted),
--       8 JSON [[user, name, connection, state, age_ms], ...] to register or to change,
--       9 and 10 "<user>:<connection> ..." to renew, and to let go
-- Gives {nonce, counter, differences, missing, list}: differences are {user, name, state, former},
-- flat, as JSON, or '' for none; missing are the leases of 9 that are not held any more; list is
-- {user, name, state}, flat, as JSON ('' for nobody), or false where none is wanted, or the
-- caller's knowledge and the differences are all there is to know.
local leases, people, due, meta = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease_ms, linger_ms, away_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local SWEPT = 1000 -- ends of leases looked at in one step; the rest is for the next one

local nonce = redis.call('HGET', meta, 'nonce')
if not nonce or redis.call('EXISTS', leases) ~= redis.call('EXISTS', people) then
  -- Emptied, replaced, or a part evicted: what is left is not to be believed.
  redis.call('DEL', leases, people, due, meta)
  nonce = ARGV[5]
  redis.call('HSET', meta, 'nonce', nonce, 'counter', 0)
end
local counter = tonumber(redis.call('HGET', meta, 'counter'))
local known = ARGV[7] == '' or (nonce == ARGV[6] and counter == tonumber(ARGV[7]))

local changed, order = {}, {}
local function person(user, name)
  local held = changed[user]
  if not held then
    local stored = redis.call('HGET', people, user)
    held = stored and cjson.decode(stored) or {n = name or '', s = 'offline', t = {}}
    changed[user] = held
    order[#order + 1] = user
  end
  if name then held.n = name end
  return held
end

for _, entry in ipairs(cjson.decode(ARGV[8])) do
  local user, name, connection, state, age = unpack(entry)
  user = tostring(user)
  redis.call('ZADD', leases, now + lease_ms, user .. ':' .. connection)
  person(user, name).t[connection] = {state, now - age}
end

local missing = {}
for lease in string.gmatch(ARGV[9], '%S+') do
  if redis.call('ZSCORE', leases, lease) then
    redis.call('ZADD', leases, now + lease_ms, lease)
  else
    missing[#missing + 1] = lease
  end
end

for lease in string.gmatch(ARGV[10], '%S+') do
  local ends = redis.call('ZSCORE', leases, lease)
  if ends and tonumber(ends) > now + linger_ms then
    redis.call('ZADD', leases, now + linger_ms, lease)
  end
end

for _, lease in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, SWEPT)) do
  redis.call('ZREM', leases, lease)
  local user, connection = string.match(lease, '^(.-):(.*)$')
  person(user).t[connection] = nil
end
for _, user in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, SWEPT)) do
  person(user)
end

local function state_of(held)
  local found, hidden_since = nil, 0
  for _, tab in pairs(held.t) do
    if tab[1] == 'busy' then return 'busy' end
    if tab[1] == 'online' then found = 'online' end
    hidden_since = math.max(hidden_since, tab[2])
  end
  if found or not next(held.t) then return found or 'offline' end
  local away_at = hidden_since + away_ms
  if away_at <= now then return 'away' end
  return 'online', away_at
end

local differences = {}
for _, user in ipairs(order) do
  local held = changed[user]
  local state, away_at = state_of(held)
  if away_at then redis.call('ZADD', due, away_at, user) else redis.call('ZREM', due, user) end
  if state ~= held.s then
    counter = redis.call('HINCRBY', meta, 'counter', 1)
    for _, part in ipairs({user, held.n, state, held.s}) do
      differences[#differences + 1] = part
    end
    held.s = state
  end
  if next(held.t) then
    redis.call('HSET', people, user, cjson.encode(held))
  else
    redis.call('HDEL', people, user)
  end
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[4]) end

local list = false
if not known then
  list = {}
  local all = redis.call('HGETALL', people)
  for at = 1, #all, 2 do
    local held = cjson.decode(all[at + 1])
    for _, part in ipairs({all[at], held.n, held.s}) do list[#list + 1] = part end
  end
end
-- One text each: a client takes many small values apart far more slowly than JSON.
local function text(flat)
  return flat and (#flat > 0 and cjson.encode(flat) or '')
end
return {nonce, counter, text(differences), missing, text(list)}

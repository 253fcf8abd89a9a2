"""What the logs do inside Redis: each operation on a partition is one script."""

from __future__ import annotations

from hashlib import sha1
from typing import Final

ENTRY_OVERHEAD: Final = 96
"""Bytes an entry is counted with beside its payload."""

# KEYS: the stream, its byte count, its sequence numbers, its count of dropped entries.

_WEIGHT = f"""
local function weight(entry)
  return string.len(entry[2][2]) + {ENTRY_OVERHEAD}
end
local function forget(id, size)
  if redis.call('XDEL', KEYS[1], id) == 1 then redis.call('DECRBY', KEYS[2], size) end
end
"""

APPEND = (
    _WEIGHT
    + f"""
local limit, on_full, payload, readings = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local size = string.len(payload) + {ENTRY_OVERHEAD}
local held = tonumber(redis.call('GET', KEYS[2]) or '0')
if held + size > limit and held > 0 then
  if on_full == 'refuse' then return false end
  while tonumber(redis.call('GET', KEYS[2]) or '0') + size > limit do
    local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
    if not oldest then redis.call('SET', KEYS[2], 0) break end
    forget(oldest[1], weight(oldest))
    redis.call('INCR', KEYS[4])
  end
end
local id = redis.call('XADD', KEYS[1], '*', 'b', payload, 'n', readings)
redis.call('INCRBY', KEYS[2], size)
for first = 5, #ARGV, 1000 do
  redis.call('HSET', KEYS[3], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
return id
"""
)

# ARGV: group, then id and payload length by turns. Only what this call removed is uncounted,
# so that acknowledging twice does no harm.
ACK_AND_DELETE = (
    _WEIGHT
    + f"""
local acknowledged = 0
for i = 2, #ARGV, 2 do
  acknowledged = acknowledged + redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
  forget(ARGV[i], ARGV[i + 1] + {ENTRY_OVERHEAD})
end
return acknowledged
"""
)

# The same, but an entry goes only when no group still has to see or acknowledge it.
ACK_AND_TRIM = (
    _WEIGHT
    + """
local acknowledged = 0
for i = 2, #ARGV, 2 do
  acknowledged = acknowledged + redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
end
local function before(a, b)
  local a_ms, a_n = string.match(a, '(%d+)-(%d+)')
  local b_ms, b_n = string.match(b, '(%d+)-(%d+)')
  if a_ms ~= b_ms then return tonumber(a_ms) < tonumber(b_ms) end
  return tonumber(a_n) < tonumber(b_n)
end
local keep_from, keep_after
for _, raw in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #raw, 2 do group[raw[i]] = raw[i + 1] end
  local pending = redis.call('XPENDING', KEYS[1], group['name'])
  if pending[1] > 0 then
    if not keep_from or before(pending[2], keep_from) then keep_from = pending[2] end
  end
  local seen = group['last-delivered-id']
  if not keep_after or before(seen, keep_after) then keep_after = seen end
end
while keep_after do
  local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  if not oldest or before(keep_after, oldest[1]) then break end
  if keep_from and not before(oldest[1], keep_from) then break end
  forget(oldest[1], weight(oldest))
end
return acknowledged
"""
)

# ARGV: optionally a group. Ids only: the payloads stay where they are.
MEASURE = """
local oldest
if ARGV[1] then
  local waiting, seen = 0, '0-0'
  for _, raw in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local group = {}
    for i = 1, #raw, 2 do group[raw[i]] = raw[i + 1] end
    if group['name'] == ARGV[1] then
      seen = group['last-delivered-id']
      local pending = redis.call('XPENDING', KEYS[1], ARGV[1])
      waiting = pending[1]
      if waiting > 0 then oldest = pending[2] end
      -- Redis cannot tell the lag of a group where entries were deleted ahead of it:
      -- counted then, up to a thousand.
      if group['lag'] then waiting = waiting + group['lag']
      else waiting = waiting + #redis.call('XRANGE', KEYS[1], '(' .. seen, '+', 'COUNT', 1000) end
    end
  end
  if not oldest then
    local following = redis.call('XRANGE', KEYS[1], '(' .. seen, '+', 'COUNT', 1)[1]
    oldest = following and following[1]
  end
  return {waiting, oldest or ''}
end
oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
return {redis.call('XLEN', KEYS[1]), tonumber(redis.call('GET', KEYS[2]) or '0'),
        oldest and oldest[1] or '', tonumber(redis.call('GET', KEYS[4]) or '0')}
"""

SHA = {
    script: sha1(script.encode(), usedforsecurity=False).hexdigest()
    for script in (APPEND, ACK_AND_DELETE, ACK_AND_TRIM, MEASURE)
}

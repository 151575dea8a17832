-- Answers each message of a connection with itself until it ends, after a check of the message and
-- `burst` units of work. Returns how many, and how many were not what the client sends next.

local socket, rounds, burst = ...
local connection <close> = socket
local message_size = 64

-- As make_message() in message.cpp.
local function intact(message, sequence)
  local words = { string.unpack("=i8i8i8i8i8i8i8i8", message) }
  if words[1] ~= sequence then return false end
  local state, checksum = sequence, 0
  for i = 2, 7 do
    state = state + 0x9e3779b97f4a7c15
    local word = (state ~ state >> 30) * 0xbf58476d1ce4e5b9
    if words[i] ~= word then return false end
    checksum = checksum ~ word
  end
  return words[8] == checksum
end

local function work(units)
  local state = 1
  for _ = 1, units * rounds do
    state = state ~ state << 13
    state = state ~ state >> 7
    state = state ~ state << 17
  end
end

local answered, damaged = 0, 0
while true do
  local request = connection:read(message_size)
  if not request then break end
  if not intact(request, answered) then damaged = damaged + 1 end
  work(burst)
  if not connection:write(request) then break end
  answered = answered + 1
end
return answered, damaged

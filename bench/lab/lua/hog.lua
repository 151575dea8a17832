-- A thread that computes, and never lets go by itself, until it is told to stop. Returns the units of
-- work that it has done, each of so many rounds of xorshift64.

local rounds, stopped = ...
local state, work = 1, 0
repeat
  for _ = 1, 100 do
    for _ = 1, rounds do
      state = state ~ state << 13
      state = state ~ state >> 7
      state = state ~ state << 17
    end
    work = work + 1
  end
until stopped()
return work

-- What many threads do at once with tables that they share, and what must be true of these in the end.
-- A checkpoint may come between any two instructions of the virtual machine: one instruction, and one
-- call of a C function, is one step; an addition to a field is not, and so only one thread writes it.

local stress = {
  stop = false,
  queue = {},      -- numbers of threads, appended and removed by all
  names = {},      -- keys and values in which their thread's number is
  appended = {},   -- of each thread: how often it appended
  removed = {},    -- of each thread: whose numbers it has removed, how often
  texts = {},      -- of each thread: a string that grows
  rounds = {},
  finalized = {},  -- of each thread: how many of its objects the collector has found
  dropped = {},    -- of each thread: how many it has dropped
}

local keys = 97  -- of each thread
local longest_text = 300

local function text_after(me, rounds)
  return string.char(64 + me):rep(rounds % longest_text)
end

local function use_names(me, round)
  stress.names["t" .. me .. "-" .. round % keys] = "v" .. me .. ":" .. round
  if round % 5 == 0 then stress.names["t" .. me .. "-" .. (round // 5) % keys] = nil end
  local other = me % #stress.rounds + 1
  local found = stress.names["t" .. other .. "-" .. round % keys]
  assert(found == nil or found:match("^v(%d+):") == tostring(other), found)
end

local function use_queue(me, round)
  table.insert(stress.queue, me)
  stress.appended[me] = stress.appended[me] + 1
  if round % 3 ~= 0 then
    local whose = table.remove(stress.queue, round % 7 == 0 and #stress.queue > 0 and 1 or nil)
    if whose then stress.removed[me][whose] = (stress.removed[me][whose] or 0) + 1 end
  end
end

local function use_coroutines(me)
  local sum = 0
  for i in coroutine.wrap(function() for i = 1, 5 do coroutine.yield(i * me) end end) do
    sum = sum + i
  end
  assert(sum == 15 * me)
  local done, message = coroutine.resume(coroutine.create(function() error({ me }) end))
  assert(not done and message[1] == me)
end

local function use_collector(me, round)
  setmetatable({}, { __gc = function() stress.finalized[me] = stress.finalized[me] + 1 end })
  stress.dropped[me] = stress.dropped[me] + 1
  if round % 50 == me then collectgarbage("step") end
  if round % 500 == me then collectgarbage() end
  if round % 1000 == me then collectgarbage(round % 2000 == me and "generational" or "incremental") end
end

function stress.prepare(threads)
  for i = 1, threads do
    stress.appended[i] = 0
    stress.removed[i] = {}
    stress.texts[i] = ""
    stress.rounds[i] = 0
    stress.finalized[i] = 0
    stress.dropped[i] = 0
  end
end

function stress.work(me)
  local round = 0
  while not stress.stop do
    round = round + 1
    use_names(me, round)
    use_queue(me, round)
    use_coroutines(me)
    use_collector(me, round)
    stress.texts[me] = round % longest_text == 0 and "" or stress.texts[me] .. string.char(64 + me)
    stress.rounds[me] = round
    if me % 2 == 0 then sleep(0.00001) end
  end
end

-- For a lock under which no thread starves: under another it may wait for ever.
function stress.wait_for_all(threads)
  for i = 1, threads do
    while stress.rounds[i] == 0 do sleep(0.001) end
  end
end

function stress.finish(seconds)
  sleep(seconds)
  stress.stop = true
end

function stress.check(threads)
  collectgarbage("incremental")
  collectgarbage()
  local left = {}
  for i = 1, threads do left[i] = stress.appended[i] end
  for _, removed in ipairs(stress.removed) do
    for whose, count in pairs(removed) do left[whose] = left[whose] - count end
  end
  for _, whose in ipairs(stress.queue) do left[whose] = left[whose] - 1 end
  local rounds = 0
  for i = 1, threads do
    rounds = rounds + stress.rounds[i]
    assert(left[i] == 0, "of what thread " .. i .. " appended, " .. left[i] .. " are missing")
    assert(stress.texts[i] == text_after(i, stress.rounds[i]), "a text is damaged")
  end
  assert(rounds > 0, "nothing was done")
  for name, value in pairs(stress.names) do
    assert(value:match("^v(%d+):") == name:match("^t(%d+)-"), name .. " = " .. value)
  end
  -- A finalizer runs on whichever thread the collector does, and there is no checkpoint inside.
  for i = 1, threads do assert(stress.finalized[i] == stress.dropped[i], "a finalizer was lost") end
end

return stress

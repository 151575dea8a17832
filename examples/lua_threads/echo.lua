-- A server that sends back what it gets, and a client, in one script each: run it twice. The first one
-- to come serves.

local requests = 10000

if not port then
  local server <close>, chosen = tcp.listen()
  port = chosen
  local connection <close> = server:accept()
  local answered = 0
  while true do
    local message = connection:read()
    if not message then break end
    connection:write(message)
    answered = answered + 1
  end
  print("server: " .. answered .. " answers")
else
  local connection <close> = assert(tcp.connect(port))
  for i = 1, requests do
    local message = "message " .. i
    connection:write(message)
    assert(connection:read(#message) == message)
  end
  print("client: " .. requests .. " echoes")
  done = true
end

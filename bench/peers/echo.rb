# SPDX-License-Identifier: MIT
# An echo server beside threads that compute; what it does exactly is in README.md.

require 'socket'

def hog(counts, index)
  x = index
  while true
    step = 0
    while step < 1000
      x = (x * 1103515245 + 12345) & 0x7FFFFFFF
      step += 1
    end
    counts[index] += 1
  end
end

def echo(connection)
  connection.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
  loop { connection.write(connection.readpartial(64)) }
rescue EOFError, SystemCallError
  # the client has gone
end

def serve(listener)
  loop do
    connection = listener.accept
    echo(connection)
    connection.close
  end
end

counts = Array.new(Integer(ARGV.fetch(0)), 0)
listener = TCPServer.new('127.0.0.1', 0)
$stdout.sync = true
puts listener.addr[1]
Thread.new { serve(listener) }
counts.each_index { |index| Thread.new { hog(counts, index) } }
puts format('%d %.6f', counts.sum, Time.now.to_f) while $stdin.gets
exit!(0) # without waiting for the hogs

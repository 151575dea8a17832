// SPDX-License-Identifier: MIT
#pragma once

#include <lua.hpp>

namespace conch::lua {

/// Gives Lua code the functions below; it is to be called inside a lua_pcall(). While one of them waits,
/// other threads run, and an interrupt ends it. What fails returns nil and a message.
///
///   print(...)              as Lua's own
///   sleep(seconds)
///   tcp.listen([port])      a socket that listens on the loopback, and its port: a free one if not given
///   tcp.connect(port)       a socket that is connected to a port of the loopback
///   socket:accept()         a socket for the next connection
///   socket:read([count])    a string of so many bytes, or of those that are there; nil at the end
///   socket:write(string)    true
///   socket:close()          whoever waits for it elsewhere stops waiting; also done at the end of a
///                           scope (local s <close>) and by the collector
void open_io(lua_State* state);

/// Leaves a socket on the stack that is the owner of `descriptor`, a connected stream.
void push_socket(lua_State* state, int descriptor);

}  // namespace conch::lua

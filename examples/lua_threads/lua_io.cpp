// SPDX-License-Identifier: MIT
#include "lua_io.hpp"

#include "lua_universe.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

namespace conch::lua {

namespace {

constexpr const char* socket_type = "conch.socket";

/// Guarded by the universe's lock, as all that Lua code sees.
struct socket {
  int descriptor = -1;
  unsigned users = 0;  // threads that wait for it
  bool closed = false;
};

/// What a call made of a descriptor. Everything in it must need no destructor: errors jump.
struct result {
  ::ssize_t count = -1;
  int error = 0;

  /// True if it is worth no other try now; to be called right after the system call.
  bool take(::ssize_t returned) noexcept {
    count = returned;
    error = returned < 0 ? errno : 0;
    return error != EAGAIN && error != EWOULDBLOCK && error != EINTR;
  }
};

/// Leaves it on the stack.
const char* push_message(lua_State* state, int error) {
  char buffer[128];
  return lua_pushstring(state, ::strerror_r(error, buffer, sizeof buffer));
}

int fail(lua_State* state, int error) {
  lua_pushnil(state);
  push_message(state, error);
  return 2;
}

bool is_ready(int descriptor, short events) noexcept {
  ::pollfd watched{descriptor, events, 0};
  return ::poll(&watched, 1, 0) != 0;
}

/// Calls attempt() on the calling thread until it is true, and raises what comes up meanwhile.
template <class Attempt>
void block(lua_State* state, int descriptor, short events, Attempt attempt) {
  auto& self = script_thread::of_caller();
  if (!self.block(descriptor, events, script_thread::no_deadline, attempt)) self.raise(state);
}

// Not about sockets --------------------------------------------------------------------------------

int sleep(lua_State* state) {
  const auto time = luaL_checknumber(state, 1);
  luaL_argcheck(state, time >= 0 && time <= 1e9, 1, "not a number of seconds from 0 to 1e9");
  const auto deadline =
      posix_platform::now() +
      std::chrono::duration_cast<posix_platform::duration>(std::chrono::duration<lua_Number>(time));
  auto& self = script_thread::of_caller();
  if (!self.block(-1, 0, deadline, []() noexcept { return false; })) self.raise(state);
  return 0;
}

int print(lua_State* state) {
  const int count = lua_gettop(state);
  luaL_Buffer buffer;
  luaL_buffinit(state, &buffer);
  for (int i = 1; i <= count; ++i) {
    if (i > 1) luaL_addchar(&buffer, '\t');
    luaL_tolstring(state, i, nullptr);
    luaL_addvalue(&buffer);
  }
  luaL_addchar(&buffer, '\n');
  luaL_pushresult(&buffer);
  std::fflush(stdout);  // what io.write() has left there comes first
  std::size_t left = 0;
  const char* text = lua_tolstring(state, -1, &left);
  result end;
  while (left != 0) {
    // A pipe that can be written to takes PIPE_BUF bytes at once.
    block(state, STDOUT_FILENO, POLLOUT, [&]() noexcept {
      return is_ready(STDOUT_FILENO, POLLOUT) &&
             end.take(::write(STDOUT_FILENO, text, std::min<std::size_t>(left, PIPE_BUF)));
    });
    if (end.count < 0) return luaL_error(state, "print: %s", push_message(state, end.error));
    text += end.count;
    left -= static_cast<std::size_t>(end.count);
  }
  return 0;
}

// Sockets ------------------------------------------------------------------------------------------

socket& push_new_socket(lua_State* state) {
  auto* const made = new (lua_newuserdatauv(state, sizeof(socket), 0)) socket;
  luaL_setmetatable(state, socket_type);
  return *made;
}

socket& to_socket(lua_State* state) {
  return *static_cast<socket*>(luaL_checkudata(state, 1, socket_type));
}

void close_if_unused(socket& it) noexcept {
  if (it.closed && it.users == 0 && it.descriptor >= 0) ::close(std::exchange(it.descriptor, -1));
}

/// As block(), on a socket that is on the stack. EBADF if it is, or has been, closed.
template <class Attempt>
result block_on(lua_State* state, socket& it, short events, Attempt attempt) {
  result end;
  if (it.closed) {
    end.error = EBADF;
    return end;
  }
  ++it.users;
  auto& self = script_thread::of_caller();
  const bool goes_on = self.block(it.descriptor, events, script_thread::no_deadline,
                                  [&]() noexcept { return attempt(end); });
  --it.users;
  close_if_unused(it);
  if (!goes_on) self.raise(state);
  if (it.closed) end = {-1, EBADF};
  return end;
}

int close(lua_State* state) {
  auto& it = to_socket(state);
  if (!it.closed && it.users != 0) ::shutdown(it.descriptor, SHUT_RDWR);  // wakes them
  it.closed = true;
  close_if_unused(it);
  return 0;
}

::sockaddr_in loopback(lua_Integer port) noexcept {
  ::sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(static_cast<std::uint16_t>(port));
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return where;
}

lua_Integer check_port(lua_State* state, lua_Integer least, lua_Integer port) {
  luaL_argcheck(state, port >= least && port <= 65'535, 1, "not a port");
  return port;
}

bool open_stream(socket& it) noexcept {
  it.descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  return it.descriptor >= 0;
}

void turn_nagle_off(int descriptor) noexcept {
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int listen(lua_State* state) {
  auto where = loopback(check_port(state, 0, luaL_optinteger(state, 1, 0)));
  auto* const address = reinterpret_cast<::sockaddr*>(&where);
  ::socklen_t size = sizeof where;
  auto& it = push_new_socket(state);
  const int on = 1;
  if (!open_stream(it) ||
      ::setsockopt(it.descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(it.descriptor, address, size) != 0 || ::listen(it.descriptor, SOMAXCONN) != 0 ||
      ::getsockname(it.descriptor, address, &size) != 0)
    return fail(state, errno);
  lua_pushinteger(state, ntohs(where.sin_port));
  return 2;
}

int connect(lua_State* state) {
  const auto where = loopback(check_port(state, 1, luaL_checkinteger(state, 1)));
  auto& it = push_new_socket(state);
  if (!open_stream(it)) return fail(state, errno);
  turn_nagle_off(it.descriptor);
  int error = 0;
  if (::connect(it.descriptor, reinterpret_cast<const ::sockaddr*>(&where), sizeof where) != 0)
    error = errno;
  if (error == EINPROGRESS) {
    const auto end = block_on(state, it, POLLOUT, [&it](result& r) noexcept {
      if (!is_ready(it.descriptor, POLLOUT)) return false;
      int found = 0;
      ::socklen_t size = sizeof found;
      ::getsockopt(it.descriptor, SOL_SOCKET, SO_ERROR, &found, &size);
      r = {0, found};
      return true;
    });
    error = end.error;
  }
  return error != 0 ? fail(state, error) : 1;
}

int accept(lua_State* state) {
  auto& it = to_socket(state);
  auto& made = push_new_socket(state);  // before there is a descriptor that could be lost
  const auto end = block_on(state, it, POLLIN, [&](result& r) noexcept {
    const int descriptor = ::accept4(it.descriptor, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (descriptor >= 0) made.descriptor = descriptor;
    return r.take(descriptor);
  });
  if (end.count < 0) return fail(state, end.error);
  turn_nagle_off(made.descriptor);
  return 1;
}

int read(lua_State* state) {
  auto& it = to_socket(state);
  const bool exactly = !lua_isnoneornil(state, 2);
  const auto wanted = luaL_optinteger(state, 2, LUAL_BUFFERSIZE);
  luaL_argcheck(state, wanted > 0 && wanted <= INT_MAX, 2, "not a number of bytes");
  luaL_Buffer buffer;
  char* const bytes = luaL_buffinitsize(state, &buffer, static_cast<std::size_t>(wanted));
  std::size_t there = 0;
  do {
    const auto end = block_on(state, it, POLLIN, [&](result& r) noexcept {
      return r.take(::recv(it.descriptor, bytes + there, static_cast<std::size_t>(wanted) - there,
                           MSG_DONTWAIT));
    });
    if (end.count < 0) return fail(state, end.error);
    if (end.count == 0) {
      lua_pushnil(state);
      return 1;
    }
    there += static_cast<std::size_t>(end.count);
  } while (exactly && there < static_cast<std::size_t>(wanted));
  luaL_pushresultsize(&buffer, there);
  return 1;
}

int write(lua_State* state) {
  auto& it = to_socket(state);
  std::size_t left = 0;
  const char* text = luaL_checklstring(state, 2, &left);
  while (left != 0) {
    const auto end = block_on(state, it, POLLOUT, [&](result& r) noexcept {
      return r.take(::send(it.descriptor, text, left, MSG_NOSIGNAL | MSG_DONTWAIT));
    });
    if (end.count < 0) return fail(state, end.error);
    text += end.count;
    left -= static_cast<std::size_t>(end.count);
  }
  lua_pushboolean(state, 1);
  return 1;
}

}  // namespace

void open_io(lua_State* state) {
  constexpr ::luaL_Reg methods[] = {{"accept", accept}, {"read", read},  {"write", write},
                                    {"close", close},   {"__gc", close}, {"__close", close},
                                    {nullptr, nullptr}};
  luaL_newmetatable(state, socket_type);
  luaL_setfuncs(state, methods, 0);
  lua_pushvalue(state, -1);
  lua_setfield(state, -2, "__index");
  lua_pop(state, 1);

  constexpr ::luaL_Reg functions[] = {{"listen", listen}, {"connect", connect}, {nullptr, nullptr}};
  luaL_newlib(state, functions);
  lua_setglobal(state, "tcp");
  lua_register(state, "sleep", sleep);
  lua_register(state, "print", print);
}

void push_socket(lua_State* state, int descriptor) {
  push_new_socket(state).descriptor = descriptor;
}

}  // namespace conch::lua

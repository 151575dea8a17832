// SPDX-License-Identifier: MIT

#include "counted_allocations.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace conch::testing {
std::atomic<std::uint64_t> counted_allocations{0};
}  // namespace conch::testing

namespace {
void* allocate(std::size_t size) noexcept {
  // Relaxed: the count orders nothing.
  conch::testing::counted_allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size);
}

void* allocate_or_throw(std::size_t size) {
  if (void* memory = allocate(size)) return memory;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t size) { return allocate_or_throw(size); }
void* operator new[](std::size_t size) { return allocate_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

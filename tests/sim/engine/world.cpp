// SPDX-License-Identifier: MIT
#include "world.hpp"

#include "platform.hpp"

#include <sys/mman.h>

#include <cxxabi.h>
#include <boost/context/detail/fcontext.hpp>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <stdexcept>

namespace conch::sim {
namespace {

using engine::awaits;
using engine::choose;
using engine::join_clock;
using engine::life;
using engine::location;
using engine::operation;
using engine::own_object;
using engine::point;
using engine::stop;
using engine::vector_clock;
namespace context = boost::context::detail;

constexpr std::size_t stack_size = std::size_t{128} << 10U;

constexpr std::uint64_t bit(unsigned thread) { return std::uint64_t{1} << thread; }

/// The exceptions that are under way in a thread, as the C++ runtime library keeps them for the thread
/// that all fibers share: struct __cxa_eh_globals of the Itanium C++ ABI, section 2.2.2.
struct exceptions_under_way {
  void* caught = nullptr;
  unsigned uncaught = 0;

  void save() { std::memcpy(this, abi::__cxa_get_globals(), sizeof *this); }
  void restore() const { std::memcpy(abi::__cxa_get_globals(), this, sizeof *this); }
};

struct task {
  context::fcontext_t where = nullptr;
  void* stack = nullptr;
  std::function<void()> body;
  std::string name;
  awaits what = awaits::nothing;
  const void* object = nullptr;
  time_point deadline;
  bool woken = false;
  bool finished = false;
  bool joined = false;
  std::uint64_t joiners = 0;
  unsigned stall_in = 0;
  duration stall{};
  vector_clock clock{};
  vector_clock acquired{};  // by relaxed loads: what an acquire fence gets to know
  vector_clock released{};  // at the last release fence
  std::vector<own_object> owned;
  exceptions_under_way exceptions;
};

struct trace_row {
  time_point when;
  unsigned thread;
  std::string text;
};

struct world {
  bool in_run = false;
  bool direct = false;  // when_quiet(): operations are not part of the schedule
  bool tracing = false;
  machine model;
  scheduler* decides = nullptr;

  std::uint64_t runs = 0;
  std::uint64_t steps = 0;
  std::uint64_t progress_at = 0;
  std::uint64_t choices = 0;
  std::uint64_t hash = 0;
  std::uint64_t wakes = 0;
  choice_list chosen;
  std::optional<std::string> failure;

  time_point now;
  std::uint64_t era = 0;  // how often time has moved

  std::array<task, max_tasks> tasks;
  unsigned count = 0;
  unsigned current = 0;
  context::fcontext_t hub = nullptr;
  // Sets of threads.
  std::uint64_t runnable = 0;
  std::uint64_t timed = 0;     // not runnable before their deadline
  std::uint64_t spinning = 0;  // likewise, but a changed value ends it
  std::uint64_t yielding = 0;  // those of them that have given way to others
  std::uint64_t waking = 0;    // likewise: woken, and late
  std::uint64_t on_their_way =
      0;  // woken from a condition, semaphore or parker, and not yet running

  std::deque<location> locations;
  std::size_t locations_used = 0;
  vector_clock fences{};  // what all seq_cst fences so far have known
  std::vector<own_object> shared;
  std::vector<std::function<void()>> quiet;

  std::vector<trace_row> rows;
  std::map<const void*, std::string> names;
};

world w;

task& me() { return w.tasks[w.current]; }

bool fiber_runs() { return w.in_run && !w.direct; }

void mix(std::uint64_t value) { w.hash = (w.hash ^ value) * 0x9e3779b97f4a7c15U + (w.hash >> 29U); }

constexpr std::array operation_names{
    "",       "load",    "store", "modify", "compare", "fence", "lock",  "unlock", "wait",
    "notify", "acquire", "post",  "park",   "unpark",  "wake",  "relax", "yield",  "clock",
    "work",   "step",    "start", "finish", "join",    "read",  "write"};

const std::string& name_of(operation what, const void* object) {
  auto& name = w.names[object];
  if (name.empty()) {
    const char* kind = "o";
    if (what == operation::lock || what == operation::unlock) kind = "mutex";
    if (what == operation::wait || what == operation::notify) kind = "cond";
    if (what == operation::acquire || what == operation::release) kind = "sem";
    if (what == operation::park || what == operation::unpark) kind = "parker";
    if (what >= operation::load && what <= operation::compare) kind = "atomic";
    name = std::string(kind) + std::to_string(w.names.size());
  }
  return name;
}

void add_row(std::string text) { w.rows.push_back({w.now, w.current, std::move(text)}); }

void trace(operation what, const void* object) {
  if (!w.tracing) return;
  std::string text = operation_names[static_cast<std::size_t>(what)];
  if (object != nullptr) text += std::string(" ") + name_of(what, object);
  add_row(std::move(text));
}

// Threads -----------------------------------------------------------------------------------------

void switch_to(unsigned next) {
  const unsigned before = w.current;
  if (next == before) return;
  w.current = next;
  w.tasks[before].exceptions.save();
  w.tasks[next].exceptions.restore();
  const auto from = context::jump_fcontext(w.tasks[next].where, &w.tasks[before].where);
  *static_cast<context::fcontext_t*>(from.data) = from.fctx;
}

[[noreturn]] void leave_for_hub() {
  context::fcontext_t nobody = nullptr;
  context::jump_fcontext(w.hub, &nobody);
  std::abort();
}

/// The candidates for the next choice of a thread: the first, then the others by number.
std::span<const unsigned> candidates(std::uint64_t threads, int first) {
  static std::array<unsigned, max_tasks> list;
  std::size_t size = 0;
  if (first >= 0) list[size++] = static_cast<unsigned>(first);
  for (auto rest = threads; rest != 0; rest &= rest - 1) {
    const auto thread = static_cast<unsigned>(std::countr_zero(rest));
    if (static_cast<int>(thread) != first) list[size++] = thread;
  }
  return {list.data(), size};
}

unsigned decide(choice kind, unsigned options, std::span<const unsigned> threads) {
  const auto option = w.decides->pick(kind, options, threads, w.choices);
  if (option != 0) {
    w.chosen.add(w.choices, option);
    mix(option);
  }
  return option;
}

/// The present thread could go on.
void maybe_preempt() {
  if ((w.runnable & ~bit(w.current)) == 0) return;
  ++w.choices;
  if (!w.decides->wants(choice::thread)) return;
  const auto threads = candidates(w.runnable, static_cast<int>(w.current));
  switch_to(threads[decide(choice::thread, static_cast<unsigned>(threads.size()), threads)]);
}

void make_runnable(std::uint64_t threads) {
  w.runnable |= threads;
  w.timed &= ~threads;
  w.spinning &= ~threads;
  w.waking &= ~threads;
}

void fire_timers() {
  for (auto rest = w.timed; rest != 0; rest &= rest - 1) {
    const auto thread = static_cast<unsigned>(std::countr_zero(rest));
    if (w.tasks[thread].deadline <= w.now) make_runnable(bit(thread));
  }
}

void look_around() {
  w.direct = true;
  for (const auto& look : w.quiet) look();
  w.direct = false;
}

/// Nothing can run: lets time move. False if no timer is armed.
bool advance_time() {
  look_around();
  if (w.timed == 0) return false;
  auto first = time_point::max();
  for (auto rest = w.timed; rest != 0; rest &= rest - 1)
    first = std::min(first, w.tasks[static_cast<unsigned>(std::countr_zero(rest))].deadline);
  if (first > w.now) {
    w.now = first;
    ++w.era;
  }
  fire_timers();
  return true;
}

const char* words_for(awaits what) {
  switch (what) {
    case awaits::mutex:
      return "a mutex";
    case awaits::condition:
      return "a signal";
    case awaits::semaphore:
      return "a semaphore";
    case awaits::token:
      return "its token";
    case awaits::thread:
      return "a thread's end";
    default:
      return "nothing";
  }
}

[[noreturn]] void report_deadlock() {
  std::string text = "nothing can run and no timer is armed:";
  for (unsigned i = 0; i < w.count; ++i)
    if (!w.tasks[i].finished)
      text += " " + w.tasks[i].name + " waits for " + words_for(w.tasks[i].what) + ";";
  text.pop_back();
  stop(text);
}

/// The present thread has to let another one run, and goes on when it is chosen again.
void run_another() {
  while (w.runnable == 0)
    if (!advance_time()) report_deadlock();
  const auto threads = candidates(w.runnable, -1);
  std::size_t option = 0;
  if (threads.size() > 1) {
    ++w.choices;
    if (w.decides->wants(choice::next))
      option = decide(choice::next, static_cast<unsigned>(threads.size()), threads);
  }
  switch_to(threads[option]);
}

void sleep_until(time_point deadline) {
  auto& self = me();
  self.deadline = deadline;
  w.runnable &= ~bit(w.current);
  w.timed |= bit(w.current);
}

void end_task() {
  auto& self = me();
  point(operation::finish, nullptr);
  for (std::size_t i = 0; i < self.owned.size(); ++i)
    if (self.owned[i].watched) self.owned[i].at_exit(self.owned[i].object);
  for (auto& object : self.owned)
    if (object.object != nullptr) object.destroy(object.object);
  self.finished = true;
  ++self.clock[w.current % max_tracked];
  w.runnable &= ~bit(w.current);
  make_runnable(self.joiners);
  bool others = false;
  for (unsigned i = 0; i < w.count; ++i) others = others || !w.tasks[i].finished;
  if (!others) leave_for_hub();
  run_another();
  std::abort();
}

void fiber_main(context::transfer_t from) {
  *static_cast<context::fcontext_t*>(from.data) = from.fctx;
  try {
    me().body();
  } catch (const std::exception& e) {
    stop(std::string("an exception ended the thread: ") + e.what());
  } catch (...) {
    stop("an exception ended the thread");
  }
  end_task();
}

void* new_stack() {
  const auto page = std::size_t{4096};
  void* memory = ::mmap(nullptr, stack_size + page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  ::mprotect(memory, page, PROT_NONE);  // an overflow ends the program
  return static_cast<char*>(memory) + page;
}

void release_owned(task& ended) {
  for (auto& object : ended.owned)
    if (object.object != nullptr) object.release(object.object);
  ended.owned.clear();
}

unsigned add_task(std::function<void()> body, std::string name) {
  const unsigned most = w.model.weak_memory ? max_tracked : max_tasks;
  unsigned number = w.count;
  if (w.count < most) {
    ++w.count;
  } else {
    // The place of one that has ended and was joined; vector clocks have no use for it again.
    number = 0;
    while (number < w.count && !(w.tasks[number].joined && !w.model.weak_memory)) ++number;
    if (number == w.count) stop("too many threads for the simulator");
    release_owned(w.tasks[number]);
  }
  auto& added = w.tasks[number];
  if (added.stack == nullptr) added.stack = new_stack();
  void* const stack = added.stack;
  added = task{};
  added.stack = stack;
  added.body = std::move(body);
  added.name = name.empty() ? std::string("T") + std::to_string(number) : std::move(name);
  added.where =
      context::make_fcontext(static_cast<char*>(stack) + stack_size, stack_size, fiber_main);
  if (number != 0) {
    added.clock = me().clock;
    ++me().clock[w.current % max_tracked];
  }
  added.clock[number % max_tracked] = 1;
  w.runnable |= bit(number);
  return number;
}

// Output ------------------------------------------------------------------------------------------

std::string trace_text() {
  constexpr std::size_t shown = 400;
  const std::size_t width = w.count <= 5 ? 22 : 14;
  std::string text = "        time  ";
  const auto pad = [&](std::string cell) {
    cell.resize(std::max(width, cell.size()), ' ');
    return cell + " ";
  };
  for (unsigned i = 0; i < w.count; ++i) text += pad(w.tasks[i].name);
  text += "\n";
  const auto skipped = w.rows.size() > shown ? w.rows.size() - shown : 0;
  if (skipped != 0) text += std::string("  … ") + std::to_string(skipped) + " rows …\n";
  for (auto row = w.rows.begin() + static_cast<std::ptrdiff_t>(skipped); row != w.rows.end();
       ++row) {
    std::array<char, 40> when{};
    const auto since = row->when - time_point(std::chrono::hours(1));
    std::snprintf(when.data(), when.size(), "%9.3f µs  ", static_cast<double>(since.count()) / 1e3);
    text += when.data() + std::string((width + 1) * row->thread, ' ') + row->text + "\n";
  }
  return text;
}

void begin_run(const machine& where, scheduler& decides, bool with_trace) {
  w.model = where;
  w.decides = &decides;
  w.tracing = with_trace;
  ++w.runs;
  w.steps = w.progress_at = w.choices = w.hash = w.wakes = 0;
  w.chosen.clear();
  w.failure.reset();
  w.now = time_point(std::chrono::hours(1));
  w.era = 0;
  w.count = w.current = 0;
  w.runnable = w.timed = w.spinning = w.yielding = w.waking = w.on_their_way = 0;
  w.locations_used = 0;
  w.fences = {};
  w.quiet.clear();
  w.rows.clear();
  w.names.clear();
  w.direct = false;
}

void release_objects(bool whole) {
  for (auto& object : w.shared) {
    if (whole) object.destroy(object.object);
    object.release(object.object);
  }
  w.shared.clear();
  for (unsigned i = 0; i < w.count; ++i) {
    release_owned(w.tasks[i]);
    w.tasks[i].body = nullptr;
  }
}

}  // namespace

outcome run(const std::function<void()>& body, const machine& where, scheduler& decides,
            bool with_trace) {
  begin_run(where, decides, with_trace);
  const auto live = life::count;
  w.in_run = true;
  add_task(body, "main");
  context::fcontext_t* const hub = &w.hub;
  exceptions_under_way callers;
  callers.save();
  context::jump_fcontext(w.tasks[0].where, hub);
  callers.restore();  // a run that fails leaves its own behind
  w.direct = true;    // nobody schedules from here on
  release_objects(!w.failure);
  w.in_run = false;
  w.direct = false;
  if (!w.failure && life::count != live)
    w.failure =
        std::string("leaked: ") + std::to_string(life::count - live) + " objects of the platform";
  life::count = live;
  outcome result{.failure = w.failure,
                 .steps = w.steps,
                 .choices = w.choices,
                 .hash = w.hash,
                 .replay = decides.seed().value_or(w.chosen.text()),
                 .trace = with_trace ? trace_text() : std::string()};
  decides.end(w.choices);
  w.quiet.clear();
  return result;
}

// For scenarios -----------------------------------------------------------------------------------

time_point clock::now() noexcept { return w.now; }

unsigned spawn(std::function<void()> body, std::string name) {
  return add_task(std::move(body), std::move(name));
}

void join(unsigned thread) {
  auto& other = w.tasks[thread];
  if (!other.finished) {
    other.joiners |= bit(w.current);
    me().what = awaits::thread;
    w.runnable &= ~bit(w.current);
    run_another();
    me().what = awaits::nothing;
  }
  join_clock(me().clock, other.clock);
  other.joined = true;
}

void work(duration time) {
  if (time <= duration::zero()) return step();
  if (w.tracing) add_row(std::string("work ") + std::to_string(time.count()) + " ns");
  ++w.steps;
  mix(static_cast<std::uint64_t>(time.count()));
  sleep_until(w.now + time);
  run_another();
}

void step() { point(operation::step, nullptr); }

unsigned pick(unsigned options) { return choose(choice::data, options); }

void fail(const std::string& what) { stop(what); }

void progress() { w.progress_at = w.steps; }

void note(const std::string& text) {
  if (w.tracing) add_row(text);
}

bool traced() { return w.tracing; }

void when_quiet(std::function<void()> look) { w.quiet.push_back(std::move(look)); }

bool nobody_on_the_way() { return (w.runnable | w.spinning | w.waking) == 0; }

void stall_somewhere(duration time, unsigned within) {
  me().stall_in = 1 + pick(within);
  me().stall = time;
}

bool running() noexcept { return w.in_run; }

unsigned spinners() { return static_cast<unsigned>(std::popcount(w.spinning & ~w.yielding)); }

std::uint64_t wakes() { return w.wakes; }

unsigned wakes_on_their_way() { return static_cast<unsigned>(std::popcount(w.on_their_way)); }

std::int64_t live_objects() noexcept { return life::count; }

unsigned sim_platform::cpu_count() noexcept { return w.model.cpus; }

// For the platform --------------------------------------------------------------------------------

namespace engine {

bool is_weak() noexcept { return fiber_runs() && w.model.weak_memory; }

void point(operation what, const void* object) noexcept {
  if (!fiber_runs()) return;
  ++w.steps;
  if (w.steps - w.progress_at > w.model.steps_without_progress)
    stop(std::string("livelock: ") + std::to_string(w.model.steps_without_progress) +
         " steps without progress");
  if (w.model.step > duration::zero()) {
    w.now += w.model.step;
    ++w.era;
    fire_timers();
  }
  if (auto& self = me(); self.stall_in != 0 && --self.stall_in == 0) {
    if (w.tracing) add_row("(stalled)");
    w.waking |= bit(w.current);  // its work is on its way
    sleep_until(w.now + self.stall);
    run_another();
  }
  maybe_preempt();
  mix(static_cast<std::uint64_t>(what) + std::uint64_t{w.current} * 32U +
      static_cast<std::uint64_t>(w.now.time_since_epoch().count()) * 4096U);
  trace(what, object);
}

void point(operation what, const void* object, const life& mark) noexcept {
  point(what, object);
  if (mark.over()) {
    trace(what, object);
    stop(std::string("use after the end: ") + operation_names[static_cast<std::size_t>(what)] +
         " of an object that was destroyed");
  }
}

void result(std::uint64_t value) noexcept {
  if (!fiber_runs()) return;
  mix(value < 4096 ? value : 4096);  // not pointers
  if (w.tracing && !w.rows.empty())
    w.rows.back().text += std::string(" = ") + std::to_string(value);
}

namespace {

bool acquires(std::memory_order order) {
  return order != std::memory_order_relaxed && order != std::memory_order_release;
}
bool releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

location& find(handle& h, std::uint64_t initial) {
  if (h.run == w.runs) return *h.where;
  h.run = w.runs;
  if (w.locations_used == w.locations.size()) w.locations.emplace_back();
  h.where = &w.locations[w.locations_used++];
  h.where->first = h.where->count = 0;
  h.where->push() =
      stored{.value = initial, .released = {}, .known = {}, .era = 0, .seq_cst = false};
  return *h.where;
}

void observe(stored& value, std::memory_order order) {
  auto& self = me();
  auto& known = value.known[w.current];
  known = std::min(known, self.clock[w.current]);
  join_clock(acquires(order) ? self.clock : self.acquired, value.released);
}

bool must_know(const stored& value) {
  if (value.era < w.era) return true;  // values reach everybody before time moves
  const auto& clock = me().clock;
  for (unsigned i = 0; i < w.count; ++i)
    if (value.known[i] <= clock[i]) return true;
  return false;
}

void append(location& where, std::uint64_t value, std::memory_order order,
            const vector_clock* sequence) {
  auto& self = me();
  vector_clock released = releases(order) ? self.clock : self.released;
  if (sequence != nullptr) join_clock(released, *sequence);
  auto& added = where.push();
  added.value = value;
  added.released = released;
  added.known.fill(never);
  added.known[w.current] = self.clock[w.current];
  added.era = w.era;
  added.seq_cst = order == std::memory_order_seq_cst;
  ++self.clock[w.current];
}

}  // namespace

std::uint64_t load(handle& h, std::uint64_t initial, std::memory_order order) noexcept {
  auto& where = find(h, initial);
  unsigned oldest = where.count - 1;
  while (oldest > 0) {
    auto& value = where.at(oldest);
    if (must_know(value) || (value.seq_cst && order == std::memory_order_seq_cst)) break;
    --oldest;
  }
  const unsigned age = choose(choice::value, where.count - oldest);
  auto& value = where.at(where.count - 1 - age);
  observe(value, order);
  if (age != 0 && w.tracing) w.rows.back().text += " old";
  return value.value;
}

void load_newest(handle& h, std::uint64_t initial, std::memory_order order) noexcept {
  observe(find(h, initial).newest(), order);
}

void store(handle& h, std::uint64_t initial, std::uint64_t value,
           std::memory_order order) noexcept {
  append(find(h, initial), value, order, nullptr);
}

void modify(handle& h, std::uint64_t initial, std::uint64_t value,
            std::memory_order order) noexcept {
  auto& where = find(h, initial);
  observe(where.newest(), order);
  const auto sequence = where.newest().released;
  append(where, value, order, &sequence);
}

void changed() noexcept {
  if (!fiber_runs() || w.spinning == 0) return;
  make_runnable(w.spinning & ~bit(w.current));
}

void fence(std::memory_order order) noexcept {
  point(operation::fence, nullptr);
  if (!is_weak()) return;
  auto& self = me();
  if (acquires(order)) join_clock(self.clock, self.acquired);
  if (order == std::memory_order_seq_cst) {
    join_clock(self.clock, w.fences);
    w.fences = self.clock;
  }
  if (releases(order)) self.released = self.clock;
  ++self.clock[w.current];
}

namespace {
void begin_log(access_log& log) {
  if (log.run == w.runs) return;
  log = access_log{};
  log.run = w.runs;
}
}  // namespace

void read_plain(access_log& log, const void* object) noexcept {
  if (!is_weak()) return;
  begin_log(log);
  const auto& clock = me().clock;
  if (log.write_epoch > clock[log.writer]) {
    trace(operation::plain_read, object);
    stop("data race: " + me().name + " reads what " + w.tasks[log.writer].name +
         " writes, and neither happens before the other");
  }
  log.reads[w.current] = clock[w.current];
}

void write_plain(access_log& log, const void* object) noexcept {
  if (!is_weak()) return;
  begin_log(log);
  const auto& clock = me().clock;
  const bool races_write = log.write_epoch > clock[log.writer];
  for (unsigned i = 0; i < w.count; ++i)
    if (log.reads[i] > clock[i] || (races_write && i == log.writer)) {
      trace(operation::plain_write, object);
      stop("data race: " + me().name + " writes what " + w.tasks[i].name +
           (races_write && i == log.writer ? " writes" : " reads") +
           ", and neither happens before the other");
    }
  log.writer = static_cast<std::uint8_t>(w.current);
  log.write_epoch = clock[w.current];
}

void acquire_clock(const vector_clock& from) noexcept {
  if (is_weak()) join_clock(me().clock, from);
}

void release_clock(vector_clock& into) noexcept {
  if (!is_weak()) return;
  join_clock(into, me().clock);
  ++me().clock[w.current];
}

sleep_end sleep(awaits what, const void* object, const time_point* deadline) noexcept {
  if (!fiber_runs()) stop("a wait outside of a run");
  auto& self = me();
  self.what = what;
  self.object = object;
  self.woken = false;
  // A mutex hides both; the wait for a semaphore or a futex is a system call, which ends in EINTR.
  const bool in_vain = (what == awaits::condition || what == awaits::token) && spurious();
  const bool interrupted = !in_vain && w.model.signals &&
                           (what == awaits::semaphore || what == awaits::token) &&
                           choose(choice::fault, 2) != 0;
  if (w.tracing && in_vain) add_row("(a wait that ends in vain)");
  if (w.tracing && interrupted) add_row("(a signal: EINTR)");
  if (!in_vain && !interrupted && (deadline == nullptr || *deadline > w.now)) {
    w.runnable &= ~bit(w.current);
    if (deadline != nullptr) {
      auto late = duration::zero();
      if (w.model.timer_lateness > duration::zero())
        late = w.model.timer_lateness * choose(choice::fault, 3) / 2;
      sleep_until(*deadline + late);
    }
  }
  run_another();
  self.what = awaits::nothing;
  self.object = nullptr;
  w.on_their_way &= ~bit(w.current);
  if (interrupted) return sleep_end::interrupted;
  if (w.tracing) add_row(self.woken ? "(woken)" : "(wakes by itself)");
  return self.woken ? sleep_end::woken : sleep_end::by_itself;
}

void wake(unsigned thread, bool late) noexcept {
  if (!fiber_runs()) return;
  w.tasks[thread].woken = true;
  if (late) {
    ++w.wakes;
    w.on_their_way |= bit(thread);
  }
  if (((w.runnable | w.waking) & bit(thread)) != 0) return;
  auto delay = duration::zero();
  if (late && w.model.wake_latency > duration::zero())
    delay = w.model.wake_latency * choose(choice::fault, 4) / 3;
  if (late) delay += w.model.wake;
  if (delay == duration::zero()) {
    make_runnable(bit(thread));
    return;
  }
  w.waking |= bit(thread);
  w.timed |= bit(thread);
  w.tasks[thread].deadline = w.now + delay;
}

bool sleeps_in(unsigned thread, const void* object) noexcept {
  return w.tasks[thread].object == object;
}

void spin(operation what) noexcept {
  if (!fiber_runs()) return;
  ++w.steps;
  if (w.steps - w.progress_at > w.model.steps_without_progress)
    stop(std::string("livelock: ") + std::to_string(w.model.steps_without_progress) +
         " steps without progress");
  trace(what, nullptr);
  mix(static_cast<std::uint64_t>(what));
  sleep_until(w.now + w.model.relax);
  w.spinning |= bit(w.current);
  if (what == operation::yield)
    w.yielding |= bit(w.current);
  else
    w.yielding &= ~bit(w.current);
  run_another();
}

unsigned self() noexcept { return w.current; }

unsigned choose(choice kind, unsigned options) noexcept {
  if (options < 2 || !fiber_runs()) return 0;
  ++w.choices;
  if (!w.decides->wants(kind)) return 0;
  return decide(kind, options, {});
}

bool spurious() noexcept { return w.model.spurious && choose(choice::fault, 2) != 0; }

void stop(const std::string& what) noexcept {
  if (!w.in_run) {
    std::fprintf(stderr, "conch-sim: outside of a run: %s\n", what.c_str());
    std::abort();
  }
  w.failure = what;
  if (w.tracing) add_row("FAILS: " + what);
  leave_for_hub();
}

namespace {
own_object& find_object(std::vector<own_object>& objects, const void* type) {
  for (auto& object : objects)
    if (object.type == type) return object;
  objects.push_back(own_object{.type = type});
  return objects.back();
}
}  // namespace

own_object& own(const void* type) noexcept { return find_object(me().owned, type); }
own_object& shared(const void* type) noexcept { return find_object(w.shared, type); }

}  // namespace engine
}  // namespace conch::sim

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace conch::sim {

/// What a choice is about. Option 0 of each is the plain one: go on, read the newest value, no
/// fault.
enum class choice : unsigned char {
  thread,  ///< which thread runs next, while the present one could go on: a preemption
  next,    ///< which thread runs next, as the present one cannot go on: free
  value,   ///< which of the values that the memory model allows a load returns
  fault,   ///< a spurious wake-up, a weak compare-and-swap that fails, a late timer or wake
  data,    ///< whom a signal wakes, and the scenario's own: sim::pick()
};

/// Decides. One run asks it for every choice that has at least two options.
class scheduler {
public:
  scheduler() = default;
  scheduler(const scheduler&) = delete;
  scheduler& operator=(const scheduler&) = delete;
  virtual ~scheduler() = default;

  /// Before each run. False if there is nothing left to try.
  virtual bool begin() = 0;

  /// False where the answer to choices of this kind is 0 for now; pick() is then not called.
  virtual bool wants(choice) { return true; }

  /// One of 0 … options - 1. For choices of a thread, `threads` names the candidates, the present
  /// one first if it can go on; it is empty otherwise. `at` counts the choices of the run.
  virtual unsigned pick(choice kind, unsigned options, std::span<const unsigned> threads,
                        std::uint64_t at) = 0;

  /// After each run, with the number of its choices.
  virtual void end(std::uint64_t /*choices*/) {}

  /// What replays this scheduler's present run; nullopt if the list of its choices has to.
  [[nodiscard]] virtual std::optional<std::string> seed() const { return std::nullopt; }
};

/// How far a schedule of an exhaustive search may depart from the plain one.
struct bounds {
  unsigned preemptions = 0;
  unsigned old_values = 0;  ///< loads that return something else than the newest value
  unsigned faults = 0;
};

/// Every schedule within the bounds, depth first.
std::unique_ptr<scheduler> make_exhaustive(bounds limit);

/// Random schedules number first, first + 1, … of a seed.
std::unique_ptr<scheduler> make_random(std::uint64_t seed, std::uint64_t first = 0);

/// Probabilistic concurrency testing (Burckhardt et al., ASPLOS 2010): random priorities, with
/// depth - 1 points at which the running thread falls to the lowest.
std::unique_ptr<scheduler> make_pct(unsigned depth, std::uint64_t seed, std::uint64_t first = 0);

/// One run whose choices are listed: as pairs "DISTANCE.OPTION" for those that are not 0, or as
/// one of the seeds above. Throws std::invalid_argument if it is neither.
std::unique_ptr<scheduler> make_replay(std::string_view text);

/// The list of choices as make_replay() reads it.
class choice_list {
public:
  void clear() {
    text_.clear();
    last_ = 0;
  }
  void add(std::uint64_t at, unsigned option) {
    entries_text(at - last_, option);
    last_ = at;
  }
  [[nodiscard]] const std::string& text() const { return text_; }

private:
  void entries_text(std::uint64_t distance, unsigned option) {
    if (!text_.empty()) text_ += '.';
    text_ += std::to_string(distance) + "." + std::to_string(option);
  }

  std::string text_;
  std::uint64_t last_ = 0;
};

}  // namespace conch::sim

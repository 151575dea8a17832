// SPDX-License-Identifier: MIT
#include "scheduler.hpp"

#include "../../support/random.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace conch::sim {
namespace {

using testing::random_numbers;

class exhaustive final : public scheduler {
public:
  explicit exhaustive(bounds limit) : limit_(limit) {}

  bool begin() override {
    if (started_) {
      while (!path_.empty() && path_.back().option + 1 >= path_.back().options) path_.pop_back();
      if (path_.empty()) return false;
      ++path_.back().option;
    }
    started_ = true;
    depth_ = 0;
    spent_ = {};
    return true;
  }

  bool wants(choice kind) override {
    switch (kind) {
      case choice::thread:
        return spent_.preemptions < limit_.preemptions;
      case choice::value:
        return spent_.old_values < limit_.old_values;
      case choice::fault:
        return spent_.faults < limit_.faults;
      default:
        return true;
    }
  }

  unsigned pick(choice kind, unsigned options, std::span<const unsigned>, std::uint64_t) override {
    if (depth_ == path_.size()) path_.push_back({0, options});
    const auto option = path_[depth_++].option;
    if (option != 0) {
      if (kind == choice::thread) ++spent_.preemptions;
      if (kind == choice::value) ++spent_.old_values;
      if (kind == choice::fault) ++spent_.faults;
    }
    return option;
  }

private:
  struct step {
    unsigned option;
    unsigned options;
  };

  bounds limit_;
  bounds spent_;
  std::vector<step> path_;
  std::size_t depth_ = 0;
  bool started_ = false;
};

/// What the two random schedulers share: a stream of numbers per run, and rare old values and
/// faults.
class seeded : public scheduler {
public:
  seeded(std::string name, std::uint64_t seed, std::uint64_t first)
      : name_(std::move(name)), seed_(seed), run_(first), random_(0) {}

  bool begin() final {
    random_ = random_numbers(random_numbers(seed_).next() + run_ * 0x9e3779b97f4a7c15U);
    ++run_;
    start();
    return true;
  }

  [[nodiscard]] std::optional<std::string> seed() const final {
    return name_ + ":" + std::to_string(seed_) + ":" + std::to_string(run_ - 1);
  }

protected:
  virtual void start() = 0;

  unsigned below(unsigned bound) { return static_cast<unsigned>(random_.below(bound)); }

  unsigned pick_rarely(choice kind, unsigned options) {
    switch (kind) {
      case choice::value:
        return below(3) == 0 ? below(options) : 0;
      case choice::fault:
        return below(8) == 0 ? below(options) : 0;
      default:
        return below(options);
    }
  }

private:
  std::string name_;
  std::uint64_t seed_;
  std::uint64_t run_;
  random_numbers random_;
};

class random_walk final : public seeded {
public:
  random_walk(std::uint64_t seed, std::uint64_t first) : seeded("random", seed, first) {}

  unsigned pick(choice kind, unsigned options, std::span<const unsigned>, std::uint64_t) override {
    if (kind == choice::thread && below(64) >= switches_in_64_) return 0;
    return pick_rarely(kind, options);
  }

protected:
  /// Some runs switch at nearly every choice, others go on for long.
  void start() override {
    constexpr std::array<unsigned, 4> rates{64, 24, 8, 2};
    switches_in_64_ = rates[below(rates.size())];
  }

private:
  unsigned switches_in_64_ = 64;
};

class pct final : public seeded {
public:
  pct(unsigned depth, std::uint64_t seed, std::uint64_t first)
      : seeded("pct" + std::to_string(depth), seed, first), depth_(depth) {}

  unsigned pick(choice kind, unsigned options, std::span<const unsigned> threads,
                std::uint64_t at) override {
    if (kind != choice::thread && kind != choice::next) return pick_rarely(kind, options);
    for (unsigned thread : threads)
      if (priority_[thread] == 0) priority_[thread] = 1000 + below(1U << 30U);
    auto best = best_of(threads);
    while (!changes_.empty() && at >= changes_.back()) {
      changes_.pop_back();
      priority_[threads[best]] = static_cast<unsigned>(changes_.size()) + 1;
      best = best_of(threads);
    }
    return static_cast<unsigned>(best);
  }

protected:
  // How long the run will be is guessed by the seed alone, so that the seed replays it.
  void start() override {
    priority_.fill(0);
    changes_.clear();
    const unsigned length = 16U << below(7);
    for (unsigned i = 1; i < depth_; ++i) changes_.push_back(below(length));
    std::sort(changes_.rbegin(), changes_.rend());
  }

private:
  [[nodiscard]] std::size_t best_of(std::span<const unsigned> threads) const {
    std::size_t best = 0;
    for (std::size_t i = 1; i < threads.size(); ++i)
      if (priority_[threads[i]] > priority_[threads[best]]) best = i;
    return best;
  }

  unsigned depth_;
  std::array<unsigned, 64> priority_{};
  std::vector<std::uint64_t> changes_;  // latest first
};

class replay final : public scheduler {
public:
  explicit replay(std::string_view text) {
    std::uint64_t at = 0;
    while (!text.empty()) {
      at += number(text);
      picks_.push_back({at, static_cast<unsigned>(number(text))});
    }
  }

  bool begin() override { return !std::exchange(done_, true); }

  unsigned pick(choice, unsigned options, std::span<const unsigned>, std::uint64_t at) override {
    if (next_ == picks_.size() || picks_[next_].at != at) return 0;
    return std::min(picks_[next_++].option, options - 1);
  }

private:
  struct entry {
    std::uint64_t at;
    unsigned option;
  };

  static std::uint64_t number(std::string_view& text) {
    std::uint64_t value = 0;
    std::size_t digits = 0;
    for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits)
      value = value * 10 + static_cast<std::uint64_t>(text[digits] - '0');
    if (digits == 0 || (digits < text.size() && text[digits] != '.'))
      throw std::invalid_argument("not a list of choices: " + std::string(text));
    text.remove_prefix(std::min(text.size(), digits + 1));
    return value;
  }

  std::vector<entry> picks_;
  std::size_t next_ = 0;
  bool done_ = false;
};

/// A scheduler that another one's first run is enough for.
class once final : public scheduler {
public:
  explicit once(std::unique_ptr<scheduler> inner) : inner_(std::move(inner)) {}
  bool begin() override { return !std::exchange(done_, true) && inner_->begin(); }
  unsigned pick(choice kind, unsigned options, std::span<const unsigned> threads,
                std::uint64_t at) override {
    return inner_->pick(kind, options, threads, at);
  }
  [[nodiscard]] std::optional<std::string> seed() const override { return inner_->seed(); }

private:
  std::unique_ptr<scheduler> inner_;
  bool done_ = false;
};

std::uint64_t whole_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end)
    throw std::invalid_argument("not a number: " + std::string(text));
  return value;
}

}  // namespace

std::unique_ptr<scheduler> make_exhaustive(bounds limit) {
  return std::make_unique<exhaustive>(limit);
}

std::unique_ptr<scheduler> make_random(std::uint64_t seed, std::uint64_t first) {
  return std::make_unique<random_walk>(seed, first);
}

std::unique_ptr<scheduler> make_pct(unsigned depth, std::uint64_t seed, std::uint64_t first) {
  return std::make_unique<pct>(depth, seed, first);
}

std::unique_ptr<scheduler> make_replay(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::make_unique<replay>(text);
  const auto name = text.substr(0, colon);
  const auto numbers = text.substr(colon + 1);
  const auto seed = whole_number(numbers.substr(0, numbers.find(':')));
  const auto run =
      whole_number(numbers.substr(std::min(numbers.find(':'), numbers.size() - 1) + 1));
  if (name == "random") return std::make_unique<once>(make_random(seed, run));
  if (!name.starts_with("pct"))
    throw std::invalid_argument("no such scheduler: " + std::string(name));
  const auto depth = static_cast<unsigned>(whole_number(name.substr(3)));
  return std::make_unique<once>(make_pct(depth, seed, run));
}

}  // namespace conch::sim

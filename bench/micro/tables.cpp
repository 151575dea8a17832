// SPDX-License-Identifier: MIT
#include "tables.hpp"

#include "../common/text_table.hpp"
#include "figures.hpp"
#include "locks.hpp"

#include <fmt/format.h>

#include <array>
#include <regex>

namespace conch::bench {

namespace {

constexpr auto baseline = "std::mutex";
constexpr auto own = "fmq_lock";
constexpr auto none = "–";

using cell_value = std::optional<double>;

/// Three figures, or as many as the number has.
std::string number(cell_value value) {
  if (!value) return none;
  if (*value >= 100) return fmt::format("{:.0f}", *value);
  if (*value >= 10) return fmt::format("{:.1f}", *value);
  if (*value >= 0.1 || *value == 0) return fmt::format("{:.2f}", *value);
  return fmt::format("{:.1g}", *value);
}

/// A time in the unit that suits it.
std::string time_of(cell_value seconds) {
  if (!seconds) return none;
  if (*seconds < 1e-6) return fmt::format("{} ns", number(*seconds * 1e9));
  if (*seconds < 1e-3) return fmt::format("{} µs", number(*seconds * 1e6));
  return fmt::format("{} ms", number(*seconds * 1e3));
}

cell_value scaled(cell_value value, double factor) {
  return value ? cell_value(*value * factor) : value;
}

/// A lock's name as a title of at most two short lines.
std::string title_of(std::string name) {
  if (const auto colons = name.find("::"); colons != std::string::npos)
    return name.insert(colons + 2, 1, '\n');
  if (const auto score = name.find('_'); score != std::string::npos && name.size() > 12)
    return name.insert(score + 1, 1, '\n');
  return name;
}

std::vector<std::string> measured_locks(const results& measured) {
  std::vector<std::string> names;
  for (const auto& lock : all_locks())
    if (measured.has_lock(lock.name)) names.push_back(lock.name);
  return names;
}

bool is(const std::string& row, const char* kind) { return row.starts_with(kind); }

bool is_shared(const std::string& row) { return is(row, "contended/") || is(row, "saturated/"); }

/// The number of threads or waiters at the end of a row's name.
unsigned count_of(const std::string& row) {
  return static_cast<unsigned>(std::stoul(row.substr(row.rfind(':') + 1)));
}

}  // namespace

std::string ratio_table(const results& measured) {
  const auto locks = measured_locks(measured);
  std::vector<std::string> titles{"", "std::\nmutex"};
  for (const auto& lock : locks)
    if (lock != baseline) titles.push_back(title_of(lock));
  titles.emplace_back("others");
  text_table table(titles);
  for (const auto& row : measured.rows()) {
    if (is(row, "pass/")) continue;  // an unfair lock is not made for it, and no measure of others
    std::vector<std::string> cells{row, time_of(measured.median(row, baseline, figure::time))};
    for (const auto& lock : locks)
      if (lock != baseline)
        cells.push_back(number(measured.quotient(row, baseline, lock, figure::time)));
    cells.push_back(number(measured.greatest(row, figure::others)));
    table.add(cells);
  }
  if (table.empty()) return {};
  return "Time of std::mutex, and that time ÷ the lock's: above 1, the lock is faster\n" +
         table.text() +
         "others: CPUs that other programs kept busy, at most; where it is not near 0, a figure "
         "says little\n";
}

namespace {

/// The rows of one kind in microseconds, and how much longer it takes with the most waiters than
/// with the fewest.
void add_times(text_table& table, const results& measured, const std::string& kind) {
  const auto locks = measured_locks(measured);
  std::vector<std::string> rows;
  for (const auto& row : measured.rows())
    if (row.starts_with(kind + "/")) rows.push_back(row);
  for (const auto& row : rows) {
    std::vector<std::string> cells{row};
    for (const auto& lock : locks)
      cells.push_back(number(scaled(measured.median(row, lock, figure::time), 1e6)));
    table.add(cells);
  }
  if (rows.size() < 2) return;
  std::vector<std::string> cells{
      fmt::format("{}: {} ÷ {}", kind, count_of(rows.back()), count_of(rows.front()))};
  for (const auto& lock : locks) {
    const auto few = measured.median(rows.front(), lock, figure::time);
    const auto many = measured.median(rows.back(), lock, figure::time);
    cells.push_back(number(few && many ? cell_value(*many / *few) : std::nullopt));
  }
  table.add(cells);
}

}  // namespace

std::string handoff_table(const results& measured) {
  std::vector<std::string> titles{"µs"};
  for (const auto& lock : measured_locks(measured)) titles.push_back(title_of(lock));
  text_table table(titles);
  add_times(table, measured, "queue");
  add_times(table, measured, "pass");
  if (table.empty()) return {};
  return fmt::format(
      "\nqueue: handoff between threads that sleep, from before unlock() until lock() has "
      "returned\n"
      "pass:  from one change of the holder to the next, where each that gets the lock lets it "
      "pass "
      "on\n{}",
      table.text());
}

std::string fairness_table(const results& measured) {
  text_table table({"", "", "Jain\nacq.", "Jain\nhold", "wait\np50", "wait\np99", "wait\np99.9",
                    "longest\nwait", "median\nlongest", "switches\nper acq.",
                    "futex calls\nper acq."});
  for (const auto& row : measured.rows()) {
    if (!is_shared(row)) continue;
    for (const auto* const lock : {baseline, own}) {
      const auto value = [&](const char* name) { return measured.median(row, lock, name); };
      const auto time = [&](const char* name) { return time_of(scaled(value(name), 1e-9)); };
      if (!value(figure::time)) continue;
      table.add({row, lock, number(value(figure::jain_acquisitions)),
                 number(value(figure::jain_hold_time)), time(figure::wait_p50),
                 time(figure::wait_p99), time(figure::wait_p999), time(figure::longest_wait),
                 time(figure::median_longest_wait), number(value(figure::context_switches)),
                 number(value(figure::futex_calls))});
    }
  }
  if (table.empty()) return {};
  return "\nFairness: Jain's index over the threads' acquisitions and hold times (1: all have the "
         "same); each\nacquisition's wait, with one look at the clock in it; the longest of all "
         "threads, and the "
         "median of each\nthread's longest\n" +
         table.text();
}

namespace {

/// The worst of a figure over rows, and where it is.
struct worst {
  cell_value value;
  std::string row;
  unsigned rows = 0;
  unsigned in_bounds = 0;

  void consider(const std::string& where, cell_value candidate, bool good, bool worse) {
    if (!candidate) return;
    ++rows;
    in_bounds += good ? 1 : 0;
    if (value && !worse) return;
    value = candidate;
    row = where;
  }
};

void add_line(text_table& table, const std::string& what, const worst& found) {
  if (!found.value) return;
  table.add(
      {what, number(found.value), fmt::format("{} of {}", found.in_bounds, found.rows), found.row});
}

}  // namespace

std::string worst_of_fmq_lock(const results& measured) {
  std::vector<std::string> rows;
  for (const auto& row : measured.rows())
    if (is(row, "contended/") && count_of(row) >= 2 && count_of(row) <= 16) rows.push_back(row);

  // Both bounds, and which way is worse, as numbers that grow with how well it went.
  const auto least = [&](double bound, auto figure_of) {
    worst found;
    for (const auto& row : rows)
      if (const cell_value value = figure_of(row))
        found.consider(row, value, *value >= bound, value < found.value);
    return found;
  };
  const auto most = [&](double bound, auto figure_of) {
    worst found;
    for (const auto& row : rows)
      if (const cell_value value = figure_of(row))
        found.consider(row, value, *value <= bound, value > found.value);
    return found;
  };

  text_table table({"fmq_lock, 2 to 16 threads", "worst", "in bounds", "where"});
  for (const auto& lock : measured_locks(measured)) {
    if (lock == own) continue;
    const auto found = least(1.0, [&](const std::string& row) {
      return measured.quotient(row, lock, own, figure::time);
    });
    add_line(table, fmt::format("throughput ÷ {} >= 1", lock), found);
  }
  add_line(table, "Jain over acquisitions >= 0.95", least(0.95, [&](const std::string& row) {
             return measured.median(row, own, figure::jain_acquisitions);
           }));
  add_line(table, "longest wait ÷ std::mutex's <= 2", most(2.0, [&](const std::string& row) {
             return measured.quotient(row, own, baseline, figure::longest_wait);
           }));
  return table.empty() ? std::string() : fmt::format("\n{}", table.text());
}

std::string missing_locks() {
  std::string lines;
  for (const auto& lock : all_locks())
    if (!lock.missing.empty())
      lines += fmt::format("not measured: {} ({})\n", lock.name, lock.missing);
  return lines;
}

}  // namespace conch::bench

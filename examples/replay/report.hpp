// What a run tells: a line now and then, and the ledger at its end.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <yukha/stats.hpp>

#include "records.hpp"

namespace replay {

// The rows of the input so far, those of an earlier run that was resumed included.
struct Rows {
  std::uint64_t read = 0;
  std::uint64_t unmapped = 0;  // without those the tracker refused
  std::uint64_t skipped = 0;
  std::uint64_t offered = 0;       // given to the tracker and not to be given again: accepted or refused as no sentence
  std::uint64_t repaired = 0;      // had bytes or escapes that were no text
  std::uint64_t repeated = 0;      // had a member that stands more than once
  std::uint64_t left_out = 0;      // had a member whose name "*" cannot take
  std::uint64_t clock_change = 0;  // whose time was shown twice or never by the clocks of its zone
  std::uint64_t cut = 0;           // were too long for a sentence
  std::uint64_t suspect = 0;       // have lines in quotes that look like rows
  LineCounts lines;                // of all inputs; `lines` is 0 when they are not counted
};

// Without control characters: what is told may quote an input, and a terminal obeys them.
std::string printable(std::string_view text);

// What is told row by row. Of one kind only the first are told, or a damaged input of a million rows would drown all
// else; kinds differ by more than numbers and what stands in quotes.
class Complaints {
 public:
  explicit Complaints(std::uint64_t most) : most_(most) {}
  void tell(const std::string& input, std::uint64_t line, const std::string& what);
  // How many more there were of each kind.
  void tell_the_rest() const;

 private:
  struct Kind {
    std::uint64_t count = 0;
    std::string first;    // where the first was
    std::string example;  // and what it was told
  };
  std::uint64_t most_;
  std::map<std::string, Kind> kinds_;
};

// Why requests or sentences were not taken, each kind of reason once with how many they were. Threads: any.
class Reasons {
 public:
  void add(std::string_view reason);
  // A line each on stderr: "yukha-replay: WHAT: REASON (3 UNITs)".
  void tell(const char* what, const char* unit) const;

 private:
  struct Kind {
    std::uint64_t count = 0;
    std::string example;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Kind> kinds_;
};

// The lane's counters since the run's journal was begun.
struct Outcome {
  Rows rows;
  yukha::Stats since;                // differences; `waiting` is what waits now
  std::uint64_t waiting_before = 0;  // was in the queue already: accepted + this = delivered + waiting + …

  std::uint64_t unmapped() const { return rows.unmapped + since.refused_invalid; }
  std::uint64_t mapped() const { return rows.offered - since.refused_invalid; }
};

Outcome outcome_of(const Rows& rows, const yukha::Stats& now, const yukha::Stats& began);

// Prints a line a second where somebody watches, every five seconds into a file, or as often as asked.
class Progress {
 public:
  using Clock = std::chrono::steady_clock;
  Progress(double every_s, bool every_given);
  bool due(Clock::time_point now) const { return now >= next_; }
  void print(Clock::time_point now, const Rows& rows, const yukha::Stats& stats);

 private:
  std::chrono::duration<double> every_;
  Clock::time_point next_;
  Clock::time_point last_;
  std::uint64_t last_read_ = 0;
};

// One JSON object in one line.
std::string as_json(const Outcome& outcome);
std::string as_table(const Outcome& outcome);

}  // namespace replay

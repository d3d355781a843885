// Time as the library sees it. The simulation has a clock of its own.
#pragma once

#include <cstdint>

namespace yukha::system {

// Threads: any. Blocks: never.
class Clock {
 public:
  virtual ~Clock() = default;
  // Milliseconds that only grow, from an arbitrary start: for durations, deadlines and back-off.
  virtual std::int64_t monotonic_ms() noexcept = 0;
  // Milliseconds since 1970 by the device's wall clock, right or wrong.
  virtual std::int64_t unix_ms() noexcept = 0;
};

Clock& system_clock() noexcept;

}  // namespace yukha::system

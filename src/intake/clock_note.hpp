// What sentences say of the device's clock.
#pragma once

#include <cstdint>
#include <optional>

namespace yukha::detail {

// How far the wall clock is off, as the worker found out, for as long as nobody sets that clock.
// Guarded by whoever has it. Threads: one at a time. Blocks: never.
class ClockNote {
 public:
  bool says(std::optional<std::int64_t> offset_ms) const noexcept { return offset_ms == offset_ms_; }
  // As of these readings of the two clocks; nothing while it is not known.
  void set(std::optional<std::int64_t> offset_ms, std::int64_t unix_ms, std::int64_t monotonic_ms) noexcept;
  // A wall clock that was set since says nothing any more; to ask the other clock for each sentence would be a tenth of
  // track(), so it is asked once a second, and whenever the wall clock goes back.
  bool needs_check(std::int64_t unix_ms) const noexcept {
    return offset_ms_ && static_cast<std::uint64_t>(unix_ms - checked_unix_ms_) >= 1000;
  }
  // Forgets the offset and returns false when the wall clock was set.
  bool check(std::int64_t unix_ms, std::int64_t monotonic_ms) noexcept;

 private:
  std::optional<std::int64_t> offset_ms_;
  std::int64_t difference_ms_ = 0;  // wall minus monotonic, when the offset was true
  std::int64_t checked_unix_ms_ = 0;
};

}  // namespace yukha::detail

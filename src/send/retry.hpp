// How long the endpoint is left in peace, and what time it has.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "system/dice.hpp"

namespace yukha::send {

struct Backoff {
  std::int64_t first_ms;
  std::int64_t most_ms;
};
constexpr Backoff usual_backoff{1'000, 300'000};    // outages
constexpr Backoff long_backoff{60'000, 3'600'000};  // somebody must change something first

// Full jitter: evenly between 0 and first * 2^(failures - 1), at most most_ms. A fleet that failed together comes back
// spread out (Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
inline std::int64_t wait_after(std::int64_t failures, system::DiceCup& dice, const Backoff& backoff) noexcept {
  std::int64_t ceiling = backoff.first_ms;
  for (std::int64_t i = 1; i < failures && ceiling < backoff.most_ms; ++i) ceiling *= 2;
  return static_cast<std::int64_t>(dice.up_to(static_cast<std::uint64_t>(std::min(ceiling, backoff.most_ms))));
}

// How long a verdict leaves the endpoint in peace. What it asks for itself comes before the jitter, not instead of it:
// a fleet that was told the same second must not come back in it, so the jitter grows with what was asked.
inline std::int64_t rest_after(std::int64_t failures, system::DiceCup& dice, const Backoff& backoff,
                               std::optional<std::int64_t> retry_after_ms) noexcept {
  constexpr std::int64_t most_ms = 3'600'000;
  const std::int64_t asked = retry_after_ms.value_or(0);
  const auto spread = static_cast<std::uint64_t>(std::min(asked / 4, usual_backoff.most_ms));
  const std::int64_t jitter =
      std::max(wait_after(failures, dice, backoff), static_cast<std::int64_t>(dice.up_to(spread)));
  return std::min(asked + jitter, most_ms);
}

// The offset from the device's wall clock to true time, learnt from the endpoint's Date. An answer's Date was true at
// some moment between sending and receiving, and cut to its second; each further answer narrows the range. It is kept
// against the monotonic clock and forgotten when the wall clock jumps.
class ClockOffset {
 public:
  void learn(std::int64_t date_unix_ms, std::int64_t sent_monotonic_ms, std::int64_t received_monotonic_ms) noexcept {
    const std::int64_t low = date_unix_ms - received_monotonic_ms;
    const std::int64_t high = date_unix_ms + 1000 - sent_monotonic_ms;
    const std::int64_t narrowed_low = std::max(low, low_);
    const std::int64_t narrowed_high = std::min(high, high_);
    if (known_ && narrowed_low <= narrowed_high) {
      low_ = narrowed_low;
      high_ = narrowed_high;
    } else {
      // The first answer, or an endpoint that changed its mind: the newest word counts.
      low_ = low;
      high_ = high;
    }
    known_ = true;
  }

  // Called before each use: a wall clock that moved against the monotonic one was set, or the device slept.
  void watch(std::int64_t unix_ms, std::int64_t monotonic_ms) noexcept {
    constexpr std::int64_t jump_ms = 1000;  // slewing by NTP stays far below this between two looks
    const std::int64_t difference = unix_ms - monotonic_ms;
    if (watched_ && std::abs(difference - difference_) > jump_ms) known_ = false;
    difference_ = difference;
    watched_ = true;
  }

  std::optional<std::int64_t> true_unix_ms(std::int64_t monotonic_ms) const noexcept {
    if (!known_) return std::nullopt;
    return monotonic_ms + low_ + (high_ - low_) / 2;
  }

 private:
  bool known_ = false;
  bool watched_ = false;
  std::int64_t low_ = 0;  // of true time minus monotonic time
  std::int64_t high_ = 0;
  std::int64_t difference_ = 0;
};

}  // namespace yukha::send

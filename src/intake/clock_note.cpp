#include "intake/clock_note.hpp"

#include <cstdlib>

namespace yukha::detail {

void ClockNote::set(std::optional<std::int64_t> offset_ms, std::int64_t unix_ms, std::int64_t monotonic_ms) noexcept {
  offset_ms_ = offset_ms;
  difference_ms_ = unix_ms - monotonic_ms;
  checked_unix_ms_ = unix_ms;
}

bool ClockNote::check(std::int64_t unix_ms, std::int64_t monotonic_ms) noexcept {
  constexpr std::int64_t jump_ms = 1000;  // as ClockOffset::watch
  checked_unix_ms_ = unix_ms;
  if (std::abs(unix_ms - monotonic_ms - difference_ms_) <= jump_ms) return true;
  offset_ms_.reset();
  return false;
}

}  // namespace yukha::detail

#include "intake/session.hpp"

namespace yukha::detail {

std::uint64_t Session::id_of(std::uint64_t ring_id, std::uint64_t ordinal) noexcept {
  std::uint64_t mixed = ring_id + ordinal * 0x9E3779B97F4A7C15ULL;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBULL;
  mixed ^= mixed >> 31;
  return mixed != 0 ? mixed : 1;
}

bool Session::go_on(const hold::SessionMark& mark, std::int64_t unix_ms, std::int64_t now_ms) noexcept {
  const std::int64_t since_ms = unix_ms - mark.seen_unix_ms;
  const bool goes_on = mark.ordinal != 0 && since_ms >= 0 && since_ms < timeout_ms_;
  is_over_ = is_over_ || !goes_on;
  seen_ms_ = now_ms - (goes_on ? since_ms : 0);
  return goes_on;
}

bool Session::take(std::int64_t now_ms) noexcept {
  constexpr std::int64_t note_every_ms = 1000;
  const bool is_due = begins(now_ms) || now_ms - noted_ms_ >= note_every_ms;
  is_over_ = false;
  seen_ms_ = now_ms;
  if (is_due) noted_ms_ = now_ms;
  return is_due;
}

void Session::go_to_background(std::int64_t now_ms) noexcept {
  if (background_since_ms_ < 0) background_since_ms_ = now_ms;
}

void Session::come_to_foreground(std::int64_t now_ms) noexcept {
  const std::int64_t limit_ms = background_timeout_ms_ > 0 ? background_timeout_ms_ : timeout_ms_;
  if (limit_ms > 0 && background_since_ms_ >= 0 && now_ms - background_since_ms_ >= limit_ms) end();
  background_since_ms_ = -1;
}

}  // namespace yukha::detail

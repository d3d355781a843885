// Which session a sentence belongs to, and when the next one begins.
#pragma once

#include <cstdint>

#include "hold/ring.hpp"

namespace yukha::detail {

// Knows the pauses that end a session: without a sentence, and in the background. The session's number and id stand in
// every sentence, and are the caller's. Guarded by whoever has it. Threads: one at a time. Blocks: never.
class Session {
 public:
  // Milliseconds; 0 for `timeout_ms`: sentences tell of no session. 0 for `background_timeout_ms`: the same as the
  // other.
  Session(std::int64_t timeout_ms, std::int64_t background_timeout_ms) noexcept
      : timeout_ms_(timeout_ms), background_timeout_ms_(background_timeout_ms) {}

  bool is_told() const noexcept { return timeout_ms_ > 0; }
  // Different for each session and for each ring, whose id is random, without a word of its own to be kept.
  static std::uint64_t id_of(std::uint64_t ring_id, std::uint64_t ordinal) noexcept;

  // A run begins in a ring that says so. Whether it goes on with that session: the wall clock is all that two processes
  // share.
  bool go_on(const hold::SessionMark& mark, std::int64_t unix_ms, std::int64_t now_ms) noexcept;
  // Whether the next sentence begins a session; `now_ms` is monotonic, here and below.
  bool begins(std::int64_t now_ms) const noexcept { return is_over_ || now_ms - seen_ms_ >= timeout_ms_; }
  // A sentence of the session, new or not. True when the ring is to note it: when it begins, and once a second.
  bool take(std::int64_t now_ms) noexcept;
  // The next sentence begins another.
  void end() noexcept { is_over_ = true; }
  void go_to_background(std::int64_t now_ms) noexcept;
  void come_to_foreground(std::int64_t now_ms) noexcept;

 private:
  const std::int64_t timeout_ms_;
  const std::int64_t background_timeout_ms_;
  std::int64_t seen_ms_ = 0;
  std::int64_t noted_ms_ = 0;
  std::int64_t background_since_ms_ = -1;  // -1: in the foreground
  bool is_over_ = false;
};

}  // namespace yukha::detail

// Core's sessions: which one a sentence belongs to, and when the next begins.
#include "core/core.hpp"

namespace yukha::detail {
namespace {

// Different for each session and for each ring, whose id is random, without a word of its own to be kept.
std::uint64_t session_id(std::uint64_t ring_id, std::uint64_t ordinal) {
  std::uint64_t mixed = ring_id + ordinal * 0x9E3779B97F4A7C15ULL;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBULL;
  mixed ^= mixed >> 31;
  return mixed != 0 ? mixed : 1;
}

}  // namespace

// The wall clock is all that two processes share.
void Core::go_on_with_session(const hold::SessionMark& mark) {
  const std::int64_t since = clock_.unix_ms() - mark.seen_unix_ms;
  const bool goes_on = mark.ordinal != 0 && since >= 0 && since < session_timeout_ms_;
  session_over_ = session_over_ || !goes_on;
  session_seen_ms_ = clock_.monotonic_ms() - (goes_on ? since : 0);
  be_in_session(goes_on ? session_id(lane_->ring().id(), mark.ordinal) : 0, mark.ordinal);
}

void Core::be_in_session(std::uint64_t id, std::uint64_t ordinal) {
  compose::Standing next = standing_;
  next.session = id;
  next.session_ordinal = ordinal;
  stand(std::move(next));
}

void Core::keep_session(std::int64_t unix_ms) noexcept {
  constexpr std::int64_t note_every_ms = 1000;
  const std::int64_t now = clock_.monotonic_ms();
  const bool begins = session_over_ || now - session_seen_ms_ >= session_timeout_ms_;
  if (begins) {
    const std::uint64_t ordinal = standing_.session_ordinal + 1;
    try {
      be_in_session(session_id(lane_->ring().id(), ordinal), ordinal);
    } catch (...) {
      // Without memory the sentence belongs to the session before; the next one tries again.
      session_over_ = true;
      return;
    }
  }
  session_over_ = false;
  session_seen_ms_ = now;
  if (!begins && now - session_noted_ms_ < note_every_ms) return;
  session_noted_ms_ = now;
  lane_->ring().note_session({standing_.session_ordinal, unix_ms});
}

}  // namespace yukha::detail

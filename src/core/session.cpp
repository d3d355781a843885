// Core's sessions: each sentence belongs to one.
#include "core/core.hpp"

namespace yukha::detail {

void Core::be_in_session(std::uint64_t id, std::uint64_t ordinal) {
  compose::Standing next = standing_;
  next.session = id;
  next.session_ordinal = ordinal;
  stand(std::move(next));
}

void Core::keep_session(std::int64_t unix_ms) noexcept {
  const std::int64_t now = clock_.monotonic_ms();
  if (session_.begins(now)) {
    const std::uint64_t ordinal = standing_.session_ordinal + 1;
    try {
      be_in_session(Session::id_of(lane_->ring().id(), ordinal), ordinal);
    } catch (...) {
      // Without memory the sentence belongs to the session before; the next one tries again.
      session_.end();
      return;
    }
  }
  if (session_.take(now)) lane_->ring().note_session({standing_.session_ordinal, unix_ms});
}

}  // namespace yukha::detail

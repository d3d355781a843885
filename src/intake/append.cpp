// The part of track() that each sentence passes; see the list of quick sources in CMakeLists.txt. What it meets rarely
// stands in intake.cpp.
#include <algorithm>

#include "intake/intake.hpp"

namespace yukha::detail {

using system::Lock;

Intake::Appended Intake::append(Offer& offer) {
  using Outcome = Appended::Outcome;
  compose::Sentence& sentence = offer.sentence;
  Lock lock(mutex);
  if (state_ == State::closed) return {Outcome::refused, refuse_closed(), false};
  if (is_suspended()) return {Outcome::suspended, Code::ok, false};
  if (consents_.of(sentence.purpose) == Consent::denied) return refuse(hold::Refusal::consent, Code::consent_denied);
  if (!offer.problem) return refuse_problem(offer.problem.code());
  if (sampling_.leaves_out(sentence.parts, sentence.parts_size))
    return refuse(hold::Refusal::sampled, Code::sampled_out);
  if (sampling_.obeys() && is_stopped(sentence)) return refuse(hold::Refusal::policy, Code::stopped_by_policy);

  hold::Ring& ring = lane_->ring();
  const std::int64_t unix_ms = clock_.unix_ms();
  if (session_.is_told()) keep_session(unix_ms);
  if (clock_note_.needs_check(unix_ms)) check_clock(unix_ms);
  const std::size_t bound = encoder_.bound(sentence.parts_size);
  char* line = bound <= compose::line_bytes_max ? ring.room(bound) : nullptr;
  if (line == nullptr) line = room_at_desk(bound);
  if (line == nullptr) return refuse(hold::Refusal::ring_full, Code::out_of_memory);
  if (offer.chance != nullptr) {
    std::copy_n(offer.chance, 2, sentence.chance);
  } else if (dice_.has(system::DiceCup::id_bytes)) {
    dice_.next_id(sentence.chance);
  } else {
    return refuse(hold::Refusal::ring_full, Code::no_randomness);
  }
  sentence.id_unix_ms = unix_ms;
  if (!sentence.own_time) sentence.unix_ms = unix_ms;
  sentence.seq = ring.accepted() + 1 - run_base_;
  const std::size_t size = encoder_.encode(sentence, line);
  if (size > compose::line_bytes_max) return refuse(hold::Refusal::invalid, Code::sentence_too_large);
  if (offer.seen != nullptr) offer.seen->assign(line, size);

  const hold::Ring::Append result = ring.append({line, size}, offer.kind);
  const bool half_full = ring.used() * 2 >= ring.capacity();
  const bool is_full = result == hold::Ring::Append::full;
  bool wakes = attention_ == Attention::any_line || (attention_ == Attention::half_full && half_full);
  if (wakes || is_full) {
    wakes = attention_ != Attention::none;
    attention_ = Attention::none;
  }
  if (result == hold::Ring::Append::done)
    return {lane_->in_memory() ? Outcome::kept_in_memory : Outcome::kept, Code::ok, wakes};
  return {is_full ? Outcome::full : Outcome::disk_error, Code::ok, wakes};
}

}  // namespace yukha::detail

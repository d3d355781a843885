// The one call of Core that an app makes all the time; see the list of quick sources in CMakeLists.txt. What it meets
// rarely stands in track_rarely.cpp.
#include <algorithm>

#include "core/core.hpp"

namespace yukha::detail {

using system::Lock;

Status Core::track(const Event& event, Status&& problem, const std::uint64_t* chance) {
  if (debug_ && !fork_guard_.in_child()) return track_and_tell(event, std::move(problem), chance);
  return keep(event, std::move(problem), chance, nullptr);
}

Status Core::keep(const Event& event, Status&& problem, const std::uint64_t* chance, std::string* seen) {
  if (fork_guard_.in_child()) return Code::forked_child;
  if (!lane_) return status_;
  std::int64_t give_up_ms = -1;
  while (true) {
    if (suspended_.load(std::memory_order_relaxed)) {
      if (Status status = resume_to_keep(); !status) return status;
    }
    bool wake = false;
    bool in_memory = false;
    hold::Ring::Append result = hold::Ring::Append::full;
    {
      Lock intake(intake_);
      if (closed_) return refuse_closed();
      if (suspended_.load(std::memory_order_relaxed)) continue;
      if (consents_.of(event.purpose_) == Consent::denied) return refuse(hold::Refusal::consent, Code::consent_denied);
      if (!problem) return refuse(std::move(problem));
      if (!event.has_action_) return refuse(hold::Refusal::invalid, Code::missing_action);
      if (sampling_.leaves_out(event.store_, event.size_)) return refuse(hold::Refusal::sampled, Code::sampled_out);
      if (sampling_.obeys() && is_stopped(event)) return refuse(hold::Refusal::policy, Code::stopped_by_policy);

      hold::Ring& ring = lane_->ring();
      const std::int64_t unix_ms = clock_.unix_ms();
      if (session_.is_told()) keep_session(unix_ms);
      if (clock_note_.needs_check(unix_ms)) check_clock(unix_ms);
      const std::size_t bound = encoder_.bound(event.size_);
      char* line = bound <= compose::line_bytes_max ? ring.room(bound) : nullptr;
      if (line == nullptr) line = own_line(bound);
      if (line == nullptr) return refuse(hold::Refusal::ring_full, Code::out_of_memory);
      compose::Sentence sentence;
      sentence.parts = event.store_;
      sentence.parts_size = event.size_;
      sentence.id_unix_ms = unix_ms;
      if (chance != nullptr) {
        std::copy_n(chance, 2, sentence.chance);
      } else if (dice_.has(system::DiceCup::id_bytes)) {
        dice_.next_id(sentence.chance);
      } else {
        return refuse(hold::Refusal::ring_full, Code::no_randomness);
      }
      sentence.unix_ms = event.has_time_ ? event.at_unix_ms_ : sentence.id_unix_ms;
      sentence.own_time = event.has_time_;
      sentence.purpose = event.purpose_;
      sentence.seq = ring.accepted() + 1 - run_base_;
      const std::size_t size = encoder_.encode(sentence, line);
      if (size > compose::line_bytes_max) return refuse(hold::Refusal::invalid, Code::sentence_too_large);
      if (seen != nullptr) seen->assign(line, size);
      result = ring.append({line, size}, kind_of(event));
      in_memory = lane_->in_memory();
      const bool half_full = ring.used() * 2 >= ring.capacity();
      wake = attention_ == Attention::any_line || (attention_ == Attention::half_full && half_full);
      if (wake || result == hold::Ring::Append::full) {
        wake = attention_ != Attention::none;
        attention_ = Attention::none;
      }
    }
    // Outside the lock: it is the one system call of this path, and only after the worker slept.
    if (wake && transport_) transport_->wake();
    if (result == hold::Ring::Append::done) return in_memory ? Status(Code::kept_in_memory) : Status();
    if (Status status = not_appended(result, give_up_ms); !status) return status;
  }
}

}  // namespace yukha::detail

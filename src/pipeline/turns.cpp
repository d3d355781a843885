#include "pipeline/turns.hpp"

#include <algorithm>
#include <iterator>

#include "pipeline/lines.hpp"

namespace yukha::pipeline {

bool Turns::set_uploads(Uploads usually, Uploads in_flush) noexcept {
  const bool changed = usually != uploads_ || in_flush != uploads_in_flush_;
  uploads_ = usually;
  uploads_in_flush_ = in_flush;
  return changed;
}

bool Turns::allowed_to_send() const {
  if ((flush_.number != 0 ? uploads_in_flush_ : uploads_) == Uploads::none) return false;
  return around_.settings.sends && watch_.is_read() && !watch_.is_of_an_old_epoch() &&
         around_.directory.state().consents.all == Consent::granted;
}

bool Turns::has_its_purpose(hold::Kind kind) const noexcept {
  return around_.directory.state().consents.purposes[static_cast<int>(kind.purpose)] == Consent::granted;
}

bool Turns::may_leave(hold::Kind kind) const noexcept {
  const bool only_critical = flush_.number == 0 && uploads_ == Uploads::critical;
  return has_its_purpose(kind) && (!only_critical || kind.priority == hold::Priority::critical);
}

std::size_t Turns::batches_to_send(hold::Lane& lane) const {
  const auto& batches = lane.queue().batches();
  const auto may = [this](const hold::Batch& one) { return may_leave(one.kind); };
  return static_cast<std::size_t>(std::count_if(batches.begin(), batches.end(), may));
}

bool Turns::pick(Step& step, hold::Lane& lane, Lone lone, hold::Batch& batch, hold::Priority least) const {
  const hold::Batch* chosen = nullptr;
  const hold::Batch* alone = nullptr;
  const bool small_first = sizes_.smallest_first();
  for (const hold::Batch& one : lane.queue().batches()) {
    if (one.bisect == hold::Bisect::held_back || one.kind.priority < least || !may_leave(one.kind)) continue;
    const bool is_alone = one.bisect == hold::Bisect::suspect && one.lines == 1;
    const std::int64_t until_ms = held_back_until(one);
    if (step.now_ms < until_ms && !(is_alone && last_was_accepted_)) {
      step.send_at_ms = std::min(step.send_at_ms, until_ms);
      continue;
    }
    if (is_alone && alone == nullptr) alone = &one;
    const bool better =
        chosen == nullptr ||
        (small_first ? one.bytes < chosen->bytes : critical_in_vain_ && chosen->kind.priority > one.kind.priority);
    if (!is_alone && better) chosen = &one;
  }
  if (alone != nullptr && (last_was_accepted_ || (chosen == nullptr && lone == Lone::may_go))) chosen = alone;
  if (chosen == nullptr) return false;
  batch = *chosen;
  return true;
}

std::int64_t Turns::held_back_until(const hold::Batch& batch) const {
  if (held_back_until_.empty()) return INT64_MIN;
  const auto held = held_back_until_.find(idempotency_key(batch));
  return held == held_back_until_.end() ? INT64_MIN : held->second;
}

void Turns::hold_back(const hold::Batch& batch, std::int64_t until_ms, std::int64_t now_ms) {
  // Of those that are gone nobody tells.
  for (auto held = held_back_until_.begin(); held != held_back_until_.end();)
    held = held->second <= now_ms ? held_back_until_.erase(held) : std::next(held);
  held_back_until_[idempotency_key(batch)] = until_ms;
}

void Turns::let_go(const hold::Batch& batch) {
  if (!held_back_until_.empty()) held_back_until_.erase(idempotency_key(batch));
}

void Turns::answered(bool accepted, hold::Priority priority) noexcept {
  last_was_accepted_ = accepted;
  critical_in_vain_ = !accepted && priority == hold::Priority::critical;
}

}  // namespace yukha::pipeline

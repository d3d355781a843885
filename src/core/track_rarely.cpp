// What track() meets rarely: a tracker that tells of each sentence, is suspended or closed, has no room or no memory.
#include "compose/readable.hpp"
#include "core/core.hpp"
#include "system/signals.hpp"

namespace yukha::detail {

Status Core::track_and_tell(const Event& event, Status&& problem, const std::uint64_t* chance) {
  std::string line;
  Status status = keep(event, std::move(problem), chance, &line);
  try {
    log_.write(LogLevel::debug, status ? readable(line) : "refused: " + status.message());
  } catch (...) {
    // Without memory to tell of it the sentence is kept all the same.
  }
  return status;
}

Status Core::resume_to_keep() {
  Status status = resume();
  return status == Code::closed ? Status(intake_.refuse_closed()) : status;
}

bool Core::wait_for_room(std::int64_t until_ms) {
  if (driver_.uses_thread()) {
    intake_.wait_for_room(until_ms);
    return true;
  }
  const system::SignalShield shield;
  driver_.step();
  return intake_.has_room();
}

Status Core::not_appended(Intake::Appended::Outcome outcome, std::int64_t& give_up_ms) {
  if (outcome == Intake::Appended::Outcome::disk_error) {
    transport_->wake();  // perhaps another process has the lane: the worker sees to it
    return intake_.give_up(Code::disk_error);
  }
  const std::int64_t now = clock_.monotonic_ms();
  if (give_up_ms < 0) give_up_ms = now + (intake_.is_closing() ? 0 : options_.ring_full_wait_ms);
  if (now < give_up_ms && wait_for_room(give_up_ms)) return {};
  return intake_.give_up(Code::ring_full);
}

}  // namespace yukha::detail

#include "pipeline/faults.hpp"

namespace yukha::pipeline {

void Faults::on_way_in(hold::Lane& lane, const char* doing, std::int64_t now_ms) {
  in_again_ms_ = now_ms + again_after_ms;
  note(lane, doing);
}

void Faults::on_way_out(hold::Lane& lane, const char* doing, std::int64_t now_ms) {
  out_again_ms_ = now_ms + again_after_ms;
  note(lane, doing);
}

void Faults::note(hold::Lane& lane, const char* doing) {
  const Status status = lane.queue().status();
  last_error_ = std::string(doing) + ": " + (status ? Status(Code::out_of_memory).message() : status.message());
  around_.log.write(LogLevel::error, last_error_);
  repair_wanted_ = repair_wanted_ || (&lane == &around_.lane && lane.queue().damaged());
}

void Faults::repaired(bool done, std::int64_t now_ms) noexcept {
  constexpr std::int64_t again_after_failure_ms = 60'000;
  repair_wanted_ = !done;
  if (!done) repair_again_ms_ = now_ms + again_after_failure_ms;
}

}  // namespace yukha::pipeline

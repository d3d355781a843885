// The one call of Core that an app makes all the time; see the list of quick sources in CMakeLists.txt. What it meets
// rarely stands in track_rarely.cpp.
#include "core/core.hpp"

namespace yukha::detail {

Status Core::track(const Event& event, Status&& problem, const std::uint64_t* chance) {
  if (options_.debug && !fork_guard_.in_child()) return track_and_tell(event, std::move(problem), chance);
  return keep(event, std::move(problem), chance, nullptr);
}

Status Core::keep(const Event& event, Status&& problem, const std::uint64_t* chance, std::string* seen) {
  using Outcome = Intake::Appended::Outcome;
  if (fork_guard_.in_child()) return Code::forked_child;
  if (!lane_) return status_;
  if (problem && !event.has_action_) problem = Code::missing_action;
  Intake::Offer offer{problem, kind_of(event), sentence_of(event), chance, seen};
  std::int64_t give_up_ms = -1;
  while (true) {
    if (intake_.is_suspended()) {
      if (Status status = resume_to_keep(); !status) return status;
    }
    const Intake::Appended appended = intake_.append(offer);
    // Outside the lock: it is the one system call of this path, and only after the worker slept.
    if (appended.wakes_worker) transport_->wake();
    switch (appended.outcome) {
      case Outcome::kept:
        return {};
      case Outcome::kept_in_memory:
        return Code::kept_in_memory;
      case Outcome::refused:
        // What is wrong with the sentence is told with its detail.
        return appended.refusal == problem.code() ? std::move(problem) : Status(appended.refusal);
      case Outcome::suspended:
        break;
      case Outcome::full:
      case Outcome::disk_error:
        if (Status status = not_appended(appended.outcome, give_up_ms); !status) return status;
        break;
    }
  }
}

}  // namespace yukha::detail

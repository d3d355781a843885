// What track() meets rarely: a tracker that tells of each sentence, is suspended or closed, has no room or no memory.
#include <algorithm>
#include <new>

#include "compose/readable.hpp"
#include "core/core.hpp"

namespace yukha::detail {

using system::Lock;

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

Status Core::refuse(hold::Refusal why, Code code) {
  lane_->ring().refuse(why);
  return code;
}

Status Core::refuse(Status&& problem) {
  // Without memory the sentence may be as good as any: it is refused for want of room.
  const bool no_memory = problem == Code::out_of_memory;
  lane_->ring().refuse(no_memory ? hold::Refusal::ring_full : hold::Refusal::invalid);
  return std::move(problem);
}

bool Core::is_stopped(const Event& event) {
  if (sampling_.is_over(clock_.monotonic_ms())) {
    keep_to(send::Policy());
    return false;
  }
  return sampling_.stops(event.store_, event.size_);
}

Status Core::refuse_closed() noexcept {
  refused_closed_.fetch_add(1, std::memory_order_relaxed);
  return Code::closed;
}

Status Core::resume_to_keep() {
  Status status = resume();
  return status == Code::closed ? refuse_closed() : status;
}

char* Core::own_line(std::size_t bound) noexcept {
  if (line_capacity_ < bound) {
    const std::size_t capacity = std::max<std::size_t>(bound, 4096);
    std::unique_ptr<char[]> larger(new (std::nothrow) char[capacity]);
    if (!larger) return nullptr;
    line_ = std::move(larger);
    line_capacity_ = capacity;
  }
  return line_.get();
}

Status Core::not_appended(hold::Ring::Append result, std::int64_t& give_up_ms) {
  if (result == hold::Ring::Append::disk_error) {
    if (transport_) transport_->wake();  // perhaps another process has the lane: the worker sees to it
    Lock intake(intake_);
    return suspended_ ? Status() : refuse(hold::Refusal::ring_full, Code::disk_error);
  }
  const std::int64_t now = clock_.monotonic_ms();
  if (give_up_ms < 0) give_up_ms = now + (closing_now_ ? 0 : ring_full_wait_ms_);
  if (now < give_up_ms && wait_for_room(give_up_ms)) return {};
  Lock intake(intake_);
  return closed_ || suspended_ ? Status() : refuse(hold::Refusal::ring_full, Code::ring_full);
}

}  // namespace yukha::detail

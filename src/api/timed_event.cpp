#include <yukha/timed_event.hpp>

#include <utility>

#include "core/core.hpp"

namespace yukha {
namespace {

// Whatever is thrown inside, for want of memory, ends here.
template <typename Call>
void guarded(const Call& call) noexcept {
  try {
    call();
  } catch (...) {
    // Durations are then counted from the next change on.
  }
}

}  // namespace

TimedEvent Event::start(const Viewability& viewability) & noexcept {
  Status problem = std::move(problem_);
  problem_ = Code::already_tracked;
  std::uint64_t number = 0;
  try {
    if (core_ != nullptr) number = core_->begin_scope(*this, viewability, problem);
  } catch (...) {
    problem = Code::out_of_memory;
  }
  return {core_, number, std::move(problem)};
}

TimedEvent Event::start(const Viewability& viewability) && noexcept {
  return start(viewability);
}

TimedEvent::TimedEvent(detail::Core* core, std::uint64_t number, Status&& problem) noexcept
    : core_(core), number_(number), problem_(std::move(problem)) {}

TimedEvent::TimedEvent(TimedEvent&& other) noexcept
    : core_(other.core_), number_(other.number_), problem_(std::move(other.problem_)) {
  other.number_ = 0;
  other.problem_ = Code::already_tracked;
}

TimedEvent::~TimedEvent() {
  if (problem_ != Code::already_tracked) static_cast<void>(end());
}

void TimedEvent::pause() noexcept {
  guarded([this] {
    if (number_ != 0) core_->pause_scope(number_, true);
  });
}

void TimedEvent::resume() noexcept {
  guarded([this] {
    if (number_ != 0) core_->pause_scope(number_, false);
  });
}

void TimedEvent::set_visible_fraction(double fraction) noexcept {
  guarded([this, fraction] {
    if (number_ != 0) core_->show_scope(number_, fraction);
  });
}

std::chrono::milliseconds TimedEvent::duration() const noexcept {
  std::int64_t ms = 0;
  guarded([this, &ms] {
    if (number_ != 0) ms = core_->scope_ms(number_);
  });
  return std::chrono::milliseconds(ms);
}

Status TimedEvent::end(Members more) noexcept {
  Status problem = std::move(problem_);
  problem_ = Code::already_tracked;
  const std::uint64_t number = std::exchange(number_, 0);
  if (core_ == nullptr || problem == Code::already_tracked) return problem;
  try {
    if (number != 0) return core_->end_scope(number, more);
    // It never began; its refusal counts as that of a sentence.
    Event event = core_->event();
    return core_->track(event, std::move(problem));
  } catch (...) {
    return Code::out_of_memory;
  }
}

void TimedEvent::cancel() noexcept {
  const std::uint64_t number = std::exchange(number_, 0);
  problem_ = Code::already_tracked;
  guarded([this, number] {
    if (number != 0) core_->cancel_scope(number);
  });
}

}  // namespace yukha

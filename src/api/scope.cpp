#include <yukha/scope.hpp>

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

Scope Event::begin(const Shown& shown) & noexcept {
  Status problem = std::move(problem_);
  problem_ = Code::already_tracked;
  std::uint64_t number = 0;
  try {
    if (core_ != nullptr) number = core_->begin_scope(*this, shown, problem);
  } catch (...) {
    problem = Code::out_of_memory;
  }
  return {core_, number, std::move(problem)};
}

Scope Event::begin(const Shown& shown) && noexcept {
  return begin(shown);
}

Scope::Scope(detail::Core* core, std::uint64_t number, Status&& problem) noexcept
    : core_(core), number_(number), problem_(std::move(problem)) {}

Scope::Scope(Scope&& other) noexcept : core_(other.core_), number_(other.number_), problem_(std::move(other.problem_)) {
  other.number_ = 0;
  other.problem_ = Code::already_tracked;
}

Scope::~Scope() {
  if (problem_ != Code::already_tracked) static_cast<void>(end());
}

void Scope::pause() noexcept {
  guarded([this] {
    if (number_ != 0) core_->pause_scope(number_, true);
  });
}

void Scope::resume() noexcept {
  guarded([this] {
    if (number_ != 0) core_->pause_scope(number_, false);
  });
}

void Scope::visible(double part) noexcept {
  guarded([this, part] {
    if (number_ != 0) core_->show_scope(number_, part);
  });
}

std::chrono::milliseconds Scope::duration() const noexcept {
  std::int64_t ms = 0;
  guarded([this, &ms] {
    if (number_ != 0) ms = core_->scope_ms(number_);
  });
  return std::chrono::milliseconds(ms);
}

Status Scope::end(Members more) noexcept {
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

void Scope::cancel() noexcept {
  const std::uint64_t number = std::exchange(number_, 0);
  problem_ = Code::already_tracked;
  guarded([this, number] {
    if (number != 0) core_->cancel_scope(number);
  });
}

}  // namespace yukha

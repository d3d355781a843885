#include <yukha/event.hpp>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "compose/builder.hpp"
#include "compose/parts.hpp"
#include "compose/text.hpp"
#include "core/core.hpp"

namespace yukha {

using compose::NewEntry;
using detail::Builder;

namespace {

// Null when there are none, or when what lies in the event went by them already.
const detail::MemberRules* rules_of(const detail::Core* core, bool ruled) noexcept {
  return core == nullptr || ruled ? nullptr : core->rules();
}

}  // namespace

Event::Event(detail::Core* core) noexcept : core_(core), store_(inline_) {
  if (core == nullptr) problem_ = Code::not_open;
}

Event::Event(Event&& other) noexcept
    : core_(other.core_),
      store_(other.store_),
      size_(other.size_),
      capacity_(other.capacity_),
      at_unix_ms_(other.at_unix_ms_),
      has_time_(other.has_time_),
      has_action_(other.has_action_),
      critical_(other.critical_),
      purpose_(other.purpose_),
      ruled_(other.ruled_),
      problem_(std::move(other.problem_)) {
  std::copy(std::begin(other.names_), std::end(other.names_), names_);
  if (other.store_ == other.inline_) {
    std::memcpy(inline_, other.inline_, size_);
    store_ = inline_;
  }
  other.store_ = other.inline_;
  other.size_ = 0;
  other.capacity_ = inline_bytes;
  other.problem_ = Code::already_tracked;
}

Event::~Event() {
  if (store_ != inline_) delete[] store_;
}

Event& Event::location(std::string_view screen, Members parameters) & noexcept {
  Builder::with_ruled(*this, rules_of(core_, ruled_), Part::location, parameters, [this, screen](Members left) {
    if (core_ != nullptr) Builder::add(*this, NewEntry::location(core_->app_id(), screen, left));
  });
  return *this;
}

Event& Event::content(std::string_view id, Members members) & noexcept {
  if (!id.empty()) {
    const Member whole{"id", id};
    Builder::with_ruled(*this, rules_of(core_, ruled_), Part::content, {&whole, 1}, [this](Members left) {
      for (const Member& one : left) Builder::add(*this, NewEntry::member(Part::content, "id", one.value));
    });
  }
  Builder::add_members(*this, rules_of(core_, ruled_), Part::content, members);
  return *this;
}

Event& Event::referral(std::string_view from) & noexcept {
  Builder::add(*this, NewEntry::referral(from));
  return *this;
}

Event& Event::action(std::string_view type, Members members) & noexcept {
  if (!problem_) return *this;
  if (type.empty()) {
    problem_ = Code::missing_action;
    return *this;
  }
  Builder::add(*this, NewEntry::member(Part::action, "type", type));
  has_action_ = true;
  Builder::add_members(*this, rules_of(core_, ruled_), Part::action, members);
  return *this;
}

Event& Event::action(std::string_view type, std::chrono::milliseconds duration, Members members) & noexcept {
  if (!problem_) return *this;
  if (duration.count() < 0) {
    problem_ = compose::about_member(Code::bad_time, Part::action, "duration_ms");
    return *this;
  }
  action(type);
  char digits[24];
  char* at = digits + sizeof digits;
  auto left = static_cast<std::uint64_t>(duration.count());
  do {
    *--at = static_cast<char>('0' + left % 10);
    left /= 10;
  } while (left != 0);
  const std::string_view text(at, static_cast<std::size_t>(digits + sizeof digits - at));
  Builder::add(*this, NewEntry::member(Part::action, "duration_ms", text));
  Builder::add_members(*this, rules_of(core_, ruled_), Part::action, members);
  return *this;
}

Event& Event::user(Members members) & noexcept {
  for (const Member& member : members) {
    // Who it was is never nobody.
    if (problem_ && member.name == "id" && member.value.empty())
      problem_ = compose::about_member(Code::bad_argument, Part::user, "id");
  }
  Builder::add_members(*this, rules_of(core_, ruled_), Part::user, members);
  return *this;
}

Event& Event::device(Members members) & noexcept {
  Builder::add_members(*this, rules_of(core_, ruled_), Part::device, members);
  return *this;
}

Event& Event::at(std::chrono::system_clock::time_point time) & noexcept {
  return at_unix_ms(std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
}

Event& Event::at_unix_ms(std::int64_t unix_ms) & noexcept {
  if (!problem_) return *this;
  if (unix_ms < compose::time_unix_ms_min || unix_ms > compose::time_unix_ms_max) {
    problem_ = Code::bad_time;
    return *this;
  }
  at_unix_ms_ = unix_ms;
  has_time_ = true;
  return *this;
}

Event& Event::critical() & noexcept {
  critical_ = true;
  return *this;
}

Event& Event::purpose(Purpose purpose) & noexcept {
  if (problem_ && compose::purpose_name(purpose) == nullptr) problem_ = Status(Code::bad_argument, "purpose");
  if (problem_) purpose_ = purpose;
  return *this;
}

Status Event::track() noexcept {
  if (core_ == nullptr) return Code::not_open;
  Status problem = std::move(problem_);
  problem_ = Code::already_tracked;
  if (problem == Code::already_tracked) return problem;
  try {
    return core_->track(*this, std::move(problem));
  } catch (...) {
    return Code::out_of_memory;
  }
}

}  // namespace yukha

// Core's scopes: how one begins and ends.
#include <algorithm>
#include <iterator>
#include <utility>

#include "compose/builder.hpp"
#include "compose/parts.hpp"
#include "compose/sentence_json.hpp"
#include "compose/text.hpp"
#include "core/core.hpp"

namespace yukha::detail {

std::uint64_t Core::begin_scope(Event& event, const Viewability& viewability, Status& problem) {
  if (problem && !event.has_action_) problem = Code::missing_action;
  if (problem && event.has_time_) problem = Status(Code::bad_time, "the time of a timed event is its end");
  if (problem && compose::has_entry(event.store_, event.size_, Part::action, "duration_ms")) {
    problem = compose::about_member(Code::reserved_member, Part::action, "duration_ms");
  }
  if (problem && (!(viewability.min_visible_fraction >= 0 && viewability.min_visible_fraction <= 1) ||
                  viewability.min_duration.count() < 0)) {
    problem = Status(Code::bad_argument, "viewability");
  }
  if (!problem) return 0;
  OpenScope scope;
  scope.parts.assign(event.store_, event.size_);
  std::copy(std::begin(event.names_), std::end(event.names_), scope.names);
  scope.critical = event.critical_;
  scope.purpose = event.purpose_;
  scope.viewability = viewability;
  scope.viewability.min_duration =
      std::min<std::chrono::milliseconds>(viewability.min_duration, std::chrono::hours(24 * 365));
  while (true) {
    if (problem = check_open(); !problem) return 0;
    std::uint64_t number = 0;
    const std::optional<Code> begun = intake_.begin_scope(scope, number);
    if (!begun) continue;
    problem = *begun;
    if (problem) wake_for_scopes();
    return number;
  }
}

void Core::wake_for_scopes() {
  if (intake_.scopes_wake_worker()) transport_->wake();
}

Status Core::end_scope(std::uint64_t number, Members more, ScopeEnd end) {
  OpenScope scope;
  while (true) {
    Status status = check_open();
    if (status == Code::forked_child) return status;
    if (!status) {
      const Code dropped = intake_.drop_scope(number);
      if (dropped != Code::ok) return dropped;
      if (status == Code::closed) return intake_.refuse_closed();
      return status;
    }
    const std::optional<Code> ended = intake_.end_scope(number, scope);
    if (ended && *ended != Code::ok) return *ended;
    if (ended) break;
  }
  if (scope.counted_ms < scope.viewability.min_duration.count()) {
    wake_for_scopes();
    return Code::too_short;
  }
  Event event(this);
  char* const room = Builder::room(event, scope.parts.size());
  if (room == nullptr) return track(event, std::move(event.problem_));
  std::copy(scope.parts.begin(), scope.parts.end(), room);
  event.size_ = static_cast<std::uint32_t>(scope.parts.size());
  std::copy(std::begin(scope.names), std::end(scope.names), event.names_);
  event.has_action_ = true;  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): the event's destructor frees its store
  event.critical_ = scope.critical;
  event.purpose_ = scope.purpose;
  Builder::add(event, compose::NewEntry::member(Part::action, "duration_ms", std::to_string(scope.counted_ms)));
  Builder::add_members(event, rules(), Part::action, more);
  event.ruled_ = true;
  if (end == ScopeEnd::cut_off && !compose::has_entry(event.store_, event.size_, Part::action, "cut_off")) {
    Builder::add_members(event, nullptr, Part::action, {{"cut_off", "true"}});
  }
  Status status = track(event, std::move(event.problem_), scope.chance);
  if (!status.kept()) wake_for_scopes();
  return status;
}

void Core::cancel_scope(std::uint64_t number) {
  while (true) {
    Status status = check_open();
    if (status == Code::forked_child) return;
    OpenScope scope;
    if (!status) {
      intake_.drop_scope(number);
    } else if (!intake_.end_scope(number, scope)) {
      continue;
    }
    break;
  }
  wake_for_scopes();
}

void Core::pause_scope(std::uint64_t number, bool paused) {
  if (!check_alive()) return;
  intake_.pause_scope(number, paused);
  wake_for_scopes();
}

void Core::show_scope(std::uint64_t number, double part) {
  if (!check_alive()) return;
  intake_.show_scope(number, part);
  wake_for_scopes();
}

std::int64_t Core::scope_ms(std::uint64_t number) {
  if (!check_alive()) return 0;
  return intake_.scope_ms(number);
}

void Core::cut_off_scopes() {
  while (const std::uint64_t number = intake_.first_scope())
    static_cast<void>(end_scope(number, {}, ScopeEnd::cut_off));
}

}  // namespace yukha::detail

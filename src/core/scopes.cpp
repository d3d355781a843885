// Core's scopes: how one begins and ends, and what becomes of those that a process left open.
#include <algorithm>
#include <iterator>
#include <list>
#include <utility>

#include "compose/builder.hpp"
#include "compose/parts.hpp"
#include "compose/sentence_json.hpp"
#include "compose/text.hpp"
#include "core/core.hpp"

namespace yukha::detail {

using system::Lock;

std::uint64_t Core::begin_scope(Event& event, const Shown& shown, Status& problem) {
  if (problem && !event.has_action_) problem = Code::missing_action;
  if (problem && event.has_time_) problem = Status(Code::bad_time, "a scope's time is its end");
  if (problem && compose::has_entry(event.store_, event.size_, Part::action, "duration_ms")) {
    problem = compose::about_member(Code::reserved_member, Part::action, "duration_ms");
  }
  if (problem && (!(shown.part >= 0 && shown.part <= 1) || shown.least.count() < 0)) {
    problem = Status(Code::bad_argument, "shown");
  }
  if (!problem) return 0;
  OpenScope scope;
  scope.parts.assign(event.store_, event.size_);
  std::copy(std::begin(event.names_), std::end(event.names_), scope.names);
  scope.critical = event.critical_;
  scope.purpose = event.purpose_;
  scope.shown = shown;
  scope.shown.least = std::min<std::chrono::milliseconds>(shown.least, std::chrono::hours(24 * 365));
  while (true) {
    if (problem = check_open(); !problem) return 0;
    std::uint64_t number = 0;
    const std::optional<Code> begun = intake_.begin_scope(std::move(scope), number);
    if (!begun) continue;
    problem = *begun;
    if (problem) wake_for_scopes();
    return number;
  }
}

void Core::wake_for_scopes() {
  if (intake_.scopes_wake_worker()) transport_->wake();
}

Status Core::end_scope(std::uint64_t number, Members more, bool cut_off) {
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
  if (scope.counted_ms < scope.shown.least.count()) {
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
  if (cut_off && !compose::has_entry(event.store_, event.size_, Part::action, "cut_off")) {
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
  while (const std::uint64_t number = intake_.first_scope()) static_cast<void>(end_scope(number, {}, true));
}

// Below 0 the lane must be opened anew before anything is tracked.
Status Core::tell_of_cut_off(bool same_lane) {
  hold::Ring& ring = lane_->ring();
  hold::Queue& queue = lane_->queue();
  const std::int64_t now = clock_.monotonic_ms();
  const std::vector<hold::KeptScope> on_disk =
      lane_->in_memory() ? std::vector<hold::KeptScope>() : queue.kept_scopes();
  std::vector<hold::KeptScope> kept = intake_.scopes().reconcile(on_disk, same_lane);
  intake_.scopes().forget_untold();
  if (kept.empty()) return {};
  if (ring.used() != 0) {
    // The disk is full. What ended is told by the lines that wait in the ring, the others by the next opening.
    std::string text;
    std::vector<hold::RingLine> lines;
    ring.read(ring.tail(), ring.head(), SIZE_MAX, text, lines);
    intake_.scopes().leave(hold::without_ended(std::move(kept), lines), now);
    return {};
  }
  // Of this process there are some only when it was suspended.
  std::vector<hold::KeptScope> mine;
  for (const hold::KeptScope& one : on_disk) {
    const auto same = [&one](const hold::KeptScope& other) { return other.tail == one.tail; };
    if (std::none_of(kept.begin(), kept.end(), same)) mine.push_back(one);
  }
  std::list<std::string> texts;
  hold::Drained drained;
  drained.scopes = &mine;
  drained.mark = queue.ring_mark();
  for (const hold::KeptScope& scope : kept) {
    Event event(this);
    event.ruled_ = true;
    // What lies on a disk is checked like any other sentence.
    if (!fill_from_json(scope.sentence, event) || !event.problem() || !event.has_action_) continue;
    event.purpose_ = scope.purpose;
    compose::Sentence sentence = sentence_of(event);
    sentence.own_time = false;  // the library said when
    if (!intake_.takes(sentence)) continue;
    if (!intake_.has_chance(system::DiceCup::id_bytes)) return Code::no_randomness;
    std::string line = intake_.line_of(sentence, drained.mark.accepted + 1);
    if (line.empty()) continue;
    texts.push_back(std::move(line));
    hold::RingLine one;
    one.ordinal = ++drained.mark.accepted;
    one.kind = kind_of(event);
    one.text = texts.back();
    drained.lines.push_back(one);
  }
  if (queue.take_over(drained, texts.size(), 0)) {
    ring.pass_over(texts.size());
    return {};
  }
  // They stay for the next opening. On a full disk nothing of it was written; after any other fault the commit may turn
  // up after a kill, and what the ring gave the same ordinals by then would not count.
  Status status = queue.status();
  intake_.scopes().leave(std::move(kept), now);
  if (status.code() != Code::disk_full) return status;
  log_.write(LogLevel::warning, status.message());
  return {};
}

}  // namespace yukha::detail

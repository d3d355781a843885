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
    {
      Lock intake(intake_);
      if (closed_ || closing_now_) problem = Code::closed;
      if (problem && consents_.of(scope.purpose) == Consent::denied) problem = Code::consent_denied;
      if (problem && !dice_.has(system::DiceCup::id_bytes)) problem = Code::no_randomness;
      if (!problem) return 0;
      if (suspended_) continue;
      dice_.next_id(scope.chance);
      number = scopes_.begin(std::move(scope), clock_.monotonic_ms());
    }
    if (number == 0) problem = Code::too_many_scopes;
    wake_for_scopes();
    return number;
  }
}

// The worker may sleep with no thought of what began, goes on, or ended without a sentence.
void Core::wake_for_scopes() {
  {
    Lock intake(intake_);
    // Only what is due before the worker thinks: a scroll of impressions must not be a row of wake-ups.
    if (attention_ == Attention::none || scopes_.due_ms(settings_.sync_interval_ms) >= scopes_due_told_ms_) return;
    attention_ = Attention::none;
  }
  transport_->wake();
}

Status Core::end_scope(std::uint64_t number, Members more, bool cut_off) {
  OpenScope scope;
  while (true) {
    Status status = check_open();
    if (status == Code::forked_child) return status;
    // Gone from here before its sentence is kept: what is drained has no open scope any more, so a kill in between
    // cannot have both.
    Lock intake(intake_);
    if (status && suspended_) continue;
    if (!scopes_.end(number, clock_.monotonic_ms(), scope)) return closed_ ? Code::closed : Code::already_tracked;
    if (status == Code::closed) refused_closed_.fetch_add(1, std::memory_order_relaxed);
    if (!status) return status;
    break;
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
    Lock intake(intake_);
    if (status && suspended_) continue;
    static_cast<void>(scopes_.end(number, clock_.monotonic_ms(), scope));
    break;
  }
  wake_for_scopes();
}

void Core::pause_scope(std::uint64_t number, bool paused) {
  if (!check_alive()) return;
  {
    Lock intake(intake_);
    scopes_.pause(number, paused, clock_.monotonic_ms());
  }
  wake_for_scopes();
}

void Core::show_scope(std::uint64_t number, double part) {
  if (!check_alive()) return;
  {
    Lock intake(intake_);
    scopes_.show(number, part, clock_.monotonic_ms());
  }
  wake_for_scopes();
}

std::int64_t Core::scope_ms(std::uint64_t number) {
  if (!check_alive()) return 0;
  Lock intake(intake_);
  return scopes_.duration(number, clock_.monotonic_ms());
}

void Core::cut_off_scopes() {
  while (true) {
    std::uint64_t number = 0;
    {
      Lock intake(intake_);
      number = closed_ ? 0 : scopes_.first();
    }
    if (number == 0) return;
    static_cast<void>(end_scope(number, {}, true));
  }
}

// Below 0 the lane must be opened anew before anything is tracked.
Status Core::tell_of_cut_off(bool same_lane) {
  hold::Ring& ring = lane_->ring();
  hold::Queue& queue = lane_->queue();
  const std::int64_t now = clock_.monotonic_ms();
  const std::vector<hold::KeptScope> on_disk =
      lane_->in_memory() ? std::vector<hold::KeptScope>() : queue.kept_scopes();
  std::vector<hold::KeptScope> kept = scopes_.reconcile(on_disk, same_lane);
  scopes_.forget_untold();
  if (kept.empty()) return {};
  if (ring.used() != 0) {
    // The disk is full. What ended is told by the lines that wait in the ring, the others by the next opening.
    std::string text;
    std::vector<hold::RingLine> lines;
    ring.read(ring.tail(), ring.head(), SIZE_MAX, text, lines);
    scopes_.leave(hold::without_ended(std::move(kept), lines), now);
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
    if (consents_.of(event.purpose_) == Consent::denied || sampling_.leaves_out(event.store_, event.size_)) continue;
    if (!dice_.has(system::DiceCup::id_bytes)) return Code::no_randomness;
    compose::Sentence sentence;
    sentence.parts = event.store_;
    sentence.parts_size = event.size_;
    sentence.id_unix_ms = clock_.unix_ms();
    dice_.next_id(sentence.chance);
    sentence.unix_ms = event.at_unix_ms_;
    sentence.purpose = event.purpose_;
    sentence.seq = drained.mark.accepted + 1 - run_base_;
    std::string line(encoder_.bound(event.size_), '\0');
    line.resize(encoder_.encode(sentence, line.data()));
    if (line.size() > compose::line_bytes_max) continue;
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
  scopes_.leave(std::move(kept), now);
  if (status.code() != Code::disk_full) return status;
  log_.write(LogLevel::warning, status.message());
  return {};
}

std::int64_t Core::scopes_due_ms() {
  Lock intake(intake_);
  scopes_due_told_ms_ = scopes_.due_ms(settings_.sync_interval_ms);
  return scopes_due_told_ms_;
}

bool Core::open_scopes(bool all, std::vector<hold::KeptScope>& scopes, std::uint64_t& version) {
  Lock intake(intake_);
  const std::int64_t now = clock_.monotonic_ms();
  if (!all && !scopes_.changed()) return false;
  version = scopes_.version();
  scopes = scopes_.to_keep(encoder_, now, clock_.unix_ms());
  return true;
}

void Core::scopes_kept(std::uint64_t version) {
  Lock intake(intake_);
  scopes_.kept(version, clock_.monotonic_ms());
}

}  // namespace yukha::detail

#include "scopes.hpp"

#include <yukha/scope.hpp>

#include <algorithm>
#include <iterator>
#include <list>
#include <utility>

#include "builder.hpp"
#include "compose/parts.hpp"
#include "compose/text.hpp"
#include "core.hpp"
#include "sentence_json.hpp"
#include "system/uuid.hpp"

namespace yukha {
namespace detail {
namespace {

using system::Lock;

constexpr std::size_t scopes_max = 256;
constexpr std::size_t scopes_bytes_max = 1 << 20;
constexpr std::int64_t keep_every_ms = 10'000;
// Of a UUIDv7: what comes behind the time and the first twelve random bits.
constexpr std::size_t tail_begin = 19;

std::string tail_of(const OpenScope& scope) {
  char id[system::uuid_text_size];
  compose::write_uuid7(0, scope.chance[0], scope.chance[1], id);
  return {id + tail_begin, sizeof id - tail_begin};
}

}  // namespace

// --- what is open ----------------------------------------------------------------------------------------------------

std::int64_t OpenScope::duration(std::int64_t now_ms) const noexcept {
  return counted_ms + (since_ms >= 0 ? std::max<std::int64_t>(now_ms - since_ms, 0) : 0);
}

void Scopes::count(OpenScope& scope, std::int64_t now_ms) noexcept {
  const bool counted = scope.since_ms >= 0;
  scope.counted_ms = scope.duration(now_ms);
  scope.since_ms = scope.paused || !scope.in_view || background_ ? -1 : now_ms;
  // The worker may sleep with another thought of it, and what was counted up to a pause is worth keeping.
  if (counted != (scope.since_ms >= 0)) change(now_ms);
}

void Scopes::change(std::int64_t now_ms) noexcept {
  ++version_;
  if (changed_ms_ < 0) changed_ms_ = now_ms;
}

std::uint64_t Scopes::begin(OpenScope&& scope, std::int64_t now_ms) {
  if (open_.size() >= scopes_max || bytes_ + scope.parts.size() > scopes_bytes_max) return 0;
  scope.in_view = !(scope.shown.part > 0);
  count(scope, now_ms);
  const std::size_t bytes = scope.parts.size();
  open_.emplace(begun_ + 1, std::move(scope));
  bytes_ += bytes;
  change(now_ms);
  return ++begun_;
}

bool Scopes::end(std::uint64_t number, std::int64_t now_ms, OpenScope& scope) {
  const auto found = open_.find(number);
  if (found == open_.end()) return false;
  count(found->second, now_ms);
  scope = std::move(found->second);
  bytes_ -= scope.parts.size();
  open_.erase(found);
  change(now_ms);
  return true;
}

void Scopes::pause(std::uint64_t number, bool paused, std::int64_t now_ms) noexcept {
  const auto found = open_.find(number);
  if (found == open_.end()) return;
  found->second.paused = paused;
  count(found->second, now_ms);
}

void Scopes::show(std::uint64_t number, double part, std::int64_t now_ms) noexcept {
  const auto found = open_.find(number);
  if (found == open_.end()) return;
  found->second.in_view = part >= found->second.shown.part;  // which nothing is that is no number
  count(found->second, now_ms);
}

std::int64_t Scopes::duration(std::uint64_t number, std::int64_t now_ms) const noexcept {
  const auto found = open_.find(number);
  return found == open_.end() ? 0 : found->second.duration(now_ms);
}

void Scopes::set_background(bool background, std::int64_t now_ms) noexcept {
  background_ = background;
  for (auto& [number, scope] : open_) count(scope, now_ms);
}

std::vector<hold::KeptScope> Scopes::reconcile(const std::vector<hold::KeptScope>& on_disk, bool same_lane) {
  std::vector<hold::KeptScope> others = on_disk;
  for (auto at = open_.begin(); at != open_.end();) {
    const std::string tail = tail_of(at->second);
    const auto found =
        std::find_if(others.begin(), others.end(), [&tail](const hold::KeptScope& one) { return one.tail == tail; });
    if (found != others.end()) {
      others.erase(found);
    } else if (at->second.kept || (!same_lane && at->second.to_keep)) {
      bytes_ -= at->second.parts.size();
      at = open_.erase(at);
      continue;
    }
    ++at;
  }
  return others;
}

void Scopes::leave(std::vector<hold::KeptScope>&& untold, std::int64_t now_ms) {
  untold_ = std::move(untold);
  change(now_ms);
}

void Scopes::erase_denied(const hold::Consents& consents, std::int64_t now_ms) {
  bool changed = false;
  for (auto at = open_.begin(); at != open_.end();) {
    if (consents.of(at->second.purpose) != Consent::denied) {
      ++at;
      continue;
    }
    bytes_ -= at->second.parts.size();
    at = open_.erase(at);
    changed = true;
  }
  for (auto at = untold_.begin(); at != untold_.end();) {
    if (consents.of(at->purpose) != Consent::denied) {
      ++at;
      continue;
    }
    at = untold_.erase(at);
    changed = true;
  }
  if (changed) change(now_ms);
}

void Scopes::clear(std::int64_t now_ms) noexcept {
  if (open_.empty() && untold_.empty()) return;
  open_.clear();
  untold_.clear();
  bytes_ = 0;
  change(now_ms);
}

std::int64_t Scopes::due_ms(std::int64_t interval_ms) const noexcept {
  std::int64_t due = changed_ms_ >= 0 ? changed_ms_ + interval_ms : INT64_MAX;
  for (const auto& [number, scope] : open_) {
    if (scope.since_ms < 0) continue;
    // What is not shown for long enough yet is not on the disk.
    const std::int64_t long_enough_ms = scope.since_ms + scope.shown.least.count() - scope.counted_ms;
    const std::int64_t next_ms =
        scope.kept ? kept_ms_ + keep_every_ms : std::max(long_enough_ms, kept_ms_ + interval_ms);
    if (scope.kept || changed_ms_ < 0) due = std::min(due, next_ms);
  }
  return due;
}

std::vector<hold::KeptScope> Scopes::to_keep(const compose::LineEncoder& encoder, std::int64_t now_ms,
                                             std::int64_t unix_ms) {
  std::vector<hold::KeptScope> all = untold_;
  for (auto& [number, scope] : open_) {
    const std::int64_t duration = scope.duration(now_ms);
    // Should it be cut off now, it was not shown for long enough.
    if (duration < scope.shown.least.count()) continue;
    scope.to_keep = true;
    std::string parts = scope.parts;
    compose::append_entry(parts, Part::action, "duration_ms", std::to_string(duration));
    if (!compose::has_entry(parts.data(), parts.size(), Part::action, "cut_off")) {
      compose::append_entry(parts, Part::action, "cut_off", "true");
    }
    hold::KeptScope kept;
    kept.tail = tail_of(scope);
    kept.sentence = encoder.parts_as_json(parts) + ",\"at_unix_ms\":" + std::to_string(unix_ms) +
                    (scope.critical ? ",\"critical\":true}" : "}");
    kept.purpose = scope.purpose;
    all.push_back(std::move(kept));
  }
  return all;
}

void Scopes::kept(std::uint64_t version, std::int64_t now_ms) noexcept {
  kept_ms_ = now_ms;
  for (auto& [number, scope] : open_) scope.kept = scope.kept || std::exchange(scope.to_keep, false);
  changed_ms_ = version == version_ ? -1 : now_ms;
}

// --- the tracker's side ----------------------------------------------------------------------------------------------

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
  Builder::add_members(event, Part::action, more);
  event.ruled_ = true;
  if (cut_off && !compose::has_entry(event.store_, event.size_, Part::action, "cut_off")) {
    Builder::add_members(event, Part::action, {{"cut_off", "true"}});
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
    if (consents_.of(event.purpose_) == Consent::denied || (sample_rate_ < 1 && place_of(event) >= sample_rate_))
      continue;
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
  log(LogLevel::warning, status.message());
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

}  // namespace detail

// --- the app's side --------------------------------------------------------------------------------------------------

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

#include "intake/intake.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "compose/parts.hpp"

namespace yukha::detail {

using system::Lock;

// --- what a sentence meets rarely ------------------------------------------------------------------------------------

Intake::Appended Intake::refuse(hold::Refusal why, Code code) {
  lane_->ring().refuse(why);
  return {Appended::Outcome::refused, code, false};
}

Intake::Appended Intake::refuse_problem(Code code) {
  // Without memory the sentence may be as good as any: it is refused for want of room.
  return refuse(code == Code::out_of_memory ? hold::Refusal::ring_full : hold::Refusal::invalid, code);
}

Code Intake::refuse_closed() noexcept {
  refused_closed_.fetch_add(1, std::memory_order_relaxed);
  return Code::closed;
}

Status Intake::give_up(Code code) {
  Lock lock(mutex);
  if (state_ == State::closed || is_suspended()) return {};
  return refuse(hold::Refusal::ring_full, code).refusal;
}

bool Intake::is_stopped(const compose::Sentence& sentence) {
  if (sampling_.is_over(clock_.monotonic_ms())) {
    keep_to(send::Policy());
    return false;
  }
  return sampling_.stops(sentence.parts, sentence.parts_size);
}

void Intake::keep_session(std::int64_t unix_ms) noexcept {
  const std::int64_t now = clock_.monotonic_ms();
  if (session_.begins(now)) {
    const std::uint64_t ordinal = standing_.session_ordinal + 1;
    try {
      be_in_session(Session::id_of(lane_->ring().id(), ordinal), ordinal);
    } catch (...) {
      // Without memory the sentence belongs to the session before; the next one tries again.
      session_.end();
      return;
    }
  }
  if (session_.take(now)) lane_->ring().note_session({standing_.session_ordinal, unix_ms});
}

void Intake::check_clock(std::int64_t unix_ms) noexcept {
  if (!clock_note_.check(unix_ms, clock_.monotonic_ms())) encoder_.forget_clock_offset();
}

char* Intake::room_at_desk(std::size_t bound) noexcept {
  constexpr std::size_t desk_bytes_min = 4096;
  if (desk_.size < bound) {
    const std::size_t size = std::max(bound, desk_bytes_min);
    std::unique_ptr<char[]> larger(new (std::nothrow) char[size]);
    if (!larger) return nullptr;
    desk_ = {std::move(larger), size};
  }
  return desk_.bytes.get();
}

void Intake::wait_for_room(std::int64_t until_ms) {
  Lock lock(mutex);
  ++waiting_for_room_;
  while (state_ != State::closed && lane_->ring().used() * 2 > lane_->ring().capacity() &&
         clock_.monotonic_ms() < until_ms) {
    room_.wait_for(mutex, std::chrono::milliseconds(std::max<std::int64_t>(until_ms - clock_.monotonic_ms(), 1)));
  }
  --waiting_for_room_;
}

bool Intake::has_room() const {
  Lock lock(mutex);
  return lane_->ring().used() < lane_->ring().capacity() / 2;
}

void Intake::tell_of_room() {
  Lock lock(mutex);
  if (waiting_for_room_ > 0) room_.notify_all();
}

// --- what stands in every sentence -----------------------------------------------------------------------------------

Status Intake::change(system::FunctionRef<Status(compose::Standing&)> change) {
  Lock lock(mutex);
  if (state_ == State::closed) return Code::closed;
  compose::Standing next = standing_;
  Status status = change(next);
  if (!status) return status;
  // Logging in goes on with the session; somebody else, or nobody, begins another.
  if (!standing_.user_id.empty() && next.user_id != standing_.user_id) session_.end();
  stand(std::move(next));
  return status;
}

void Intake::stand(compose::Standing&& next) {
  const compose::Circumstances circumstances = next.circumstances();
  encoder_.set(circumstances);
  compose::Entry id{};
  if (!next.sample_rate.empty() && compose::Entries(circumstances.user.data(), circumstances.user.size()).next(id)) {
    sampling_.set_user(id.text);
  }
  standing_ = std::move(next);
}

void Intake::be_in_session(std::uint64_t id, std::uint64_t ordinal) {
  compose::Standing next = standing_;
  next.session = id;
  next.session_ordinal = ordinal;
  stand(std::move(next));
}

void Intake::obey(const hold::Consents& consents) {
  Lock lock(mutex);
  keep_to(consents);
}

void Intake::obey(const send::Policy& policy) {
  Lock lock(mutex);
  keep_to(policy);
}

void Intake::keep_to(const hold::Consents& consents) {
  consents_ = consents;
  scopes_.erase_denied(consents, clock_.monotonic_ms());
}

void Intake::keep_to(const send::Policy& policy) {
  Sampling::Wish wish = Sampling::wish_of(policy, clock_.unix_ms(), clock_.monotonic_ms());
  compose::Standing next = standing_;
  next.sample_rate = sampling_.told(wish);
  stand(std::move(next));
  sampling_.obey(std::move(wish));
}

Consent Intake::consent(const Purpose* purpose) const {
  Lock lock(mutex);
  hold::Consents consents = consents_;
  return consents.said(purpose);
}

void Intake::set_clock_offset(std::optional<std::int64_t> offset_ms, std::int64_t unix_ms, std::int64_t monotonic_ms) {
  Lock lock(mutex);
  if (!clock_note_.says(offset_ms)) encoder_.set_clock_offset(offset_ms);
  clock_note_.set(offset_ms, unix_ms, monotonic_ms);
}

void Intake::go_to_background() {
  Lock lock(mutex);
  const std::int64_t now = clock_.monotonic_ms();
  scopes_.set_background(true, now);
  session_.go_to_background(now);
}

void Intake::come_to_foreground() {
  Lock lock(mutex);
  const std::int64_t now = clock_.monotonic_ms();
  scopes_.set_background(false, now);
  session_.come_to_foreground(now);
}

// --- scopes ----------------------------------------------------------------------------------------------------------

std::optional<Code> Intake::begin_scope(OpenScope& scope, std::uint64_t& number) {
  Lock lock(mutex);
  if (state_ != State::open) return Code::closed;
  if (consents_.of(scope.purpose) == Consent::denied) return Code::consent_denied;
  if (!dice_.has(system::DiceCup::id_bytes)) return Code::no_randomness;
  if (is_suspended()) return std::nullopt;
  dice_.next_id(scope.chance);
  number = scopes_.begin(std::move(scope), clock_.monotonic_ms());
  return number == 0 ? Code::too_many_timed_events : Code::ok;
}

std::optional<Code> Intake::end_scope(std::uint64_t number, OpenScope& scope) {
  Lock lock(mutex);
  if (is_suspended()) return std::nullopt;
  if (scopes_.end(number, clock_.monotonic_ms(), scope)) return Code::ok;
  return state_ == State::closed ? Code::closed : Code::already_tracked;
}

Code Intake::drop_scope(std::uint64_t number) {
  OpenScope scope;
  Lock lock(mutex);
  if (scopes_.end(number, clock_.monotonic_ms(), scope)) return Code::ok;
  return state_ == State::closed ? Code::closed : Code::already_tracked;
}

void Intake::pause_scope(std::uint64_t number, bool paused) {
  Lock lock(mutex);
  scopes_.pause(number, paused, clock_.monotonic_ms());
}

void Intake::show_scope(std::uint64_t number, double part) {
  Lock lock(mutex);
  scopes_.show(number, part, clock_.monotonic_ms());
}

std::int64_t Intake::scope_ms(std::uint64_t number) const {
  Lock lock(mutex);
  return scopes_.duration(number, clock_.monotonic_ms());
}

std::uint64_t Intake::first_scope() const {
  Lock lock(mutex);
  return state_ == State::closed ? 0 : scopes_.first();
}

bool Intake::scopes_wake_worker() {
  Lock lock(mutex);
  // Only what is due before the worker thinks: a scroll of impressions must not be a row of wake-ups.
  if (attention_ == Attention::none || scopes_.due_ms(sync_interval_ms_) >= scopes_due_told_ms_) return false;
  attention_ = Attention::none;
  return true;
}

// --- the end ---------------------------------------------------------------------------------------------------------

void Intake::begin_to_close() {
  Lock lock(mutex);
  if (state_ == State::open) state_ = State::closing;
}

void Intake::close() {
  Lock lock(mutex);
  state_ = State::closed;
  room_.notify_all();
}

bool Intake::is_closing() const {
  Lock lock(mutex);
  return state_ != State::open;
}

bool Intake::is_closed() const {
  Lock lock(mutex);
  return state_ == State::closed;
}

}  // namespace yukha::detail

#include "intake/intake.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "compose/parts.hpp"
#include "compose/text.hpp"
#include "intake/own_sentences.hpp"

namespace yukha::detail {
namespace {

using system::Lock;

std::string run_text(std::uint64_t run) {
  char text[16];
  compose::write_hex64(run, text);
  return {text, sizeof text};
}

}  // namespace

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

std::optional<Code> Intake::begin_scope(OpenScope&& scope, std::uint64_t& number) {
  Lock lock(mutex);
  if (state_ != State::open) return Code::closed;
  if (consents_.of(scope.purpose) == Consent::denied) return Code::consent_denied;
  if (!dice_.has(system::DiceCup::id_bytes)) return Code::no_randomness;
  if (is_suspended()) return std::nullopt;
  dice_.next_id(scope.chance);
  number = scopes_.begin(std::move(scope), clock_.monotonic_ms());
  return number == 0 ? Code::too_many_scopes : Code::ok;
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

// --- for the worker --------------------------------------------------------------------------------------------------

std::string Intake::encode(compose::Sentence& sentence) {
  sentence.id_unix_ms = clock_.unix_ms();
  dice_.next_id(sentence.chance);
  std::string line(encoder_.bound(sentence.parts_size), '\0');
  line.resize(encoder_.encode(sentence, line.data()));
  return line.size() <= compose::line_bytes_max ? line : std::string();
}

std::string Intake::ledger_line(const hold::Ledger& ledger, const hold::RunMark& previous) {
  const std::string parts = ledger_parts(ledger, previous);
  Lock lock(mutex);
  if (!dice_.has(system::DiceCup::id_bytes)) return {};
  compose::Sentence sentence;
  sentence.parts = parts.data();
  sentence.parts_size = parts.size();
  sentence.unix_ms = clock_.unix_ms();
  return encode(sentence);
}

std::uint64_t Intake::run_base() const {
  Lock lock(mutex);
  return run_base_;
}

std::int64_t Intake::scopes_due_ms() {
  Lock lock(mutex);
  scopes_due_told_ms_ = scopes_.due_ms(sync_interval_ms_);
  return scopes_due_told_ms_;
}

bool Intake::open_scopes(Keep keep, std::vector<hold::KeptScope>& scopes, std::uint64_t& version) {
  Lock lock(mutex);
  if (keep == Keep::if_changed && !scopes_.changed()) return false;
  version = scopes_.version();
  scopes = scopes_.to_keep(encoder_, clock_.monotonic_ms(), clock_.unix_ms());
  return true;
}

void Intake::scopes_kept(std::uint64_t version) {
  Lock lock(mutex);
  scopes_.kept(version, clock_.monotonic_ms());
}

bool Intake::fall_asleep(Waits waits) {
  Lock lock(mutex);
  if (is_suspended()) return true;
  if (scopes_.due_ms(sync_interval_ms_) < scopes_due_told_ms_) return false;
  const hold::Ring& ring = lane_->ring();
  if (waits == Waits::for_any_line) {
    if (ring.used() != 0) return false;
    attention_ = Attention::any_line;
    return true;
  }
  const bool half_full = ring.used() * 2 >= ring.capacity();
  if (half_full && waits != Waits::for_time) return false;
  attention_ = half_full ? Attention::none : Attention::half_full;
  return true;
}

bool Intake::wipe_ring(std::uint64_t& from) {
  Lock lock(mutex);
  return lane_->ring().wipe(from) == 0;
}

Status Intake::renew_lane(Epoch epoch) {
  Lock lock(mutex);
  // What comes after an erase was not at hand before it.
  dice_.spill();
  if (!dice_.has(8)) return Code::no_randomness;
  const std::uint64_t before = lane_->queue().epoch();
  const std::uint64_t run = dice_.next();
  Status status = lane_->erase(run_text(run), epoch == Epoch::next);
  if (lane_->queue().epoch() == before) return status;
  standing_.run = run;
  epoch_ = directory_.state().epoch;
  scopes_.clear(clock_.monotonic_ms());
  begin_run();
  return status;
}

Status Intake::make_lane_again(std::int64_t held_ms) {
  Lock lock(mutex);
  const std::uint64_t before = lane_->ring().accepted();
  Status status = lane_->make_again(run_base_, held_ms);
  // What another process took of the ring counts in its lane; the run's numbers go on.
  run_base_ -= before - lane_->ring().accepted();
  return status;
}

// --- a lane is opened and left ---------------------------------------------------------------------------------------

void Intake::set_facts(std::string&& facts) {
  standing_.facts = std::move(facts);
}

std::string Intake::name_run() {
  standing_.run = dice_.next();
  return run_text(standing_.run);
}

void Intake::read_directory(const std::optional<send::Policy>& policy) {
  const hold::DirectoryState& state = directory_.state();
  if (state.epoch != epoch_) scopes_.clear(clock_.monotonic_ms());
  keep_to(state.consents);
  if (policy) keep_to(*policy);
  epoch_ = state.epoch;
}

void Intake::begin_run() {
  run_base_ = lane_->ring().accepted();
  compose::Standing next = standing_;
  next.install_id = directory_.state().install_id;
  next.sample_rate = sampling_.told();
  stand(std::move(next));
  if (!session_.is_told()) return;
  const hold::SessionMark mark = lane_->ring().session();
  const bool goes_on = session_.go_on(mark, clock_.unix_ms(), clock_.monotonic_ms());
  be_in_session(goes_on ? Session::id_of(lane_->ring().id(), mark.ordinal) : 0, mark.ordinal);
}

void Intake::leave_lane() {
  suspended_ = true;
  room_.notify_all();
}

bool Intake::takes(const compose::Sentence& sentence) const {
  return consents_.of(sentence.purpose) != Consent::denied &&
         !sampling_.leaves_out(sentence.parts, sentence.parts_size);
}

std::string Intake::line_of(compose::Sentence& sentence, std::uint64_t ordinal) {
  sentence.seq = ordinal - run_base_;
  return encode(sentence);
}

void Intake::keep_scopes() {
  if (!scopes_.changed()) return;
  const std::int64_t now = clock_.monotonic_ms();
  if (lane_->queue().keep_scopes(scopes_.to_keep(encoder_, now, clock_.unix_ms())))
    scopes_.kept(scopes_.version(), now);
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

// What the worker asks of the intake, and whoever opens or leaves a lane.
#include <utility>

#include "compose/text.hpp"
#include "intake/intake.hpp"
#include "intake/ledger_parts.hpp"

namespace yukha::detail {
namespace {

using system::Lock;

std::string run_text(std::uint64_t run) {
  char text[16];
  compose::write_hex64(run, text);
  return {text, sizeof text};
}

}  // namespace

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

Status Intake::renew_lane(hold::Epoch epoch) {
  Lock lock(mutex);
  // What comes after an erase was not at hand before it.
  dice_.spill();
  if (!dice_.has(8)) return Code::no_randomness;
  const std::uint64_t before = lane_->queue().epoch();
  const std::uint64_t run = dice_.next();
  Status status = lane_->erase(run_text(run), epoch);
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

}  // namespace yukha::detail

#include "pipeline/worker.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace yukha::pipeline {

Worker::Worker(WorkerSettings& settings, hold::Directory& directory, hold::Lane& lane, HttpTransport& transport,
               system::Files& files, system::Clock& clock, system::Dice& dice, system::Log& log, detail::Intake& intake)
    : around_{settings,
              directory,
              lane,
              transport,
              files,
              clock,
              dice,
              log,
              intake,
              system::DiceCup(dice),
              clock.monotonic_ms()},
      faults_(around_),
      watch_(around_),
      sizes_(around_),
      back_off_(around_, sizes_),
      retention_(around_, faults_, in_flight_),
      turns_(around_, flush_, sizes_, watch_),
      keys_(around_, faults_),
      splitter_(around_, faults_),
      erasure_(around_, faults_, watch_, in_flight_),
      drain_(around_, faults_, flush_, watch_, retention_),
      seal_(around_, faults_, flush_, turns_, back_off_, in_flight_),
      adoption_(around_, flush_, turns_, back_off_, in_flight_, retention_, seal_, erasure_),
      upload_(around_, faults_, flush_, watch_, sizes_, back_off_, turns_, keys_, splitter_, adoption_, in_flight_),
      settle_(around_, faults_, flush_, sizes_, back_off_, turns_, keys_, retention_, splitter_, upload_, in_flight_),
      quarantine_(around_, faults_) {
  note_progress();
}

std::int64_t Worker::step(const Orders& orders) {
  step_ = Step();
  step_.now_ms = around_.clock.monotonic_ms();
  step_.orders = orders;
  const std::int64_t unix_ms = around_.clock.unix_ms();
  upload_.watch_clock(unix_ms, step_.now_ms);
  // A fault that a stage left behind must not stand in the way of the next.
  for (hold::Lane* lane : {&around_.lane, adoption_.adopted()}) {
    if (lane == nullptr) continue;
    if (Status status = lane->queue().status(); !status) around_.log.write(LogLevel::error, status.message());
  }
  look_at_directory();
  if (orders.flush != flush_.number) begin_flush();
  drain();
  if (!around_.lane.queue().is_open()) return 0;
  erasure_.step(step_, adoption_.adopted());
  drain_.keep_scopes(step_);
  settle_.step(step_);
  retention_.make_room(step_, adoption_.adopted(), adoption_.adopted_ms());
  back_off_.share_if_owed(step_.now_ms);
  if (!orders.close) {
    seal_.step(step_);
    upload_.step(step_);
  }
  if (faults_.repair_due(step_.now_ms)) repair();
  const std::optional<std::int64_t> true_ms = upload_.true_unix_ms(step_.now_ms);
  around_.intake.set_clock_offset(true_ms ? std::optional<std::int64_t>(*true_ms - unix_ms) : std::nullopt, unix_ms,
                                  step_.now_ms);
  note_progress();
  return next_wake();
}

void Worker::note_progress() {
  const bool disk_waits = step_.now_ms < faults_.in_again_ms();
  progress_.ledger = around_.lane.queue().ledger();
  progress_.requests = upload_.requests();
  progress_.failures = back_off_.failures();
  progress_.not_before_ms = back_off_.until_ms();
  progress_.policy_until_ms = back_off_.policy_until_ms();
  progress_.trouble = faults_.last_error();
  progress_.in_flight = in_flight_.flight.has_value();
  progress_.drained = around_.lane.ring().used() == 0;
  progress_.looks = drain_.looks();
  progress_.disk_waits = disk_waits;
  progress_.denies = erasure_.wants_denial();
  progress_.denies_badly = progress_.denies && disk_waits;
  if (is_flushed()) progress_.flushed = flush_.number;
}

bool Worker::is_flushed() const {
  if (flush_.number == 0 || !flush_.sealed) return false;
  const auto& batches = around_.lane.queue().batches();
  const bool gone = std::none_of(batches.begin(), batches.end(),
                                 [this](const hold::Batch& batch) { return flush_.keys.count(batch.key) != 0; });
  // Without consent nothing of another lane may leave, so nobody waits for it.
  return gone &&
         (flush_.others_done || around_.lane.in_memory() || around_.directory.state().consents.all != Consent::granted);
}

// --- what other processes did ----------------------------------------------------------------------------------------

void Worker::look_at_directory() {
  if (watch_.look(step_)) {
    around_.intake.obey(watch_.consents());
    adoption_.look_soon(step_.now_ms);
    deny();
  }
  if (around_.directory.state().consents.all != Consent::denied) erasure_.owe_no_erase();
  if (watch_.is_of_an_old_epoch()) begin_lane_of_new_epoch();
  if (erasure_.erase_owed_at_ms() >= 0 && step_.now_ms >= erasure_.erase_owed_at_ms()) static_cast<void>(erase());
  if (erasure_.erase_owed_at_ms() >= 0) step_.send_at_ms = std::min(step_.send_at_ms, erasure_.erase_owed_at_ms());
  sweep_if_due();
  back_off_.hear(step_.now_ms);
}

void Worker::begin_lane_of_new_epoch() {
  cancel();
  if (adoption_.adopted() != nullptr) static_cast<void>(adoption_.adopted()->erase("", hold::Epoch::present));
  adoption_.let_go();
  flush_.head = 0;
  erasure_.forget_ring();
  if (Status status = around_.intake.renew_lane(hold::Epoch::present); !status)
    around_.log.write(LogLevel::error, status.message());
  if (watch_.is_of_an_old_epoch()) step_.send_at_ms = step_.now_ms + Faults::again_after_ms;
  erasure_.sweep_again();
}

void Worker::sweep_if_due() {
  Status status;
  switch (erasure_.due_for_others(step_.now_ms)) {
    case Erasure::Due::nothing:
      return;
    case Erasure::Due::erase:
      static_cast<void>(erase());
      break;
    case Erasure::Due::sweep:
      status = erasure_.sweep_others();
      break;
  }
  erasure_.swept(status, step_.now_ms);
}

Status Worker::erase() {
  step_.now_ms = around_.clock.monotonic_ms();
  cancel();
  adoption_.let_go();
  const std::uint64_t before = around_.lane.queue().epoch();
  Status status = around_.intake.renew_lane(hold::Epoch::next);
  if (around_.lane.queue().epoch() == before) {
    // Nothing happened. What a denial owes is tried again.
    erasure_.owe_erase(step_.now_ms);
  } else {
    erasure_.owe_no_erase();
    turns_.let_all_go();
    flush_.forget();
    erasure_.forget_ring();
    seal_.forget();
    if (Status others = erasure_.sweep_others(); !others && status) status = others;
  }
  note_progress();
  // What lies on the disk nobody reached.
  return status && around_.lane.in_memory() ? Status(Code::kept_in_memory) : status;
}

void Worker::deny() noexcept {
  erasure_.deny();
  progress_.denies = true;
  progress_.denies_badly = false;
}

// --- the own lane ----------------------------------------------------------------------------------------------------

void Worker::drain() {
  switch (drain_.step(step_, erasure_.wants_denial())) {
    case Drain::Found::nothing_wrong:
      break;
    case Drain::Found::taken:
      around_.log.write(LogLevel::error, "the lane " + around_.lane.name() + " was taken by another process");
      cancel();
      around_.lane.queue().close();
      break;
    case Drain::Found::gone:
      make_lane_again();
      break;
  }
}

void Worker::make_lane_again() {
  cancel();
  adoption_.let_go();
  if (Status status = around_.intake.make_lane_again(step_.now_ms - around_.opened_ms); !status)
    faults_.tell(status.message());
  begin_anew_with_lane();
}

// A page that cannot be read stops every sentence behind it; what can be read goes on without it.
void Worker::repair() {
  cancel();
  const Status status = around_.lane.repair();
  faults_.repaired(static_cast<bool>(status), step_.now_ms);
  begin_anew_with_lane();
  if (!status) around_.log.write(LogLevel::error, status.message());
}

void Worker::begin_anew_with_lane() {
  drain_.want_scopes();
  deny();  // what was removed before may be back
  if (const std::string notice = around_.lane.take_notice(); !notice.empty())
    around_.log.write(LogLevel::error, notice);
}

// --- what the tracker wants ------------------------------------------------------------------------------------------

void Worker::begin_flush() {
  flush_.begin(step_.orders.flush, around_.lane.ring().head());
  if (flush_.number == 0) return;
  adoption_.leave();
  adoption_.begin_round(step_.now_ms);
  hurry();
}

// It comes between two steps, too, long after the last one.
void Worker::hurry() {
  step_.now_ms = around_.clock.monotonic_ms();
  back_off_.end_early(step_.now_ms);
}

void Worker::set_keys(std::vector<send::Key> keys) {
  keys_.replace(std::move(keys));
  settle_.forget_refused_keys();
  if (in_flight_.flight) {
    in_flight_.flight->keys_tried = 0;
    in_flight_.flight->first_key = 0;
  }
  hurry();
}

void Worker::set_uploads(Uploads usually, Uploads in_flush, bool metered) noexcept {
  sizes_.set_metered(metered);
  if (turns_.set_uploads(usually, in_flush)) adoption_.look_soon(INT64_MIN);
}

Status Worker::resend_quarantined(std::uint64_t number) {
  step_.now_ms = around_.clock.monotonic_ms();
  Status status = quarantine_.resend(number, step_.now_ms);
  note_progress();
  return status;
}

Status Worker::erase_quarantined(std::uint64_t number) {
  step_.now_ms = around_.clock.monotonic_ms();
  Status status = quarantine_.erase(number, step_.now_ms);
  note_progress();
  return status;
}

// --- when it is looked at again --------------------------------------------------------------------------------------

std::int64_t Worker::next_wake() {
  std::int64_t at = std::min({step_.seal_at_ms, step_.send_at_ms, drain_.due_ms(step_)});
  // What a fault put off is looked at again, also when nothing else would wake the worker.
  for (const std::int64_t again : {faults_.in_again_ms(), faults_.out_again_ms()}) {
    if (again > step_.now_ms) at = std::min(at, again);
  }
  if (at == INT64_MAX) return -1;
  return std::max<std::int64_t>(at - step_.now_ms, 0);
}

}  // namespace yukha::pipeline

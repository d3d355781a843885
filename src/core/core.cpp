#include "core/core.hpp"

#include <algorithm>
#include <utility>

#include "compose/text.hpp"
#include "system/utf8.hpp"

namespace yukha::detail {
namespace {

using system::Lock;

// Deadlines of years mean the same as one of a day, and do not overflow.
std::int64_t within_a_day(std::chrono::milliseconds time) {
  return std::clamp<std::int64_t>(time.count(), 0, 86'400'000);
}

}  // namespace

pipeline::Progress Core::progress() const {
  pipeline::Progress progress = worker_->progress();
  progress.requests += left_lane_.requests;
  return progress;
}

void Core::note_progress() {
  driver_.mailbox().tell(progress());
}

Status Core::check_alive() const {
  if (fork_guard_.in_child()) return Code::forked_child;
  return lane_ ? Status() : status_;
}

Status Core::check_open() {
  Status status = check_alive();
  return status && intake_.is_suspended() ? resume() : status;
}

// --- the app's threads -----------------------------------------------------------------------------------------------

Status Core::change(system::FunctionRef<Status(compose::Standing&)> change) {
  if (Status status = check_open(); !status) return status;
  return intake_.change(change);
}

Status Core::identify(std::string_view user_id, Members members) {
  std::optional<RuledMembers> ruled;
  std::string hashed;
  if (!rules_.empty()) {
    members = ruled.emplace(rules_, Part::user, members).list();
    if (!user_id.empty() && rules_.of(Part::user, "id") == MemberRules::Fate::hash) {
      hashed = rules_.hash(user_id);
      user_id = hashed;
    }
  }
  std::string before;
  Status status = change([&](compose::Standing& next) {
    if (next.user_id.empty() && !user_id.empty()) before = next.install_id;
    return next.identify(user_id, members);
  });
  if (!status || before.empty() || !options_.track_identify) return status;
  static_cast<void>(own_event().user({{"anonymous_id", before}}).action("yukha_identify").track());
  return status;
}

Status Core::reset() {
  return change([](compose::Standing& next) {
    next.reset();
    return Status();
  });
}

Status Core::set(Part part, Members members) {
  std::optional<RuledMembers> ruled;
  if (!rules_.empty()) members = ruled.emplace(rules_, part, members).list();
  return change([&](compose::Standing& next) { return next.set(part, members); });
}

Status Core::unset(Part part, std::string_view name) {
  return change([&](compose::Standing& next) { return next.unset(part, name); });
}

Consent Core::consent(const Purpose* purpose) {
  if (!check_alive() || (purpose != nullptr && compose::purpose_name(*purpose) == nullptr)) return Consent::pending;
  return intake_.consent(purpose);
}

Status Core::set_ad_id(std::string_view id) {
  const Member whole{"ad_id", id};
  std::string left(id);
  if (!rules_.empty()) {
    const RuledMembers ruled(rules_, Part::device, {&whole, 1});
    left.clear();
    for (const Member& one : ruled.list()) left = one.value;
  }
  return change([&left](compose::Standing& next) { return next.set_ad_id(left); });
}

// Between two of the worker's steps; what was suspended meanwhile is taken up again.
Status Core::at_work(system::FunctionRef<Status(pipeline::Worker&)> call) {
  while (true) {
    if (Status status = check_open(); !status) return status;
    WorkLock work(work_, *transport_);
    if (worker_) return at_work_now(call);
    if (!intake_.is_suspended()) return Code::closed;
  }
}

Status Core::set_consent(Consent consent, const Purpose* purpose) {
  if (Status status = check_open(); !status) return status;
  if (consent != Consent::granted && consent != Consent::pending && consent != Consent::denied) {
    return {Code::bad_argument, "consent"};
  }
  if (purpose != nullptr && compose::purpose_name(*purpose) == nullptr) return {Code::bad_argument, "purpose"};
  Status status = at_work([this, consent, purpose](pipeline::Worker& worker) YUKHA_REQUIRES(work_) {
    Status written;
    if (!directory_.set_consent(purpose, consent)) written = directory_.status_of_fault("writing");
    if (written && !directory_.is_open()) written = Code::kept_in_memory;
    intake_.obey(directory_.state().consents);
    worker.deny();
    note_progress();
    return written;
  });
  if (status && consent == Consent::denied) {
    if (purpose == nullptr) return erase();
    if (Status done = finish_denial(); !done) return done;
  } else if (driver_.uses_thread()) {
    transport_->wake();
  }
  return status;
}

// What waits of the purpose is gone when this is ok.
Status Core::finish_denial() {
  constexpr std::int64_t patience_ms = 60'000;
  const std::int64_t until = clock_.monotonic_ms() + patience_ms;
  const auto done = [](const Mailbox::Told& told) { return !told.progress.denies || told.progress.denies_badly; };
  while (driver_.drive(until, done) != Mailbox::Outcome::done && clock_.monotonic_ms() < until) {
    // Suspended meanwhile: the next worker does it.
    if (Status status = check_open(); !status) return status;
    if (intake_.is_closed()) return Code::closed;
  }
  const pipeline::Progress progress = driver_.mailbox().told().progress;
  return progress.denies ? Status(Code::disk_error, progress.trouble) : Status();
}

Status Core::erase() {
  if (Status status = check_open(); !status) return status;
  if (!driver_.uses_thread()) {
    return at_work([this](pipeline::Worker& worker) YUKHA_REQUIRES(work_) {
      Status status = worker.erase();
      note_progress();
      return status;
    });
  }
  if (intake_.is_closed()) return Code::closed;
  // The worker does it, because only its thread may speak to the transport.
  const Mailbox::Request request(driver_.mailbox(), Mailbox::Errand::erase);
  const auto done = [&request](const Mailbox::Told& told) { return request.is_done(told); };
  while (true) {
    switch (driver_.drive(INT64_MAX, done)) {
      case Mailbox::Outcome::done:
        return driver_.mailbox().told().erased;
      case Mailbox::Outcome::ended:
        return Code::closed;
      case Mailbox::Outcome::late:
      case Mailbox::Outcome::suspended:
        // The next worker does it.
        if (Status status = resume(); !status) return status;
    }
  }
}

Status Core::flush(std::chrono::milliseconds deadline) {
  if (Status status = check_open(); !status) return status;
  if (intake_.is_closed()) return Code::closed;
  // Without an endpoint waiting changes nothing.
  if (!settings_.sends) return stats().waiting == 0 ? Status() : Status(Code::still_waiting, "there is no endpoint");
  const std::int64_t until = clock_.monotonic_ms() + within_a_day(deadline);
  const Mailbox::Request request(driver_.mailbox(), Mailbox::Errand::flush);
  const auto done = [&request](const Mailbox::Told& told) { return request.is_done(told); };
  const bool flushed = driver_.drive(until, done) == Mailbox::Outcome::done;
  return flushed ? Status() : Status(Code::still_waiting, stats().last_trouble);
}

void Core::apply_hints() {
  if (worker_) worker_->set_uploads(hints_.usually(), hints_.in_flush(), hints_.is_metered());
}

// A hint is no reason to take up what was suspended.
Status Core::hint(system::FunctionRef<void(UploadHints&)> change) {
  if (Status status = check_alive(); !status) return status;
  {
    WorkLock work(work_, *transport_);
    const bool was_offline = hints_.is_offline();
    change(hints_);
    apply_hints();
    if (worker_ && was_offline && !hints_.is_offline()) worker_->hurry();
  }
  transport_->wake();
  return intake_.is_closed() ? Status(Code::closed) : Status();
}

Status Core::set_network(Network network) {
  if (network < Network::unknown || network > Network::offline) return {Code::bad_argument, "network"};
  return hint([network](UploadHints& hints) { hints.network = network; });
}

Status Core::set_low_battery(bool low) {
  return hint([low](UploadHints& hints) { hints.low_battery = low; });
}

Stats Core::stats() {
  Stats stats;
  if (!check_alive()) return stats;
  // The worker's numbers first: what the ring accepted since then counts as waiting.
  const pipeline::Progress progress = driver_.mailbox().told().progress;
  const std::int64_t now = clock_.monotonic_ms();
  stats.delivered = progress.ledger.delivered;
  stats.quarantined = progress.ledger.quarantined;
  stats.evicted = progress.ledger.evicted;
  stats.erased = progress.ledger.erased;
  stats.lost = progress.ledger.lost;
  stats.requests = progress.requests;
  stats.failures = static_cast<std::uint64_t>(progress.failures);
  stats.next_attempt_ms = std::max<std::int64_t>(progress.not_before_ms - now, 0);
  stats.policy_ms = std::max<std::int64_t>(progress.policy_until_ms - now, 0);
  stats.last_trouble = progress.trouble;
  system::make_readable(stats.last_trouble);
  const hold::Ring& ring = lane_->ring();
  stats.accepted = ring.accepted();
  const std::uint64_t settled = stats.delivered + stats.quarantined + stats.evicted + stats.erased + stats.lost;
  stats.waiting = stats.accepted > settled ? stats.accepted - settled : 0;
  stats.refused_ring_full = ring.refused(hold::Refusal::ring_full);
  stats.refused_consent = ring.refused(hold::Refusal::consent);
  stats.refused_invalid = ring.refused(hold::Refusal::invalid);
  stats.refused_sampled = ring.refused(hold::Refusal::sampled);
  stats.refused_closed = intake_.refused_closed();
  stats.refused_policy = ring.refused(hold::Refusal::policy);
  stats.refused = stats.refused_ring_full + stats.refused_consent + stats.refused_invalid + stats.refused_sampled +
                  stats.refused_policy + stats.refused_closed;
  return stats;
}

// Between two of the worker's steps, and wakes it: there may be something to send now.
Status Core::with_worker(system::FunctionRef<Status(pipeline::Worker&)> call) {
  Status status = at_work([this, &call](pipeline::Worker& worker) YUKHA_REQUIRES(work_) {
    Status answer = call(worker);
    note_progress();
    return answer;
  });
  if (check_alive()) transport_->wake();
  return status;
}

std::vector<LogLine> Core::notices() {
  if (fork_guard_.in_child()) return {};
  return log_.take_lines();
}

std::vector<Quarantined> Core::quarantined(std::uint64_t after, std::size_t most) {
  std::vector<Quarantined> all;
  static_cast<void>(at_work([&](pipeline::Worker& worker) {
    all = worker.quarantined(after, most);
    return Status();
  }));
  return all;
}

Status Core::resend_quarantined(std::uint64_t number) {
  return with_worker([number](pipeline::Worker& worker) { return worker.resend_quarantined(number); });
}

Status Core::erase_quarantined(std::uint64_t number) {
  return with_worker([number](pipeline::Worker& worker) { return worker.erase_quarantined(number); });
}

Status Core::set_keys(const std::vector<SigningKey>& from) {
  std::vector<send::Key> keys;
  if (Status status = send::decode_keys(from, settings_.sign != nullptr, keys); !status) return status;
  return with_worker([&keys](pipeline::Worker& worker) {
    worker.set_keys(std::move(keys));
    return Status();
  });
}

std::chrono::milliseconds Core::work(std::chrono::milliseconds budget) {
  using std::chrono::milliseconds;
  if (!check_alive() || driver_.uses_thread()) return milliseconds(-1);
  return milliseconds(driver_.work(within_a_day(budget)));
}

Status Core::close(std::chrono::milliseconds deadline) {
  if (Status status = check_alive(); !status) return status;
  // Memory ended while it was opened: there is nothing that could be closed, and perhaps no transport.
  if (!in_process_.running) return Code::out_of_memory;
  Lock closing(closing_);
  if (close_done_) return close_status_;
  const std::int64_t until = clock_.monotonic_ms() + within_a_day(deadline);
  intake_.begin_to_close();
  cut_off_scopes();
  intake_.close();
  transport_->wake();
  driver_.mailbox().close(until);
  if (driver_.uses_thread()) {
    driver_.join();
  } else {
    driver_.drive(until, [](const Mailbox::Told& told) { return told.progress.drained && !told.progress.in_flight; });
  }

  Lock work(work_);
  close_done_ = true;
  if (!worker_) {
    leave_open();
    return close_status_;  // everything was closed when it was suspended
  }
  close_status_ = worker_->progress().in_flight ? Status(Code::cut_short) : Status();
  worker_->cancel();
  if (!lane_->queue().end_run(lane_->queue().ledger().accepted - intake_.run_base())) {
    Status status = lane_->queue().status();
    log_.write(LogLevel::warning, status.message());
  }
  worker_.reset();
  lane_->close();
  directory_.close();
  leave_open();
  return close_status_;
}

// --- what the driver drives ------------------------------------------------------------------------------------------

Core::Step Core::step(Mailbox::Letters& letters) {
  // What is asked for while it is suspended waits for the next worker.
  if (!worker_) return {};
  Mailbox& mailbox = driver_.mailbox();
  letters = mailbox.take();
  if (letters.erase != 0) {
    Status erased;
    try {
      erased = worker_->erase();
    } catch (...) {
      erased = Code::out_of_memory;
    }
    mailbox.tell_erased(letters, std::move(erased));
  }
  Step step;
  step.wait_ms = worker_->step(letters.orders);
  mailbox.tell_step(letters, progress());
  if (letters.suspend != 0) suspend();
  step.lane_lost = worker_ && !lane_->queue().is_open();
  if (step.lane_lost) {
    // What is tracked now must not meet whoever has it next; what its ring has, they find there.
    Lock intake(intake_.mutex);
    let_go();
  }
  return step;
}

void Core::take(HttpAnswer&& answer) {
  if (worker_) worker_->take(std::move(answer));
}

}  // namespace yukha::detail

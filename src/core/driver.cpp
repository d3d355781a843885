#include "core/driver.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "system/signals.hpp"
#include "system/thread.hpp"

namespace yukha::detail {

using system::Lock;

void Driver::start(HttpTransport& transport) {
  transport_ = &transport;
  if (!uses_thread_) return;
  const system::NoSignals none;
  thread_ = std::thread([this] { thread_main(); });
}

void Driver::join() {
  if (!thread_.joinable()) return;
  transport_->wake();
  thread_.join();
}

std::int64_t Driver::step() {
  Mailbox::Letters letters;
  Driven::Step made;
  try {
    Lock work(work_);
    made = driven_.step(letters);
  } catch (...) {
    mailbox_.end_step(letters);
    throw;
  }
  mailbox_.end_step(letters);
  if (made.lane_lost) static_cast<void>(driven_.resume());
  intake_.tell_of_room();
  return made.wait_ms;
}

Mailbox::Outcome Driver::drive(std::int64_t until_ms, Mailbox::Done done) {
  if (uses_thread_) {
    transport_->wake();
    return mailbox_.wait(until_ms, done);
  }
  while (true) {
    const std::int64_t wait = step();
    if (mailbox_.look(done)) return Mailbox::Outcome::done;
    const std::int64_t left = until_ms - clock_.monotonic_ms();
    if (left <= 0) return Mailbox::Outcome::late;
    if (!poll_at_work(wait < 0 ? left : std::min(wait, left))) return Mailbox::Outcome::suspended;
  }
}

std::int64_t Driver::work(std::int64_t budget_ms) {
  const std::int64_t wait = step();
  if (!poll_at_work(wait < 0 ? budget_ms : std::min(wait, budget_ms))) return -1;
  const std::int64_t next = step();
  // While a request runs its answer is to be fetched, and only this call does that.
  constexpr std::int64_t look_for_answer_ms = 20;
  if (!mailbox_.look([](const Mailbox::Told& told) { return told.progress.in_flight; })) return next;
  return next < 0 ? look_for_answer_ms : std::min(next, look_for_answer_ms);
}

bool Driver::poll_at_work(std::int64_t wait_ms) {
  Lock work(work_);
  if (!driven_.has_worker()) return false;
  HttpAnswer answer;
  if (transport_->poll(std::chrono::milliseconds(wait_ms), answer)) driven_.take(std::move(answer));
  return true;
}

void Driver::thread_main() noexcept {
  constexpr std::int64_t again_after_ms = 1000;
  system::become_worker();
  thread_id_ = std::this_thread::get_id();
  bool goes_on = true;
  while (goes_on) {
    try {
      goes_on = turn();
    } catch (...) {
      // Out of memory, or a transport that throws. Nothing was committed that was not whole; it is tried again.
      log_.write(LogLevel::error, "the worker ran out of memory and tries again");
      goes_on = mailbox_.sleep(again_after_ms);
    }
  }
  mailbox_.end();
}

bool Driver::turn() {
  const std::int64_t wait = step();
  if (mailbox_.has_finished()) return false;
  if (wait == 0) return true;
  const Mailbox::Idle idle = mailbox_.idle();
  if (idle.has_errand || !intake_.fall_asleep(idle.waits)) return true;
  HttpAnswer answer;
  if (transport_->poll(std::chrono::milliseconds(mailbox_.until_close(wait)), answer)) {
    Lock work(work_);
    driven_.take(std::move(answer));
  }
  return true;
}

}  // namespace yukha::detail

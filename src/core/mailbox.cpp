#include "core/mailbox.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace yukha::detail {
namespace {

using system::Lock;

constexpr int index_of(Mailbox::Errand errand) noexcept {
  return static_cast<int>(errand);
}
// A deadline of years must not overflow the standard library's clock.
constexpr std::int64_t sleep_max_ms = 86'400'000;

}  // namespace

Mailbox::Request::Request(Mailbox& mailbox, Errand errand)
    : mailbox_(mailbox), errand_(errand), number_(mailbox.ask(errand)) {}

Mailbox::Request::~Request() {
  mailbox_.take_back(errand_);
}

std::uint64_t Mailbox::ask(Errand errand) {
  Lock orders(orders_);
  ++waiting_[index_of(errand)];
  return ++asked_[index_of(errand)];
}

void Mailbox::take_back(Errand errand) {
  Lock orders(orders_);
  --waiting_[index_of(errand)];
}

std::uint64_t Mailbox::wanted(Errand errand) const noexcept {
  const int i = index_of(errand);
  return waiting_[i] > 0 && told_.done[i] < asked_[i] ? asked_[i] : 0;
}

Mailbox::Outcome Mailbox::wait(std::int64_t until_ms, Done done) {
  Lock orders(orders_);
  while (true) {
    if (done(told_)) return Outcome::done;
    if (worker_ == Worker::ended) return Outcome::ended;
    if (worker_ == Worker::suspended) return Outcome::suspended;
    const std::int64_t now = clock_.monotonic_ms();
    if (now >= until_ms) return Outcome::late;
    // Sooner than until_ms - now would overflow.
    news_.wait_for(orders_, std::chrono::milliseconds(std::min(until_ms, now + sleep_max_ms) - now));
  }
}

bool Mailbox::look(Done done) {
  Lock orders(orders_);
  return done(told_);
}

Mailbox::Told Mailbox::told() {
  Lock orders(orders_);
  return told_;
}

void Mailbox::close(std::int64_t by_ms) {
  Lock orders(orders_);
  close_wanted_ = true;
  close_by_ms_ = by_ms;
}

Mailbox::Letters Mailbox::take() {
  Lock orders(orders_);
  Letters letters;
  letters.orders.flush = wanted(Errand::flush);
  letters.orders.close = close_wanted_;
  letters.erase = wanted(Errand::erase);
  letters.suspend = wanted(Errand::suspend);
  return letters;
}

void Mailbox::tell(const pipeline::Progress& progress) {
  Lock orders(orders_);
  told_.progress = progress;
  told_.done[index_of(Errand::flush)] =
      std::max(told_.done[index_of(Errand::flush)], progress.flushed);  // the next worker begins to count anew
}

void Mailbox::tell_step(const Letters& letters, const pipeline::Progress& progress) {
  tell(progress);
  Lock orders(orders_);
  close_seen_ = close_seen_ || letters.orders.close;
}

void Mailbox::tell_erased(const Letters& letters, Status status) {
  Lock orders(orders_);
  told_.erased = std::move(status);
  told_.done[index_of(Errand::erase)] = letters.erase;
}

void Mailbox::end_step(const Letters& letters) {
  {
    Lock orders(orders_);
    told_.done[index_of(Errand::suspend)] = std::max(told_.done[index_of(Errand::suspend)], letters.suspend);
  }
  news_.notify_all();
}

void Mailbox::worker_came() {
  Lock orders(orders_);
  if (worker_ == Worker::suspended) worker_ = Worker::there;
}

void Mailbox::worker_left() {
  {
    Lock orders(orders_);
    if (worker_ == Worker::there) worker_ = Worker::suspended;
  }
  news_.notify_all();
}

void Mailbox::end() {
  {
    Lock orders(orders_);
    worker_ = Worker::ended;
  }
  news_.notify_all();
}

Mailbox::Idle Mailbox::idle() {
  Lock orders(orders_);
  Idle idle;
  idle.has_errand = worker_ == Worker::there && (wanted(Errand::erase) != 0 || wanted(Errand::suspend) != 0);
  if (told_.progress.disk_waits) idle.waits = Intake::Waits::for_time;
  if (told_.progress.drained && !told_.progress.looks) idle.waits = Intake::Waits::for_any_line;
  return idle;
}

bool Mailbox::has_finished() {
  Lock orders(orders_);
  if (!close_wanted_) return false;
  if (worker_ == Worker::suspended) return true;
  const pipeline::Progress& progress = told_.progress;
  return (close_seen_ && progress.drained && !progress.in_flight) || clock_.monotonic_ms() >= close_by_ms_;
}

std::int64_t Mailbox::until_close(std::int64_t wait_ms) {
  Lock orders(orders_);
  if (!close_wanted_) return wait_ms;
  const std::int64_t left = std::max<std::int64_t>(close_by_ms_ - clock_.monotonic_ms(), 0);
  return wait_ms < 0 ? left : std::min(wait_ms, left);
}

bool Mailbox::sleep(std::int64_t ms) {
  // close() wakes the transport, not whoever sleeps here.
  constexpr std::chrono::milliseconds look_every{100};
  const std::int64_t until = clock_.monotonic_ms() + ms;
  Lock orders(orders_);
  while (!close_wanted_ && clock_.monotonic_ms() < until) news_.wait_for(orders_, look_every);
  return !close_wanted_ || clock_.monotonic_ms() < close_by_ms_;
}

}  // namespace yukha::detail

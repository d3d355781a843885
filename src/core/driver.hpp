// What keeps the worker going: a thread of its own, or the calls of an app that wants none.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include <yukha/http_transport.hpp>

#include "core/mailbox.hpp"
#include "intake/intake.hpp"
#include "system/clock.hpp"
#include "system/log.hpp"
#include "system/mutex.hpp"

namespace yukha::detail {

// What is driven. The driver holds the work lock around each call but resume().
class Driven {
 public:
  struct Step {
    std::int64_t wait_ms = -1;  // as Worker::step() returns it; negative while there is no worker
    bool lane_lost = false;     // another process has the lane, which was left: it must be opened again
  };
  // Makes a step with the letters that it takes from the mailbox. It hands them out, as far as it came when it throws.
  // While there is no worker it takes none.
  virtual Step step(Mailbox::Letters& letters) = 0;
  // The answer of the transport. Nobody wants it while there is no worker.
  virtual void take(HttpAnswer&& answer) = 0;
  virtual bool has_worker() const = 0;
  // Opens a lane again; the work lock is not held.
  virtual Status resume() = 0;

 protected:
  ~Driven() = default;
};

// Owns the mailbox and the worker's thread. All that is asked of the transport while it runs, but to wake, is asked
// from here: by that thread, or without one with the work lock held.
class Driver {
 public:
  Driver(Driven& driven, system::Mutex& work, Intake& intake, system::Clock& clock, system::Log& log,
         bool uses_thread) noexcept
      : driven_(driven),
        work_(work),
        intake_(intake),
        clock_(clock),
        log_(log),
        uses_thread_(uses_thread),
        mailbox_(clock) {}

  // From now on something is done; the thread begins, where there is one. Throws what std::thread does.
  void start(HttpTransport& transport);
  // Until the thread has ended, which it does once the mailbox is closed.
  void join();
  bool uses_thread() const noexcept { return uses_thread_; }
  bool is_this_thread() const noexcept { return thread_id_ == std::this_thread::get_id(); }

  Mailbox& mailbox() noexcept { return mailbox_; }

  // A step, and what it entails. Returns in how many milliseconds the next is due, negative for never.
  std::int64_t step();
  // Waits for the thread to bring it about, or without one makes steps until then (monotonic).
  Mailbox::Outcome drive(std::int64_t until_ms, Mailbox::Done done);
  // What Tracker::work() does.
  std::int64_t work(std::int64_t budget_ms);

 private:
  void thread_main() noexcept;
  bool turn();
  // Waits for the network and brings its answer; false when there is no worker.
  bool poll_at_work(std::int64_t wait_ms);

  Driven& driven_;
  system::Mutex& work_;
  Intake& intake_;
  system::Clock& clock_;
  system::Log& log_;
  const bool uses_thread_;
  HttpTransport* transport_ = nullptr;
  Mailbox mailbox_;
  std::thread thread_;
  std::atomic<std::thread::id> thread_id_{};
};

}  // namespace yukha::detail

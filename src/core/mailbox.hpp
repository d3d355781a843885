// What the app's threads ask of the worker, and what it tells them: besides the ring and a wake-up, all that goes
// between them.
#pragma once

#include <cstdint>

#include <yukha/status.hpp>

#include "intake/intake.hpp"
#include "pipeline/settings.hpp"
#include "system/clock.hpp"
#include "system/function_ref.hpp"
#include "system/mutex.hpp"

namespace yukha::detail {

// Owns the requests that somebody waits for, and the worker's last word. Its own lock guards both, for a few words.
// Threads: any. Blocks: only wait() and sleep(), as they say.
class Mailbox {
 public:
  // What is asked for by a call that waits. A flush may take many steps, the others are done within one.
  enum class Errand { flush, erase, suspend };
  // What the worker told last.
  struct Told {
    pipeline::Progress progress;
    std::uint64_t done[3] = {0, 0, 0};  // the number of each errand's last request that was carried out
    Status erased;                      // how the last erase ended
  };
  // An errand is run for as long as somebody holds a request for it; requests at a time share one run.
  class Request {
   public:
    Request(Mailbox& mailbox, Errand errand);
    ~Request();
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;
    bool is_done(const Told& told) const noexcept { return told.done[static_cast<int>(errand_)] >= number_; }

   private:
    Mailbox& mailbox_;
    const Errand errand_;
    const std::uint64_t number_;
  };

  explicit Mailbox(system::Clock& clock) noexcept : clock_(clock) {}

  // --- for the app's threads
  enum class Outcome { done, late, suspended, ended };
  using Done = system::FunctionRef<bool(const Told&)>;
  // Waits until that is so, until nobody is there who could bring it about, or until then (monotonic).
  Outcome wait(std::int64_t until_ms, Done done);
  // Whether it is so now.
  bool look(Done done);
  Told told();
  // The worker brings all to disk and ends, at the latest by then.
  void close(std::int64_t by_ms);

  // --- for the worker
  struct Letters {
    pipeline::Orders orders;
    std::uint64_t erase = 0;  // the request's number; 0: nobody asks for it
    std::uint64_t suspend = 0;
  };
  Letters take();
  void tell(const pipeline::Progress& progress);
  // The same behind a step that had the orders of these letters.
  void tell_step(const Letters& letters, const pipeline::Progress& progress);
  void tell_erased(const Letters& letters, Status status);
  // The step with these letters is over. Who asked to be suspended has an answer, even where the step threw, and
  // whoever waits looks again.
  void end_step(const Letters& letters);
  // There is no worker while the tracker is suspended; what is asked for waits for the next one.
  void worker_came();
  void worker_left();
  // The worker's thread takes no letters any more.
  void end();

  // --- for the worker's thread
  // Whether it may sleep, and what is to wake it.
  struct Idle {
    bool has_errand = false;
    Intake::Waits waits = Intake::Waits::for_half_full;
  };
  Idle idle();
  // It is closed, and nothing is left to do for it, or its time is up. Nothing is begun any more: what is left is the
  // ring's way to the disk and the answer to a running request.
  bool has_finished();
  // How long to sleep of `wait_ms`, negative for ever, so as not to miss the time by which it is to be closed.
  std::int64_t until_close(std::int64_t wait_ms);
  // Sleeps so long, or until it is closed. False when that time is up, too.
  bool sleep(std::int64_t ms);

 private:
  enum class Worker { there, suspended, ended };

  std::uint64_t ask(Errand errand);
  void take_back(Errand errand);
  // The number of the last request that is still waited for; 0 for none.
  std::uint64_t wanted(Errand errand) const noexcept YUKHA_REQUIRES(orders_);

  system::Clock& clock_;
  system::Mutex orders_;
  system::Condition news_;
  Told told_ YUKHA_GUARDED_BY(orders_);
  std::uint64_t asked_[3] YUKHA_GUARDED_BY(orders_) = {0, 0, 0};
  int waiting_[3] YUKHA_GUARDED_BY(orders_) = {0, 0, 0};
  Worker worker_ YUKHA_GUARDED_BY(orders_) = Worker::there;
  bool close_wanted_ YUKHA_GUARDED_BY(orders_) = false;
  bool close_seen_ YUKHA_GUARDED_BY(orders_) = false;  // by a step
  std::int64_t close_by_ms_ YUKHA_GUARDED_BY(orders_) = INT64_MAX;
};

}  // namespace yukha::detail

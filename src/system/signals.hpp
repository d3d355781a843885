// The host's signals: none of ours reaches it, and none of its own reaches us.
#pragma once

#include <signal.h>

namespace yukha::system {

// While it lives, this thread begins threads that take no signal but those of a fault of their own: SEGV, BUS, ILL,
// FPE, TRAP, SYS and ABRT. Threads: the one that made it. Blocks: never.
class NoSignals {
 public:
  NoSignals() noexcept;
  ~NoSignals();
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;

 private:
  sigset_t before_;
};

// While it lives, what our writing may raise in a thread of the host's, SIGPIPE and SIGXFSZ, is held back, and at its
// end it is taken away. One of them that waited before is the host's and goes on waiting; no disposition is touched.
// Threads: the one that made it. Blocks: never.
class SignalShield {
 public:
  SignalShield() noexcept;
  ~SignalShield();
  SignalShield(const SignalShield&) = delete;
  SignalShield& operator=(const SignalShield&) = delete;

 private:
  sigset_t before_;
  sigset_t ours_;  // without what waited before
};

}  // namespace yukha::system

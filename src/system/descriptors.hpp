// Descriptors that neither the host's children nor its prints may find, and the worker's way to be woken.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace yukha::system {

// This descriptor, or its double above 2: what a host prints after it closed its standard output must not land in a
// file of ours. -1, with errno, as it is given or when there is none. Threads: any. Blocks: never.
int keep_above_stdio(int descriptor) noexcept;

// Where the host was started without standard input, output or error, /dev/null stands there from now on: SQLite, curl
// and the system's resolver open descriptors that we never see. Threads: any. Blocks: never.
void fill_stdio() noexcept;

// As socket(), but closed on exec and above 2. Threads: any. Blocks: never.
int open_socket(int family, int type, int protocol) noexcept;

// The lowest number that no descriptor has now. Threads: any. Blocks: never.
int lowest_free_descriptor() noexcept;

// Closes on exec a pair of connected local sockets, both made after `lowest` was the lowest free number, of which one
// end has `bytes` to read. What is not surely that pair stays as it is. Threads: any. Blocks: never.
void close_pair_on_exec(int lowest, int bytes) noexcept;

// Threads: any may call wake(); wait() is for one. Blocks: only wait() does.
class WakeUp {
 public:
  WakeUp() noexcept;
  ~WakeUp();
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;

  bool usable() const noexcept { return from_ >= 0; }
  // To wait for in a poll of one's own; readable when woken.
  int descriptor() const noexcept { return from_; }
  // Ends the wait that is or the next one.
  void wake() noexcept;
  // Whether wake() was called since this was asked last.
  bool woken() noexcept;
  void wait(std::chrono::milliseconds timeout) noexcept;

 private:
  int from_ = -1;
  int to_ = -1;  // the same where one descriptor does for both
  std::atomic<bool> woken_{false};
};

}  // namespace yukha::system

// Libraries that end before we do, and whose locks a child of fork() would find held: libcrypto frees itself in an exit
// handler of its own, also in a child.
#pragma once

namespace yukha::system {

// Around each call into the crypto or the network library; `waits`: it waits for the network, and holds no lock then.
// Threads: any. Blocks: while another thread is in fork().
class LibraryCall {
 public:
  explicit LibraryCall(bool waits = false) noexcept;
  ~LibraryCall();
  LibraryCall(const LibraryCall&) = delete;
  LibraryCall& operator=(const LibraryCall&) = delete;

  // False once the process ends; then the call must not be made.
  bool allowed() const noexcept { return allowed_; }

 private:
  const bool waits_;
  bool allowed_;
};

// From now on no call is allowed. Threads: any. Blocks: never.
void end_library_calls() noexcept;
bool library_calls_run() noexcept;

// From now on a fork() waits for the calls that run, but for those that wait; `call` is made in the child, before
// fork() returns there. Once a process. Threads: any. Blocks: never.
void watch_forks(void (*call)()) noexcept;

}  // namespace yukha::system

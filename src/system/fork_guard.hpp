// Notices that this process is a fork()ed child of the one that made the guard.
#pragma once

namespace yukha::system {

// A page that the kernel empties in a child. Where the kernel cannot, the process id is compared instead.
// Threads: any.
class ForkGuard {
 public:
  ForkGuard() noexcept;
  ~ForkGuard();
  ForkGuard(const ForkGuard&) = delete;
  ForkGuard& operator=(const ForkGuard&) = delete;

  bool in_child() const noexcept;
  // This process is the guard's own from now on.
  void own() noexcept;

 private:
  volatile unsigned char* page_ = nullptr;
  long owner_ = 0;
};

}  // namespace yukha::system

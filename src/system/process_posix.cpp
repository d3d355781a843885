// What the host process may notice of us: descriptors, signals, its end and its children.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>

#include "system/descriptors.hpp"
#include "system/process_end.hpp"
#include "system/signals.hpp"

#if defined(__linux__)
#include <sys/eventfd.h>
#endif

namespace yukha::system {
namespace {

std::atomic<int> calls{0};
std::atomic<int> waiting_calls{0};
std::atomic<bool> ended{false};
std::atomic<bool> forking{false};
void (*child_call)() = nullptr;

void before_fork() noexcept {
  forking = true;
  // A call takes microseconds, one that shakes hands some milliseconds; the host's fork() is not to wait for more.
  for (int ms = 0; calls != 0 && ms < 100; ++ms) poll(nullptr, 0, 1);
}

void after_fork() noexcept {
  forking = false;
}

void begin_child() noexcept {
  calls = 0;
  waiting_calls = 0;
  forking = false;
  child_call();
}

bool is_local_socket(int descriptor, ino_t& inode) noexcept {
  struct stat facts {};
  sockaddr address{};
  socklen_t size = sizeof address;
  if (fstat(descriptor, &facts) != 0 || !S_ISSOCK(facts.st_mode)) return false;
  if (getsockname(descriptor, &address, &size) != 0 || address.sa_family != AF_UNIX) return false;
  inode = facts.st_ino;
  return true;
}

}  // namespace

int keep_above_stdio(int descriptor) noexcept {
  if (descriptor < 0 || descriptor > 2) return descriptor;
  const int above = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  const int error = errno;
  ::close(descriptor);
  errno = error;
  return above;
}

void fill_stdio() noexcept {
  for (int number = 0; number <= 2; ++number) {
    if (fcntl(number, F_GETFD) >= 0) continue;
    const int opened = ::open("/dev/null", O_RDWR);  // for the host's children as well, which expect something there
    if (opened > 2) ::close(opened);
  }
}

int open_socket(int family, int type, int protocol) noexcept {
#if defined(SOCK_CLOEXEC)
  return keep_above_stdio(socket(family, type | SOCK_CLOEXEC, protocol));
#else
  const int made = keep_above_stdio(socket(family, type, protocol));
  if (made >= 0) fcntl(made, F_SETFD, FD_CLOEXEC);
  return made;
#endif
}

int lowest_free_descriptor() noexcept {
  const int lowest = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (lowest >= 0) ::close(lowest);
  return lowest;
}

void close_pair_on_exec(int lowest, int bytes) noexcept {
  // A few numbers more, for what the host opened and closed meanwhile.
  const int end = lowest_free_descriptor() + 8;
  if (lowest < 0) return;
  for (int one = lowest; one < end; ++one) {
    ino_t inode = 0;
    int readable = 0;
    if ((fcntl(one, F_GETFD) & FD_CLOEXEC) != 0 || !is_local_socket(one, inode)) continue;
    if (ioctl(one, FIONREAD, &readable) != 0 || readable != bytes) continue;
    // The two ends of a pair are made one after the other.
    for (int other = lowest; other < end; ++other) {
      ino_t neighbour = 0;
      if (other == one || !is_local_socket(other, neighbour)) continue;
      if (neighbour != inode + 1 && neighbour + 1 != inode) continue;
      fcntl(one, F_SETFD, FD_CLOEXEC);
      fcntl(other, F_SETFD, FD_CLOEXEC);
    }
  }
}

WakeUp::WakeUp() noexcept {
#if defined(__linux__)
  from_ = to_ = keep_above_stdio(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
#else
  int ends[2];
  if (pipe(ends) != 0) return;
  from_ = keep_above_stdio(ends[0]);
  to_ = keep_above_stdio(ends[1]);
  for (const int end : {from_, to_}) {
    fcntl(end, F_SETFD, FD_CLOEXEC);
    fcntl(end, F_SETFL, O_NONBLOCK);
  }
#endif
}

WakeUp::~WakeUp() {
  if (from_ >= 0) ::close(from_);
  if (to_ != from_ && to_ >= 0) ::close(to_);
}

void WakeUp::wake() noexcept {
  const std::uint64_t one = 1;
  if (!woken_.exchange(true)) static_cast<void>(!write(to_, &one, sizeof one));
}

bool WakeUp::woken() noexcept {
  if (!woken_.load()) return false;
  // In this order: who wakes us from here on writes again.
  char bytes[64];
  static_cast<void>(!read(from_, bytes, sizeof bytes));
  return woken_.exchange(false);
}

void WakeUp::wait(std::chrono::milliseconds timeout) noexcept {
  pollfd one{from_, POLLIN, 0};
  if (::poll(&one, 1, static_cast<int>(timeout.count())) > 0 && !woken_.load()) {
    char bytes[64];
    static_cast<void>(!read(from_, bytes, sizeof bytes));  // of a wake() that came while the last one was answered
  }
}

NoSignals::NoSignals() noexcept {
  sigset_t all;
  sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT}) sigdelset(&all, fault);
  pthread_sigmask(SIG_SETMASK, &all, &before_);
}

NoSignals::~NoSignals() {
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

SignalShield::SignalShield() noexcept {
  sigemptyset(&ours_);
  sigaddset(&ours_, SIGPIPE);
  sigaddset(&ours_, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &ours_, &before_);
  sigset_t waiting;
  if (sigpending(&waiting) != 0) return;
  for (const int signal : {SIGPIPE, SIGXFSZ}) {
    if (sigismember(&waiting, signal) == 1) sigdelset(&ours_, signal);
  }
}

SignalShield::~SignalShield() {
#if defined(__APPLE__)
  sigset_t waiting;
  for (const int signal : {SIGPIPE, SIGXFSZ}) {
    int taken = 0;
    if (sigismember(&ours_, signal) != 1 || sigpending(&waiting) != 0 || sigismember(&waiting, signal) != 1) continue;
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signal);
    sigwait(&one, &taken);
  }
#else
  const timespec at_once{};
  while (sigtimedwait(&ours_, nullptr, &at_once) > 0) {
  }
#endif
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

LibraryCall::LibraryCall(bool waits) noexcept : waits_(waits) {
  // In this order, and a fork or the end in the other: either sees the other's.
  ++(waits_ ? waiting_calls : calls);
  while (!waits_ && forking) {
    --calls;
    poll(nullptr, 0, 1);
    ++calls;
  }
  allowed_ = !ended;
}

LibraryCall::~LibraryCall() {
  --(waits_ ? waiting_calls : calls);
}

void end_library_calls() noexcept {
  ended.store(true);
}

bool library_calls_run() noexcept {
  return calls != 0 || waiting_calls != 0;
}

void watch_forks(void (*call)()) noexcept {
  child_call = call;
  static_cast<void>(pthread_atfork(&before_fork, &after_fork, &begin_child));
}

}  // namespace yukha::system

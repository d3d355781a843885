// The process's open trackers, and what becomes of them when it ends or forks.
//
// Its end: libcrypto frees itself in an exit handler, and an app's global tracker would sign with what is gone. Ours is
// registered after libcrypto's, so it runs before: it closes what is open, each tracker in a thread of its own, because
// a callback of the app's may hold a tracker's locks for ever, or wait for what the ending thread holds. What is not
// closed in time is left as a killed process leaves it, and is kept from calling the crypto and network libraries.
//
// A fork: it waits for the calls into libcrypto, because the child's exit() would find their locks held. A child in
// which a thread that is no more held a lock of ours, of SQLite's or of the transport's would hang when it opens, so it
// is refused, unless no tracker was open.
#include <chrono>
#include <cstdlib>
#include <new>
#include <system_error>
#include <thread>

#include "core/core.hpp"
#include "send/curl_transport.hpp"
#include "system/crypto.hpp"
#include "system/descriptors.hpp"
#include "system/process_end.hpp"
#include "system/signals.hpp"

namespace yukha::detail {
namespace {

using system::Lock;

constexpr std::chrono::milliseconds end_patience{2000};
constexpr std::chrono::milliseconds end_deadline{1500};  // for the request that runs; the rest is for the disk

system::Mutex list_mutex;
Core* first_open YUKHA_GUARDED_BY(list_mutex) = nullptr;
bool process_known YUKHA_GUARDED_BY(list_mutex) = false;
std::atomic<bool> process_ended{false};
std::atomic<system::ForkGuard*> process_guard{nullptr};
// Open trackers, and threads that have the list in their hands: in a child that was made meanwhile nothing may be
// touched.
std::atomic<int> users{0};

bool wait_for(const std::atomic<bool>& done, std::chrono::steady_clock::time_point until) {
  while (!done && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(std::chrono::microseconds(200));
  return done;
}

}  // namespace

Status Core::enter_process() {
  if (process_ended) return Code::closed;
  if (process_guard.load() == nullptr) {
    system::ForkGuard* none = nullptr;
    auto guard = std::make_unique<system::ForkGuard>();
    if (process_guard.compare_exchange_strong(none, guard.get())) static_cast<void>(guard.release());
  }
  if (process_guard.load()->in_child()) return Code::forked_child;
  ++users;
  in_process_.counted = true;
  Lock list(list_mutex);
  if (process_ended) return Code::closed;
  if (!process_known) {
    process_known = true;
    system::fill_stdio();
    system::set_up_crypto();
    send::set_up_curl();
    system::watch_forks(&Core::begin_child);
    static_cast<void>(std::atexit([] { end_process(); }));
  }
  in_process_.next = first_open;
  first_open = this;
  return {};
}

void Core::leave_open() noexcept {
  if (in_process_.counted.exchange(false)) --users;
}

void Core::leave_process() noexcept {
  ++users;
  {
    Lock list(list_mutex);
    Core** at = &first_open;
    while (*at != nullptr && *at != this) at = &(*at)->in_process_.next;
    if (*at == this) *at = in_process_.next;
  }
  --users;
  // The process ends, and the thread that was to close this met a close() that took longer.
  while (in_process_.abandoned && !in_process_.closed_at_end) std::this_thread::yield();
}

void Core::begin_child() noexcept YUKHA_NO_THREAD_ANALYSIS {
  system::ForkGuard* guard = process_guard;
  if (guard == nullptr || users != 0 || process_ended) return;
  // What is in the list was closed, and answers for itself that it is the parent's.
  first_open = nullptr;
  guard->own();
}

// Nobody is in it, this thread included.
bool Core::is_free() noexcept {
  if (!closing_.try_lock()) return false;
  closing_.unlock();
  if (!work_.try_lock()) return false;
  work_.unlock();
  return true;
}

void Core::close_at_end() noexcept {
  try {
    {
      Lock work(work_);  // an open() that is not done yet
    }
    static_cast<void>(close(end_deadline));
  } catch (...) {
    // Out of memory; what waits is safe.
  }
  in_process_.closed_at_end = true;
}

void Core::end_process() noexcept {
  if (process_guard.load()->in_child()) return;
  ++users;
  const auto until = std::chrono::steady_clock::now() + end_patience;
  Lock list(list_mutex);
  process_ended = true;
  for (Core* core = first_open; core != nullptr; core = core->in_process_.next) {
    if (!core->in_process_.counted) {
      core->in_process_.closed_at_end = true;
      continue;
    }
    // exit() in a callback on the worker: nobody can wait for it.
    if (core->driver_.is_this_thread()) continue;
    // Hosts that want no thread of ours want none here.
    if (core->driver_.uses_thread()) {
      try {
        const system::NoSignals none;
        core->in_process_.end = std::thread([core] { core->close_at_end(); });
        continue;
      } catch (const std::system_error&) {
        // No thread: as for those that want none.
      }
    }
    if (core->is_free()) core->close_at_end();
  }
  for (Core* core = first_open; core != nullptr; core = core->in_process_.next) {
    const bool begun = core->in_process_.end.joinable();
    if (begun ? wait_for(core->in_process_.closed_at_end, until) : core->in_process_.closed_at_end.load()) {
      if (begun) core->in_process_.end.join();
      continue;
    }
    core->in_process_.abandoned = true;
    if (begun) {
      core->in_process_.end.detach();
    } else {
      core->in_process_.closed_at_end = true;
    }
  }
  system::end_library_calls();
  for (Core* core = first_open; core != nullptr; core = core->in_process_.next) {
    if (core->in_process_.abandoned && core->in_process_.running) core->transport_->wake();
  }
  // What runs now returns at once: it was woken, or computes.
  while (system::library_calls_run() && std::chrono::steady_clock::now() < until + std::chrono::milliseconds(100)) {
    std::this_thread::yield();
  }
  delete process_guard.exchange(nullptr);
}

}  // namespace yukha::detail

// std::mutex with the words that clang's -Wthread-safety checks.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define YUKHA_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define YUKHA_THREAD_ATTRIBUTE(x)
#endif
#define YUKHA_GUARDED_BY(x) YUKHA_THREAD_ATTRIBUTE(guarded_by(x))
#define YUKHA_REQUIRES(...) YUKHA_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
// Where no other thread is.
#define YUKHA_NO_THREAD_ANALYSIS YUKHA_THREAD_ATTRIBUTE(no_thread_safety_analysis)

namespace yukha::system {

class YUKHA_THREAD_ATTRIBUTE(capability("mutex")) Mutex {
 public:
  void lock() YUKHA_THREAD_ATTRIBUTE(acquire_capability()) { mutex_.lock(); }
  bool try_lock() YUKHA_THREAD_ATTRIBUTE(try_acquire_capability(true)) { return mutex_.try_lock(); }
  void unlock() YUKHA_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }

 private:
  friend class Condition;
  std::mutex mutex_;
};

class YUKHA_THREAD_ATTRIBUTE(scoped_lockable) Lock {
 public:
  explicit Lock(Mutex& mutex) YUKHA_THREAD_ATTRIBUTE(acquire_capability(mutex)) : mutex_(mutex) { mutex_.lock(); }
  ~Lock() YUKHA_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits on a Mutex that the caller holds.
class Condition {
 public:
  void notify_all() noexcept { condition_.notify_all(); }
  void wait(Mutex& mutex) YUKHA_REQUIRES(mutex) {
    Held held(mutex.mutex_);
    condition_.wait(held.lock);
  }
  std::cv_status wait_for(Mutex& mutex, std::chrono::milliseconds wait) YUKHA_REQUIRES(mutex) {
    return wait_until(mutex, std::chrono::steady_clock::now() + wait);
  }
  std::cv_status wait_until(Mutex& mutex, std::chrono::steady_clock::time_point until) YUKHA_REQUIRES(mutex) {
    Held held(mutex.mutex_);
    return condition_.wait_until(held.lock, until);
  }

 private:
  struct Held {
    explicit Held(std::mutex& mutex) noexcept : lock(mutex, std::adopt_lock) {}
    ~Held() { lock.release(); }
    std::unique_lock<std::mutex> lock;
  };
  std::condition_variable condition_;
};

}  // namespace yukha::system

// Calls of several processes that take turns within each other, and one seed tells whose turn it is.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "sim_disk.hpp"
#include "virtual_time.hpp"

namespace yukha::simulation {

// Each call has a thread, of which one at a time goes on: it hands its turn over at an operation of the disk, when it
// waits, and at its end. Time stands still for as long as anybody has something to do.
class Turns {
 public:
  Turns(Chance& chance, VirtualTime& time) : chance_(chance), time_(time) {}

  // Returns when all of them are over.
  void run(const std::vector<std::function<void()>>& calls) {
    calls_.assign(calls.size(), Call());
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      threads.emplace_back([this, i, call = calls[i]] {
        std::unique_lock lock(mutex_);
        turned_.wait(lock, [this, i] { return turn_ == i; });
        lock.unlock();
        call();
        lock.lock();
        calls_[i].is_over = true;
        choose();
      });
    }
    {
      const std::lock_guard lock(mutex_);
      choose();
    }
    for (std::thread& thread : threads) thread.join();
  }

  // Of the call whose turn it is. It may be another's turn from here on.
  void operation() {
    if (one_in(chance_, 4)) hand_over(time_.now_ms);
  }
  // It goes on at that time, or later.
  void wait(std::int64_t wait_ms) { hand_over(time_.now_ms + wait_ms); }

 private:
  struct Call {
    bool is_over = false;
    std::int64_t due_ms = 0;
  };

  void choose() {
    std::int64_t first_ms = INT64_MAX;
    for (const Call& call : calls_) {
      if (!call.is_over) first_ms = std::min(first_ms, call.due_ms);
    }
    time_.now_ms = first_ms == INT64_MAX ? time_.now_ms : std::max(time_.now_ms, first_ms);
    std::vector<std::size_t> due;
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      if (!calls_[i].is_over && calls_[i].due_ms <= time_.now_ms) due.push_back(i);
    }
    if (!due.empty()) turn_ = due[throw_up_to(chance_, due.size() - 1)];
    turned_.notify_all();
  }

  void hand_over(std::int64_t due_ms) {
    std::unique_lock lock(mutex_);
    const std::size_t mine = turn_;
    calls_[mine].due_ms = due_ms;
    choose();
    turned_.wait(lock, [this, mine] { return turn_ == mine; });
  }

  Chance& chance_;
  VirtualTime& time_;
  std::mutex mutex_;
  std::condition_variable turned_;
  std::vector<Call> calls_;
  std::size_t turn_ = SIZE_MAX;
};

}  // namespace yukha::simulation

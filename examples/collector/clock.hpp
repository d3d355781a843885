// The endpoint's wall clock. Tests stop it, because a recorded request is only right at its own time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace collector {

class Clock {
 public:
  std::int64_t unix_ms() const {
    const std::int64_t stopped_at = stopped_at_unix_ms_.load();
    if (stopped_at >= 0) return stopped_at;
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  void stop_at(std::int64_t unix_ms) { stopped_at_unix_ms_ = unix_ms; }
  void run() { stopped_at_unix_ms_ = -1; }

 private:
  std::atomic<std::int64_t> stopped_at_unix_ms_{-1};
};

}  // namespace collector

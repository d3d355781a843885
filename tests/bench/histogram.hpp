// Times, kept in steps of 1/64 of their size; clocks.
#pragma once

#include <array>
#include <cstdint>
#include <ctime>

namespace bench {

inline std::int64_t clock_ns(clockid_t clock) noexcept {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}
inline std::int64_t wall_ns() noexcept {
  return clock_ns(CLOCK_MONOTONIC);
}

class Histogram {
 public:
  void add(std::int64_t ns) noexcept {
    ++counts_[place(ns < 0 ? 0 : static_cast<std::uint64_t>(ns))];
    ++size_;
  }
  void add(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    size_ += other.size_;
  }
  // The middle of the step in which that share of all times ends.
  double percentile(double percent) const noexcept {
    const auto wanted = static_cast<std::uint64_t>(static_cast<double>(size_) * percent / 100.0);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted) return (static_cast<double>(bound(i)) + static_cast<double>(bound(i + 1) - 1)) / 2;
    }
    return 0;
  }

 private:
  static constexpr std::size_t steps = 64;
  static std::size_t place(std::uint64_t ns) noexcept {
    std::size_t doubled = 0;
    for (; ns >= 2 * steps; ns >>= 1) ++doubled;
    const std::size_t at = doubled * steps + static_cast<std::size_t>(ns);
    return at < count ? at : count - 1;
  }
  static std::uint64_t bound(std::size_t at) noexcept {
    if (at < 2 * steps) return at;
    const std::size_t doubled = at / steps - 1;
    return static_cast<std::uint64_t>(at - doubled * steps) << doubled;
  }

  static constexpr std::size_t count = 32 * steps;
  std::array<std::uint64_t, count + 1> counts_{};
  std::uint64_t size_ = 0;
};

}  // namespace bench

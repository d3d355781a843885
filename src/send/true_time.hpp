// The true time by which ages are counted. One server's clock may be wrong, and an age that is too high costs
// sentences, so a single answer is not believed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace yukha::send {

// Learnt from the Dates of batches that were delivered, and of nothing else: three that agree with each other, ten
// minutes apart. What was learnt is kept as a difference to the wall clock, and counts in the next process only once an
// answer there agrees: a wall clock that was set proves nothing. An answer that contradicts takes one of the three
// away; when none is left, a new lesson begins with it.
class TrueTime {
 public:
  explicit TrueTime(std::int64_t age_max_ms) noexcept : age_max_ms_(age_max_ms) {}

  // What an earlier process kept. Anything that keep() did not write is nothing.
  void restore(const std::string& kept, std::int64_t unix_ms, std::int64_t monotonic_ms) noexcept;
  std::string keep(std::int64_t unix_ms, std::int64_t monotonic_ms) const;
  // True when there is something new to keep.
  bool learn(std::int64_t date_unix_ms, std::int64_t monotonic_ms) noexcept;

  std::optional<std::int64_t> unix_ms(std::int64_t monotonic_ms) const noexcept;
  // The answers agreed for long: a thirtieth of the age that sentences may have (a day of 30), an hour at least. Until
  // then an eviction by age takes little, and the next one waits for an hour.
  bool is_settled() const noexcept;
  bool may_evict_some(std::int64_t true_unix_ms) const noexcept { return true_unix_ms - evicted_ms_ >= hour_ms; }
  void evicted_some(std::int64_t true_unix_ms) noexcept { evicted_ms_ = true_unix_ms; }

 private:
  static constexpr std::int64_t hour_ms = 3'600'000;

  std::int64_t age_max_ms_;
  std::int64_t offset_ms_ = 0;   // to the monotonic clock
  std::int64_t first_ms_ = 0;    // the first answer that agreed
  std::int64_t last_ms_ = 0;     // the last one that was counted
  std::int64_t evicted_ms_ = 0;  // while it was not settled
  int answers_ = 0;
  bool heard_ = false;  // by this process, an answer that agrees
};

}  // namespace yukha::send

#include "send/true_time.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace yukha::send {
namespace {

constexpr int answers_wanted = 3;
constexpr std::int64_t apart_ms = 600'000;
constexpr std::int64_t tolerance_ms = 120'000;   // below what lies between two answers: a clock that stands is noticed
constexpr std::int64_t rewrite_ms = 86'400'000;  // how often a settled lesson is written again
constexpr std::int64_t ms_max = std::int64_t{1} << 52;

}  // namespace

void TrueTime::restore(const std::string& kept, std::int64_t unix_ms, std::int64_t monotonic_ms) noexcept {
  long long offset = 0;
  long long first = 0;
  long long last = 0;
  long long evicted = 0;
  int answers = 0;
  if (std::sscanf(kept.c_str(), "%lld %d %lld %lld %lld", &offset, &answers, &first, &last, &evicted) != 5) return;
  for (const long long one : {offset, first, last, evicted}) {
    if (one <= -ms_max || one >= ms_max) return;
  }
  if (answers < 1 || answers > answers_wanted) return;
  offset_ms_ = unix_ms + offset - monotonic_ms;
  first_ms_ = first;
  last_ms_ = last;
  evicted_ms_ = evicted;
  answers_ = answers;
}

std::string TrueTime::keep(std::int64_t unix_ms, std::int64_t monotonic_ms) const {
  char text[120];
  std::snprintf(text, sizeof text, "%lld %d %lld %lld %lld",
                static_cast<long long>(offset_ms_ + monotonic_ms - unix_ms), answers_,
                static_cast<long long>(first_ms_), static_cast<long long>(last_ms_),
                static_cast<long long>(evicted_ms_));
  return text;
}

bool TrueTime::learn(std::int64_t date_unix_ms, std::int64_t monotonic_ms) noexcept {
  const std::int64_t offset_ms = date_unix_ms - monotonic_ms;
  const bool agrees = answers_ > 0 && std::abs(offset_ms - offset_ms_) <= tolerance_ms;
  if (!agrees && answers_ > 1) {
    --answers_;
    return true;
  }
  heard_ = true;
  if (!agrees) {
    answers_ = 0;
    first_ms_ = date_unix_ms;
    evicted_ms_ = 0;
  } else if (date_unix_ms - last_ms_ < (answers_ == answers_wanted && is_settled() ? rewrite_ms : apart_ms)) {
    return false;
  }
  answers_ = std::min(answers_ + 1, answers_wanted);
  offset_ms_ = offset_ms;
  last_ms_ = date_unix_ms;
  return true;
}

std::optional<std::int64_t> TrueTime::unix_ms(std::int64_t monotonic_ms) const noexcept {
  if (!heard_ || answers_ < answers_wanted) return std::nullopt;
  return monotonic_ms + offset_ms_;
}

bool TrueTime::is_settled() const noexcept {
  return last_ms_ - first_ms_ >= std::max(age_max_ms_ / 30, hour_ms);
}

}  // namespace yukha::send

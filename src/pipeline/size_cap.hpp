// How large a body may be: what the endpoint said of it, what was cut off on the way, and what was sent in vain.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "pipeline/stage.hpp"

namespace yukha::pipeline {

class SizeCap {
 public:
  // A body above this says something when it is cut off; a smaller one may be sent however much was in vain.
  static constexpr std::size_t probe_bytes_metered = 4 << 10;

  // Goes on with what an earlier process knew: some apps live for seconds.
  explicit SizeCap(Surroundings& around);

  void set_metered(bool metered) noexcept { metered_ = metered; }
  // So much was sent in vain that only probes go out.
  bool is_spent() const noexcept { return vain_bytes_ >= (metered_ ? vain_bytes_metered : vain_bytes_usual); }
  bool smallest_first() const noexcept { return cuts_ >= cuts_told || is_spent(); }
  bool fits(const hold::Batch& batch) const noexcept;

  // So much of a body left; it counts as sent in vain until something is accepted.
  void sent(std::int64_t bytes) noexcept { vain_bytes_ += bytes; }
  void accepted(std::size_t bytes) noexcept;
  // 400 or 413: the row of acceptances is over.
  void refused() noexcept { acceptances_ = 0; }
  void refused_as_too_large(std::size_t bytes) noexcept;
  // The present row of refusals said nothing about sizes.
  void forget_refusals() noexcept { bytes_ = bytes_before_; }
  // No answer, though the body may have left. Something on the way may refuse large ones without a word: whether it is
  // the size shows when smaller ones pass. Returns the size from which on a smaller one is to be tried, or 0.
  std::size_t cut_off(std::size_t bytes) noexcept;

  // For the next process.
  void keep();

 private:
  static constexpr std::int64_t vain_bytes_usual = 4 << 20;
  static constexpr std::int64_t vain_bytes_metered = 1 << 20;
  static constexpr int cuts_told = 3;  // so many say something about a body's size

  void restore();
  void lower(std::size_t bytes) noexcept;

  Surroundings& around_;
  bool metered_ = false;
  std::size_t bytes_;         // of a batch's lines at most
  std::size_t bytes_before_;  // what it was before the present row of refusals
  int acceptances_ = 0;       // in a row since it was set
  std::int64_t vain_bytes_ = 0;
  int cuts_ = 0;  // bodies that left without an answer, since one as large was accepted or the size was set
  std::size_t cut_bytes_ = 0;  // the lines of the smallest of them
  bool passed_ = false;        // a smaller one was accepted since the first of them
  std::string kept_;
};

}  // namespace yukha::pipeline

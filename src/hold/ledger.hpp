// What became of every sentence of a lane.
#pragma once

#include <cstdint>

#include "hold/ring.hpp"

namespace yukha::hold {

// accepted = delivered + waiting + quarantined + evicted + erased + lost, where waiting is counted, not stored.
struct Ledger {
  std::uint64_t accepted = 0;
  std::uint64_t delivered = 0;
  std::uint64_t quarantined = 0;
  std::uint64_t evicted = 0;
  std::uint64_t erased = 0;
  std::uint64_t lost = 0;
  std::uint64_t refused[refusal_count] = {};

  std::uint64_t waiting() const noexcept { return accepted - delivered - quarantined - evicted - erased - lost; }
};

// Counters that do not would be carried on for ever.
bool adds_up(const Ledger& ledger) noexcept;

}  // namespace yukha::hold

// Chance as the library sees it. The simulation throws loaded dice.
#pragma once

#include <cstddef>
#include <cstdint>

namespace yukha::system {

// Threads: any. Blocks: never once the system has entropy.
class Dice {
 public:
  virtual ~Dice() = default;
  // Unpredictable bytes from the operating system.
  virtual void fill(void* into, std::size_t size) noexcept = 0;
};

Dice& system_dice() noexcept;

// xoshiro256** by Blackman and Vigna: quick, well spread numbers for ids and jitter, not for secrets.
// Threads: one.
class QuickDice {
 public:
  explicit QuickDice(Dice& seed) noexcept { seed.fill(state_, sizeof state_); }

  std::uint64_t next() noexcept {
    const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
  }
  // Evenly from 0 to limit, both included. A bias of limit / 2^64 is of no consequence for jitter.
  std::uint64_t up_to(std::uint64_t limit) noexcept { return limit == UINT64_MAX ? next() : next() % (limit + 1); }

 private:
  static std::uint64_t rotate(std::uint64_t value, int by) noexcept { return (value << by) | (value >> (64 - by)); }
  std::uint64_t state_[4];
};

}  // namespace yukha::system

// Chance as the library sees it. The simulation throws loaded dice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace yukha::system {

// Threads: any. Blocks: never once the system has entropy.
class Dice {
 public:
  virtual ~Dice() = default;
  // Unpredictable bytes from the operating system. False when it gives none; then there is nothing to go on with, and
  // nothing is made up instead.
  [[nodiscard]] virtual bool fill(void* into, std::size_t size) noexcept = 0;
};

Dice& system_dice() noexcept;

// Some of the system's chance at hand, for ids and jitter: a system call for each would be a good part of track().
// It is the system's own, and wiped as it is taken, so that neither what was seen nor the memory tells any other.
// Threads: one.
class DiceCup {
 public:
  static constexpr std::size_t id_bytes = 10;  // a UUID of version 7 has 74 bits of chance

  explicit DiceCup(Dice& dice) noexcept : dice_(dice) {}
  ~DiceCup() { spill(); }
  DiceCup(const DiceCup&) = delete;
  DiceCup& operator=(const DiceCup&) = delete;

  // Whether so many bytes can be had; false when the system gives none.
  bool has(std::size_t bytes) noexcept { return left_ >= bytes || refill(); }
  // Ask has() before an id is made of it; without chance it is 0.
  std::uint64_t next() noexcept { return take<std::uint64_t>(); }
  // The random part of an id, of which the first word gives 12 bits.
  void next_id(std::uint64_t chance[2]) noexcept {
    chance[0] = take<std::uint16_t>();
    chance[1] = take<std::uint64_t>();
  }
  // Evenly from 0 to limit, both included; the limit without chance. A bias of limit / 2^64 is of no consequence for
  // jitter.
  std::uint64_t up_to(std::uint64_t limit) noexcept {
    return !has(8) ? limit : limit == UINT64_MAX ? next() : next() % (limit + 1);
  }
  // What is at hand is thrown away; the next comes from the system anew.
  void spill() noexcept;

 private:
  template <typename Number>
  Number take() noexcept {
    Number number = 0;
    if (!has(sizeof number)) return 0;
    left_ -= sizeof number;
    std::memcpy(&number, bytes_ + left_, sizeof number);
    std::memset(bytes_ + left_, 0, sizeof number);
    return number;
  }
  bool refill() noexcept;

  Dice& dice_;
  std::size_t left_ = 0;
  // A call costs some microseconds: for 204 ids it comes once in as many, which leaves track()'s 99th percentile alone.
  unsigned char bytes_[2048];
};

}  // namespace yukha::system

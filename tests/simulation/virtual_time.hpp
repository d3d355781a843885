// A clock that moves only when it is told to, and dice that fall as the seed says.
#pragma once

#include <cstdint>

#include "sim_disk.hpp"
#include "system/clock.hpp"
#include "system/dice.hpp"

namespace yukha::simulation {

class VirtualTime final : public system::Clock {
 public:
  std::int64_t monotonic_ms() noexcept override { return now_ms; }
  std::int64_t unix_ms() noexcept override { return true_unix_ms() + device_off_ms; }
  std::int64_t true_unix_ms() const noexcept { return 1'779'421'920'000 + now_ms; }

  std::int64_t now_ms = 1'000'000;
  std::int64_t device_off_ms = 0;  // how wrong the device's wall clock is
};

class SeededDice final : public system::Dice {
 public:
  explicit SeededDice(Chance& chance) noexcept : chance_(chance) {}
  bool fill(void* into, std::size_t size) noexcept override {
    auto* at = static_cast<unsigned char*>(into);
    for (std::size_t i = 0; i < size; ++i) at[i] = static_cast<unsigned char>(chance_());
    return true;
  }

 private:
  Chance& chance_;
};

}  // namespace yukha::simulation

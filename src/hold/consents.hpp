// What the user allowed: everything, and each purpose.
#pragma once

#include <algorithm>
#include <cstdint>

#include <yukha/event.hpp>
#include <yukha/tracker.hpp>

namespace yukha::hold {

constexpr int purpose_count = 3;

struct Consents {
  Consent all = Consent::granted;
  Consent purposes[purpose_count] = {Consent::granted, Consent::denied, Consent::denied};
  bool asked = false;  // for a single purpose, ever: there may be something to take back

  // The stricter of the two has the larger number.
  constexpr Consent of(Purpose purpose) const noexcept { return std::max(all, purposes[static_cast<int>(purpose)]); }
  constexpr Consent& said(const Purpose* purpose) noexcept {
    return purpose == nullptr ? all : purposes[static_cast<int>(*purpose)];
  }

  // One number, two bits each, from the least bits on: all, analytics, advertising, personalization, of which the last
  // two count from denied; then a bit for `asked`. One that knew of no purposes is the consent to all.
  constexpr std::int64_t packed() const noexcept {
    std::int64_t number = static_cast<std::int64_t>(all) | (asked ? asked_bit : 0);
    for (int i = 0; i < purpose_count; ++i) number |= turned(i, static_cast<std::int64_t>(purposes[i])) << (2 * i + 2);
    return number;
  }
  // What no version of ours wrote can only come from damage or a newer one: nothing is sent, and nothing taken, until
  // it is understood.
  static constexpr Consents unpacked(std::int64_t number) noexcept {
    Consents consents;
    const bool known = number >= 0 && number < 2 * asked_bit;
    const auto two_bits = [number](int at) { return number >> at & 3; };
    const auto consent = [](std::int64_t value) { return value > 2 ? Consent::pending : static_cast<Consent>(value); };
    consents.all = known ? consent(two_bits(0)) : Consent::pending;
    consents.asked = !known || (number & asked_bit) != 0;
    for (int i = 0; i < purpose_count; ++i) {
      const std::int64_t value = two_bits(2 * i + 2);
      consents.purposes[i] = !known || value > 2 ? Consent::pending : consent(turned(i, value));
    }
    return consents;
  }

  bool operator==(const Consents& other) const noexcept { return packed() == other.packed(); }
  bool operator!=(const Consents& other) const noexcept { return !(*this == other); }

 private:
  static constexpr std::int64_t asked_bit = 1 << (2 * purpose_count + 2);
  static constexpr std::int64_t turned(int purpose, std::int64_t value) noexcept {
    return purpose == static_cast<int>(Purpose::analytics) ? value : 2 - value;
  }
};

}  // namespace yukha::hold

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
  bool asked = false;       // for a single purpose, ever: there may be something to take back
  std::uint32_t times = 0;  // how often consent was said: of two statements the later one counts

  // Where what was said cannot be read: nothing leaves and nothing is erased until it is said again.
  static constexpr Consents lost() noexcept {
    Consents consents;
    consents.all = consents.purposes[1] = consents.purposes[2] = Consent::pending;
    consents.asked = true;
    return consents;
  }
  // Of two statements of the same time the stricter one counts.
  constexpr void restrict_to(const Consents& other) noexcept {
    all = std::max(all, other.all);
    for (int i = 0; i < purpose_count; ++i) purposes[i] = std::max(purposes[i], other.purposes[i]);
    asked = asked || other.asked;
  }
  // Whether a purpose is denied by now that was not as `before` has it.
  constexpr bool take_back_of(const Consents& before) const noexcept {
    for (int i = 0; i < purpose_count; ++i) {
      const auto purpose = static_cast<Purpose>(i);
      if (of(purpose) == Consent::denied && before.of(purpose) != Consent::denied) return true;
    }
    return false;
  }

  // The stricter of the two has the larger number.
  constexpr Consent of(Purpose purpose) const noexcept { return std::max(all, purposes[static_cast<int>(purpose)]); }
  constexpr Consent& said(const Purpose* purpose) noexcept {
    return purpose == nullptr ? all : purposes[static_cast<int>(*purpose)];
  }

  constexpr void say(const Purpose* purpose, Consent consent) noexcept {
    said(purpose) = consent;
    asked = asked || purpose != nullptr;
    if (times < UINT32_MAX) ++times;
  }

  // One number, two bits each, from the least bits on: all, analytics, advertising, personalization, of which the last
  // two count from denied; then a bit for `asked`; from bit 16 on how often it was said. One that knew of no purposes
  // is the consent to all.
  constexpr std::int64_t packed() const noexcept {
    std::int64_t number = static_cast<std::int64_t>(all) | (asked ? asked_bit : 0) | std::int64_t{times} << 16;
    for (int i = 0; i < purpose_count; ++i) number |= turned(i, static_cast<std::int64_t>(purposes[i])) << (2 * i + 2);
    return number;
  }
  // What no version of ours wrote can only come from damage or a newer one: nothing is sent, and nothing taken, until
  // it is understood.
  static constexpr Consents unpacked(std::int64_t number) noexcept {
    Consents consents;
    const bool known = number >= 0 && (number & 0xFFFF) < 2 * asked_bit && number >> 48 == 0;
    const auto two_bits = [number](int at) { return number >> at & 3; };
    const auto consent = [](std::int64_t value) { return value > 2 ? Consent::pending : static_cast<Consent>(value); };
    consents.all = known ? consent(two_bits(0)) : Consent::pending;
    consents.asked = !known || (number & asked_bit) != 0;
    consents.times = known ? static_cast<std::uint32_t>(number >> 16) : 0;
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

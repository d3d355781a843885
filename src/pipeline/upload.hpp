// A batch leaves: it is chosen, made durable, signed, and handed to the transport.
#pragma once

#include <cstdint>
#include <optional>

#include "pipeline/adoption.hpp"
#include "pipeline/keys.hpp"
#include "pipeline/splitter.hpp"

namespace yukha::pipeline {

class Upload {
 public:
  Upload(Surroundings& around, Faults& faults, const Flush& flush, const Watch& watch, const SizeCap& sizes,
         BackOff& back_off, Turns& turns, Keys& keys, Splitter& splitter, Adoption& adoption, InFlight& in_flight)
      : around_(around),
        faults_(faults),
        flush_(flush),
        watch_(watch),
        sizes_(sizes),
        back_off_(back_off),
        turns_(turns),
        keys_(keys),
        splitter_(splitter),
        adoption_(adoption),
        in_flight_(in_flight) {}

  // Begins a request when one may be begun.
  void step(Step& step);
  // The request under way once more, because of what its answer told.
  void repeat(Step& step);

  std::uint64_t requests() const noexcept { return requests_; }
  // How far the device's clock is off.
  void watch_clock(std::int64_t unix_ms, std::int64_t now_ms) noexcept { offset_.watch(unix_ms, now_ms); }
  void learn_time(std::int64_t server_unix_ms, std::int64_t now_ms) noexcept {
    offset_.learn(server_unix_ms, in_flight_.flight->sent_ms, now_ms);
  }
  std::optional<std::int64_t> true_unix_ms(std::int64_t now_ms) const noexcept { return offset_.true_unix_ms(now_ms); }

 private:
  hold::Lane* choose(Step& step, hold::Batch& batch);
  bool fits(Step& step, hold::Lane& lane, const hold::Batch& batch);
  bool take_off(Step& step, hold::Lane& lane, const hold::Batch& batch);
  void start(Step& step);

  Surroundings& around_;
  Faults& faults_;
  const Flush& flush_;
  const Watch& watch_;
  const SizeCap& sizes_;
  BackOff& back_off_;
  Turns& turns_;
  Keys& keys_;
  Splitter& splitter_;
  Adoption& adoption_;
  InFlight& in_flight_;
  send::ClockOffset offset_;
  std::uint64_t requests_ = 0;
};

}  // namespace yukha::pipeline

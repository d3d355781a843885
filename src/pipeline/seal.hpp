// Sentences become batches, which are never changed any more.
#pragma once

#include <cstdint>

#include "pipeline/back_off.hpp"
#include "pipeline/faults.hpp"
#include "pipeline/flight.hpp"
#include "pipeline/flush.hpp"
#include "pipeline/turns.hpp"

namespace yukha::pipeline {

// A full batch is sealed at once, another one when it could leave at once: the longer it stays open, the better it
// compresses.
class Seal {
 public:
  Seal(Surroundings& around, Faults& faults, Flush& flush, Turns& turns, const BackOff& back_off,
       const InFlight& in_flight);

  void step(Step& step);
  // What may not leave grows on until it may.
  bool all(hold::Lane& lane, std::int64_t now_ms);
  // An erase: nothing is open any more.
  void forget() noexcept;

 private:
  bool one(hold::Lane& lane, hold::Kind kind, hold::Partial partial, std::int64_t now_ms);
  void for_flush(const Step& step);
  bool full_ones(Step& step);
  void open_ones(Step& step);

  Surroundings& around_;
  Faults& faults_;
  Flush& flush_;
  Turns& turns_;
  const BackOff& back_off_;
  const InFlight& in_flight_;
  std::int64_t unsealed_since_ms_[hold::kind_count];  // when the oldest unsealed chunk was taken over; -1: none
};

}  // namespace yukha::pipeline

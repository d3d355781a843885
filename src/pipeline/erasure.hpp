// What a denial, or somebody's erase, takes.
#pragma once

#include <cstdint>

#include "pipeline/faults.hpp"
#include "pipeline/flight.hpp"
#include "pipeline/watch.hpp"

namespace yukha::pipeline {

// A denial of a purpose takes what waits of it from each lane. A denial of everything, and erase(), begin a new epoch,
// in which every lane of the directory is begun anew; that is the worker's to do, and what is owed of it stands here.
class Erasure {
 public:
  Erasure(Surroundings& around, Faults& faults, const Watch& watch, InFlight& in_flight);

  // A consent changed: whatever lacks it by the next step is to go.
  void deny() noexcept;
  bool wants_denial() const noexcept { return deny_wanted_; }
  // `adopted` is null for none.
  void step(const Step& step, hold::Lane* adopted);
  // What is denied goes from this lane, with its bytes.
  bool erase_denied(hold::Lane& lane);
  // The same in every other lane that nobody holds. Opening one of an older epoch removes what is in it; one that is
  // held is erased by its holder, which looks at the epoch before it moves or sends anything.
  Status sweep_others();

  // An erase or a denial that a kill cut short is finished by whoever comes next.
  enum class Due { nothing, sweep, erase };
  Due due_for_others(std::int64_t now_ms);
  void swept(const Status& status, std::int64_t now_ms);
  void sweep_again() noexcept { others_swept_ = false; }

  // An erase that could not begin. It is tried again for as long as everything is denied.
  void owe_erase(std::int64_t now_ms) noexcept { erase_owed_at_ms_ = now_ms + Faults::again_after_ms; }
  void owe_no_erase() noexcept { erase_owed_at_ms_ = -1; }
  // -1: none.
  std::int64_t erase_owed_at_ms() const noexcept { return erase_owed_at_ms_; }
  // The ring begins anew.
  void forget_ring() noexcept { deny_head_ = 0; }

 private:
  Surroundings& around_;
  Faults& faults_;
  const Watch& watch_;
  InFlight& in_flight_;
  bool deny_wanted_ = true;  // an earlier process may have died before it was done
  std::uint64_t deny_head_;  // the ring's head when it was ordered
  bool others_swept_ = false;
  std::int64_t sweep_again_ms_ = INT64_MIN / 2;  // not before, after a fault
  std::int64_t erase_owed_at_ms_ = -1;
};

}  // namespace yukha::pipeline

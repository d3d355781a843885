// What earlier processes left in lanes of their own is delivered as well.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "pipeline/erasure.hpp"
#include "pipeline/retention.hpp"
#include "pipeline/seal.hpp"

namespace yukha::pipeline {

// Lane after lane, one at a time. One that is empty, or of which nothing may leave now, is let go for the next. A round
// through all of them begins when one of them is known to wait for it, else when the worker is awake anyway, not more
// often than once a minute.
class Adoption {
 public:
  Adoption(Surroundings& around, Flush& flush, const Turns& turns, const BackOff& back_off, const InFlight& in_flight,
           Retention& retention, Seal& seal, Erasure& erasure)
      : around_(around),
        flush_(flush),
        turns_(turns),
        back_off_(back_off),
        in_flight_(in_flight),
        retention_(retention),
        seal_(seal),
        erasure_(erasure) {}

  // The next batch of another lane, which is adopted() then.
  bool pick(Step& step, hold::Batch& batch);
  // Null for none.
  hold::Lane* adopted() const noexcept { return adopted_.get(); }
  std::int64_t adopted_ms() const noexcept { return adopted_ms_; }
  // Unless a batch of it is under way.
  void let_go();
  // The same, to come back to it first: its owner may come back before anything may be sent.
  void leave();

  // Every lane is looked at again.
  void begin_round(std::int64_t now_ms) noexcept {
    look_from_.clear();
    due_ms_ = now_ms;
  }
  // Something changed that may let others' batches go.
  void look_soon(std::int64_t now_ms) noexcept { due_ms_ = now_ms; }

 private:
  static constexpr std::int64_t look_every_ms = 60'000;

  bool adopt_one(const Step& step);
  bool may_begin_round(const Step& step);
  bool try_to_adopt(const std::string& name, const Step& step);

  Surroundings& around_;
  Flush& flush_;
  const Turns& turns_;
  const BackOff& back_off_;
  const InFlight& in_flight_;
  Retention& retention_;
  Seal& seal_;
  Erasure& erasure_;
  std::unique_ptr<hold::Lane> adopted_;
  std::int64_t adopted_ms_ = 0;
  std::string look_from_;             // the lane with which the round goes on; empty: none
  std::int64_t look_ms_ = INT64_MIN;  // the next round, when the worker is awake anyway
  std::int64_t due_ms_ = INT64_MIN;   // the same, because something waits for it
};

}  // namespace yukha::pipeline

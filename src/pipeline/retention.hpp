// How long sentences are kept, and how many: eviction by age and by size.
#pragma once

#include <cstdint>

#include "pipeline/faults.hpp"
#include "pipeline/flight.hpp"
#include "send/true_time.hpp"

namespace yukha::pipeline {

class Retention {
 public:
  Retention(Surroundings& around, Faults& faults, const InFlight& in_flight);

  // At most once a minute, or when look_soon() asked for it: the own lane and the adopted one, which is null for none.
  void make_room(const Step& step, hold::Lane* adopted, std::int64_t adopted_ms);
  void give_up_the_old(hold::Lane& lane, std::int64_t opened_ms, std::int64_t now_ms);
  void look_soon() noexcept { look_ms_ = INT64_MIN / 2; }
  // The Date of an answer that accepted a batch. Evicting believes no other: neither a portal's clock nor one that is
  // set must empty a queue.
  void learn(std::int64_t server_unix_ms, std::int64_t now_ms);

 private:
  void keep_true_time();
  void keep_to_size(std::int64_t now_ms);

  Surroundings& around_;
  Faults& faults_;
  const InFlight& in_flight_;
  send::TrueTime true_time_;
  std::int64_t look_ms_ = INT64_MIN / 2;
};

}  // namespace yukha::pipeline

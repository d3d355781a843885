// What lies in the ring comes into the database.
#pragma once

#include <cstdint>

#include "pipeline/faults.hpp"
#include "pipeline/flush.hpp"
#include "pipeline/retention.hpp"
#include "pipeline/watch.hpp"

namespace yukha::pipeline {

// The ring is drained once its oldest sentence is `sync_interval` old, it is half full, or something waits for it.
class Drain {
 public:
  Drain(Surroundings& around, Faults& faults, const Flush& flush, const Watch& watch, Retention& retention)
      : around_(around), faults_(faults), flush_(flush), watch_(watch), retention_(retention) {}

  enum class Found { nothing_wrong, taken, gone };
  // `denies`: a denial waits for what is in the ring. `taken`: another process has the lane, and what is in the ring is
  // its own to take over. `gone`: its files were removed or replaced, and it must be made again.
  Found step(const Step& step, bool denies);
  // The scopes that are open, for the case that the process ends before they do.
  void keep_scopes(const Step& step);
  // A repair does not save them.
  void want_scopes() noexcept { scopes_wanted_ = true; }

  // The ring is looked at again by itself.
  bool looks() const noexcept { return look_ms_ >= 0; }
  std::int64_t due_ms(const Step& step) const;

 private:
  bool is_due(const Step& step, bool is_mine, bool denies) const;
  void take_over(const Step& step);
  std::string ledger_line_if_due(std::uint64_t accepted, std::int64_t unix_ms);

  Surroundings& around_;
  Faults& faults_;
  const Flush& flush_;
  const Watch& watch_;
  Retention& retention_;
  std::int64_t look_ms_ = -1;  // when the ring is looked at without being told; -1: only when told
  std::int64_t seen_ms_ = -1;  // when the ring was first seen holding something
  bool scopes_wanted_ = false;
};

}  // namespace yukha::pipeline

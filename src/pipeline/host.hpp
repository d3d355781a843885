// What the worker asks of the tracker it works for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <yukha/status.hpp>

#include "hold/consents.hpp"
#include "hold/queue.hpp"
#include "send/policy.hpp"

namespace yukha::pipeline {

// Called from within a step. Each of these may wait for the lock behind which sentences are tracked.
class WorkerHost {
 public:
  virtual ~WorkerHost() = default;
  // Begins the lane anew in the directory's present epoch or in the next one, see Lane::erase(), with track() held off
  // for as long as that takes.
  virtual Status renew_lane(bool next_epoch) = 0;
  // See Lane::make_again(), likewise.
  virtual Status make_lane_again(std::int64_t held_ms) = 0;
  // The library's own sentence about the ledger, as a line; empty when it could not be made.
  virtual std::string ledger_line(const hold::Ledger& ledger, const hold::RunMark& previous) = 0;
  // The ordinal before the run's first sentence: what is left of an ordinal after subtracting it is its seq.
  virtual std::uint64_t run_base() = 0;
  // How far the device's clock is off, when that is known, as of these readings of the two clocks.
  virtual void clock_offset(std::optional<std::int64_t> offset_ms, std::int64_t unix_ms, std::int64_t monotonic_ms) = 0;
  // The scopes that are open, kept for the case that the process ends before they do: when that is due again
  // (monotonic, INT64_MAX for never), and what is to be kept. open_scopes() is false when nothing began or ended since,
  // unless `all` asks for their durations, too.
  virtual std::int64_t scopes_due_ms() = 0;
  virtual bool open_scopes(bool all, std::vector<hold::KeptScope>& scopes, std::uint64_t& version) = 0;
  virtual void scopes_kept(std::uint64_t version) = 0;
  virtual void consents_changed(const hold::Consents& consents) = 0;
  virtual void policy_changed(const send::Policy& policy) = 0;
  // See Ring::wipe(), with track() held off.
  virtual bool wipe_ring(std::uint64_t& from) = 0;
};

}  // namespace yukha::pipeline

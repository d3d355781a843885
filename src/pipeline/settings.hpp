// What the worker is told when it is made, what it is told to do, and what it tells of itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <yukha/config.hpp>

#include "hold/lane.hpp"
#include "hold/ledger.hpp"
#include "send/endpoint.hpp"
#include "send/protocol.hpp"
#include "send/signer.hpp"

namespace yukha::pipeline {

struct WorkerSettings {
  send::Endpoint endpoint;  // checked
  const send::Protocol* protocol = &send::ingestion_protocol();
  bool sends = false;  // an endpoint is configured
  bool obeys_policy = false;
  std::vector<send::Key> keys;
  SignFunction sign;
  KeyFunction provide_keys;
  std::chrono::milliseconds connect_timeout{0};
  std::chrono::milliseconds stall_timeout{0};
  std::chrono::milliseconds total_timeout{0};
  std::int64_t upload_interval_ms = 0;
  std::int64_t sync_interval_ms = 0;
  std::uint64_t queue_bytes_max = 0;
  std::int64_t age_max_ms = 0;
  std::int64_t hurried_ms = INT64_MIN / 2;  // when an earlier worker last ended a back-off early (monotonic)
  hold::BatchLimits batches;
  hold::LaneSettings lanes;
};

// What the tracker wants done, besides the usual.
struct Orders {
  std::uint64_t flush = 0;  // bring all that is here now to the endpoint; each new flush has a larger number
  bool close = false;       // bring all to disk, begin nothing new
};

// What stats() tells of the worker's side.
struct Progress {
  hold::Ledger ledger;
  std::uint64_t requests = 0;
  std::int64_t failures = 0;
  std::int64_t not_before_ms = 0;  // the next request: after a back-off, or as the endpoint's policy asks (monotonic)
  std::int64_t policy_until_ms = 0;
  std::string trouble;
  std::uint64_t flushed = 0;  // the flush whose sentences have all left
  bool drained = false;       // the ring is empty and what was in it is synced
  bool looks = false;         // the ring is looked at again soon, without being told
  bool disk_waits = false;    // a disk fault has the worker wait before it tries again
  bool in_flight = false;
  bool denies = false;        // what a denial takes is not all gone yet
  bool denies_badly = false;  // and the disk has it wait
};

}  // namespace yukha::pipeline

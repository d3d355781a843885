// How long the endpoint is left alone: after failures, and as its policy asks.
#pragma once

#include <cstdint>
#include <optional>

#include "pipeline/size_cap.hpp"
#include "send/policy.hpp"
#include "send/retry.hpp"

namespace yukha::pipeline {

// Processes of one directory share their back-off, and the next ones go on with it. That is a courtesy to the endpoint
// and no promise to the app: a write that fails is told and tried again.
class BackOff {
 public:
  // Goes on with a policy that an earlier process was told of.
  BackOff(Surroundings& around, const SizeCap& sizes);

  void begin(const send::Backoff& backoff, std::optional<std::int64_t> retry_after_ms, std::int64_t now_ms);
  // Something was accepted.
  void end(std::int64_t now_ms);
  // The network is back, or somebody waits. At most once in 10 s: no host can make a flood of it.
  void end_early(std::int64_t now_ms) noexcept;
  // What other processes wrote since; the directory was just read.
  void hear(std::int64_t now_ms);
  void share_if_owed(std::int64_t now_ms) {
    if (share_owed_at_ms_ >= 0 && now_ms >= share_owed_at_ms_) share(now_ms);
  }

  void keep_to(const send::Policy& policy);
  void request_began(std::int64_t now_ms) noexcept;

  // Monotonic: before this no batch is sent, and not even what an answer asks for once more.
  std::int64_t failed_until_ms() const noexcept { return until_ms_; }
  // The same, or what the policy asks for: before this no batch is sent.
  std::int64_t until_ms() const noexcept;
  std::int64_t policy_until_ms() const noexcept { return policy_until_ms_; }
  std::int64_t failures() const noexcept { return failures_; }
  std::int64_t hurried_ms() const noexcept { return hurried_ms_; }

 private:
  void share(std::int64_t now_ms);
  std::uint64_t key() const;

  Surroundings& around_;
  const SizeCap& sizes_;
  std::int64_t failures_ = 0;
  std::int64_t until_ms_ = 0;
  std::int64_t hurried_ms_;
  hold::BackOffMark known_;             // as it stands in the directory, as far as this process knows
  std::int64_t share_owed_at_ms_ = -1;  // what could not be written; -1: nothing

  std::int64_t policy_until_ms_ = 0;  // what the endpoint asked for counts until then
  std::int64_t policy_next_ms_ = 0;   // the next request, as it wishes
  std::int64_t policy_interval_ms_ = 0;
};

}  // namespace yukha::pipeline

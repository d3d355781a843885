#include "pipeline/back_off.hpp"

#include <algorithm>

#include "pipeline/faults.hpp"
#include "system/crc32c.hpp"
#include "system/crypto.hpp"

namespace yukha::pipeline {
namespace {

constexpr std::int64_t stored_ms_max = 3'600'000;    // a deadline further off than this means "now"
constexpr std::int64_t end_early_every_ms = 10'000;  // design: a flush ends a back-off at most this often
constexpr std::int64_t spent_ms = 2'700'000;         // so much was sent in vain that it is tried rarely

}  // namespace

BackOff::BackOff(Surroundings& around, const SizeCap& sizes)
    : around_(around), sizes_(sizes), hurried_ms_(around.settings.hurried_ms) {
  if (!around_.settings.obeys_policy) return;
  if (const auto policy = send::Policy::kept(around_.directory.note(send::policy_note))) keep_to(*policy);
}

void BackOff::begin(const send::Backoff& backoff, std::optional<std::int64_t> retry_after_ms, std::int64_t now_ms) {
  ++failures_;
  if (sizes_.is_spent()) retry_after_ms = std::max(retry_after_ms.value_or(0), spent_ms);
  const std::int64_t wait = send::rest_after(failures_, around_.dice, backoff, retry_after_ms);
  // What another process was asked for meanwhile is not cut short.
  until_ms_ = std::max(until_ms_, now_ms + wait);
  share(now_ms);
}

void BackOff::end(std::int64_t now_ms) {
  until_ms_ = now_ms;
  if (failures_ == 0) return;
  failures_ = 0;
  share(now_ms);
}

void BackOff::end_early(std::int64_t now_ms) noexcept {
  if (now_ms - hurried_ms_ < end_early_every_ms) return;
  hurried_ms_ = now_ms;
  until_ms_ = now_ms;
}

void BackOff::hear(std::int64_t now_ms) {
  const hold::BackOffMark& told = around_.directory.state().back_off;
  if (told.failures == known_.failures && told.until_unix_ms == known_.until_unix_ms && told.key == known_.key) return;
  known_ = told;
  if (told.key != key()) return;
  const std::int64_t left = told.until_unix_ms - around_.clock.unix_ms();
  const std::int64_t until_ms = left > 0 && left <= stored_ms_max ? now_ms + left : now_ms;
  // After an acceptance nobody waits; but what is written there may be older than what this process was asked for and
  // could not write.
  const bool over = told.failures == 0 && share_owed_at_ms_ < 0;
  until_ms_ = over ? until_ms : std::max(until_ms_, until_ms);
  failures_ = over ? 0 : std::max(failures_, told.failures);
}

void BackOff::share(std::int64_t now_ms) {
  const std::int64_t until_unix_ms = failures_ == 0 ? 0 : around_.clock.unix_ms() + until_ms_ - now_ms;
  share_owed_at_ms_ = -1;
  if (!around_.directory.set_back_off({failures_, until_unix_ms, key()})) {
    share_owed_at_ms_ = now_ms + Faults::again_after_ms;
    if (Status status = around_.directory.status_of_fault("writing"); !status)
      around_.log.write(LogLevel::warning, status.message());
  }
  known_ = around_.directory.state().back_off;
}

// A back-off belongs to an endpoint and the keys it was met with: another one is owed none.
std::uint64_t BackOff::key() const {
  const std::string& url = around_.settings.endpoint.url;
  std::uint32_t crc = system::crc32c(0, url.data(), url.size());
  for (const send::Key& one : around_.settings.keys) {
    crc = system::crc32c(crc, one.id.data(), one.id.size());
    const system::Sha256 digest = system::sha256(one.secret);
    crc = system::crc32c(crc, digest.data(), digest.size());
  }
  return crc;
}

void BackOff::keep_to(const send::Policy& policy) {
  const std::int64_t now = around_.clock.monotonic_ms();
  const std::int64_t unix_ms = around_.clock.unix_ms();
  policy_until_ms_ = now + policy.left_ms(policy.for_s, unix_ms);
  policy_interval_ms_ = policy.upload_interval_s * 1000;
  // What an answer says follows a request.
  policy_next_ms_ =
      now + std::max(policy.left_ms(policy.pause_s, unix_ms), policy.left_ms(policy.upload_interval_s, unix_ms));
}

void BackOff::request_began(std::int64_t now_ms) noexcept {
  policy_next_ms_ = std::max(policy_next_ms_, now_ms + policy_interval_ms_);
}

std::int64_t BackOff::until_ms() const noexcept {
  return std::max(until_ms_, std::min(policy_next_ms_, policy_until_ms_));
}

}  // namespace yukha::pipeline

#include "pipeline/size_cap.hpp"

#include <algorithm>
#include <cstdio>

namespace yukha::pipeline {
namespace {

constexpr const char* note_name = "in_vain";
constexpr std::int64_t kept_s_max = 7 * 86'400;
constexpr int acceptances_raise_cap = 20;              // send/CONTRACT.md, "Answers"
constexpr int acceptances_raise_cap_after_cuts = 200;  // no more than a few per cent are sent in vain for it
constexpr std::size_t probe_bytes = 16 << 10;          // of a body, once too much was sent in vain

}  // namespace

SizeCap::SizeCap(Surroundings& around)
    : around_(around), bytes_(around.settings.batches.bytes_max), bytes_before_(bytes_) {
  restore();
}

bool SizeCap::fits(const hold::Batch& batch) const noexcept {
  const bool is_probe = batch.body_bytes <= (metered_ ? probe_bytes_metered : probe_bytes);
  return batch.bytes <= bytes_ && (is_probe || !is_spent());
}

void SizeCap::accepted(std::size_t bytes) noexcept {
  vain_bytes_ = 0;
  if (cuts_ != 0) {
    passed_ = bytes < cut_bytes_;
    if (!passed_) {
      cuts_ = 0;
    } else if (cuts_ >= cuts_told) {
      lower(std::max(bytes, cut_bytes_ / 2));
    }
  }
  bytes_before_ = bytes_;
  if (bytes_ < around_.settings.batches.bytes_max && ++acceptances_ >= acceptances_raise_cap) {
    acceptances_ = 0;
    bytes_ = bytes_before_ = std::min(bytes_ * 2, around_.settings.batches.bytes_max);
  }
}

void SizeCap::refused_as_too_large(std::size_t bytes) noexcept {
  bytes_ = std::max<std::size_t>(bytes / 2, 1);
}

std::size_t SizeCap::cut_off(std::size_t bytes) noexcept {
  cut_bytes_ = cuts_ == 0 ? bytes : std::min(cut_bytes_, bytes);
  if (++cuts_ % cuts_told != 0) return 0;
  if (!passed_) return cut_bytes_ / 2;
  lower(cut_bytes_ / 2);
  return 0;
}

void SizeCap::lower(std::size_t bytes) noexcept {
  bytes_ = bytes_before_ = std::max<std::size_t>(std::min(bytes, bytes_), 1);
  acceptances_ = acceptances_raise_cap - acceptances_raise_cap_after_cuts;
  cuts_ = 0;
  passed_ = false;
}

void SizeCap::restore() {
  long long vain = 0;
  long long cuts = 0;
  long long cut = 0;
  long long cap = 0;
  long long since_s = 0;
  const std::string kept = around_.directory.note(note_name);
  const std::int64_t now_s = around_.clock.unix_ms() / 1000;
  const std::size_t blank = kept.find(' ');
  if (blank == std::string::npos ||
      std::sscanf(kept.c_str(), "%lld %lld %lld %lld %lld", &since_s, &vain, &cuts, &cut, &cap) != 5 || vain < 0 ||
      vain > INT32_MAX || cuts < 0 || cuts > 1'000'000 || cut < 0 || cap < 1 || since_s > now_s ||
      since_s < now_s - kept_s_max) {
    return;
  }
  vain_bytes_ = vain;
  cuts_ = static_cast<int>(cuts);
  cut_bytes_ = static_cast<std::size_t>(cut);
  bytes_ = bytes_before_ = std::min(static_cast<std::size_t>(cap), bytes_);
  kept_ = kept.substr(blank);
}

void SizeCap::keep() {
  char text[100];
  std::snprintf(text, sizeof text, " %lld %d %zu %zu",
                static_cast<long long>(std::min<std::int64_t>(vain_bytes_, INT32_MAX)), cuts_,
                cuts_ == 0 ? 0 : cut_bytes_, bytes_);
  // A healthy endpoint costs no write.
  if (kept_ == text || (kept_.empty() && vain_bytes_ == 0)) return;
  kept_ = text;
  static_cast<void>(around_.directory.set_note(note_name, std::to_string(around_.clock.unix_ms() / 1000) + text));
  static_cast<void>(around_.directory.status_of_fault("writing"));
}

}  // namespace yukha::pipeline

#include "intake/open_scopes.hpp"

#include <algorithm>
#include <utility>

#include "compose/parts.hpp"
#include "compose/text.hpp"
#include "system/uuid.hpp"

namespace yukha::detail {
namespace {

constexpr std::size_t scopes_max = 256;
constexpr std::size_t scopes_bytes_max = 1 << 20;
constexpr std::int64_t keep_every_ms = 10'000;
// Of a UUIDv7: what comes behind the time and the first twelve random bits.
constexpr std::size_t tail_begin = 19;

std::string tail_of(const OpenScope& scope) {
  char id[system::uuid_text_size];
  compose::write_uuid7(0, scope.chance[0], scope.chance[1], id);
  return {id + tail_begin, sizeof id - tail_begin};
}

}  // namespace

std::int64_t OpenScope::duration(std::int64_t now_ms) const noexcept {
  return counted_ms + (since_ms >= 0 ? std::max<std::int64_t>(now_ms - since_ms, 0) : 0);
}

void Scopes::count(OpenScope& scope, std::int64_t now_ms) noexcept {
  const bool counted = scope.since_ms >= 0;
  scope.counted_ms = scope.duration(now_ms);
  scope.since_ms = scope.paused || !scope.in_view || background_ ? -1 : now_ms;
  // The worker may sleep with another thought of it, and what was counted up to a pause is worth keeping.
  if (counted != (scope.since_ms >= 0)) change(now_ms);
}

void Scopes::change(std::int64_t now_ms) noexcept {
  ++version_;
  if (changed_ms_ < 0) changed_ms_ = now_ms;
}

std::uint64_t Scopes::begin(OpenScope&& scope, std::int64_t now_ms) {
  if (open_.size() >= scopes_max || bytes_ + scope.parts.size() > scopes_bytes_max) return 0;
  scope.in_view = !(scope.viewability.min_visible_fraction > 0);
  count(scope, now_ms);
  const std::size_t bytes = scope.parts.size();
  open_.emplace(begun_ + 1, std::move(scope));
  bytes_ += bytes;
  change(now_ms);
  return ++begun_;
}

bool Scopes::end(std::uint64_t number, std::int64_t now_ms, OpenScope& scope) {
  const auto found = open_.find(number);
  if (found == open_.end()) return false;
  count(found->second, now_ms);
  scope = std::move(found->second);
  bytes_ -= scope.parts.size();
  open_.erase(found);
  change(now_ms);
  return true;
}

void Scopes::pause(std::uint64_t number, bool paused, std::int64_t now_ms) noexcept {
  const auto found = open_.find(number);
  if (found == open_.end()) return;
  found->second.paused = paused;
  count(found->second, now_ms);
}

void Scopes::show(std::uint64_t number, double part, std::int64_t now_ms) noexcept {
  const auto found = open_.find(number);
  if (found == open_.end()) return;
  found->second.in_view = part >= found->second.viewability.min_visible_fraction;  // which nothing is that is no number
  count(found->second, now_ms);
}

std::int64_t Scopes::duration(std::uint64_t number, std::int64_t now_ms) const noexcept {
  const auto found = open_.find(number);
  return found == open_.end() ? 0 : found->second.duration(now_ms);
}

void Scopes::set_background(bool background, std::int64_t now_ms) noexcept {
  background_ = background;
  for (auto& [number, scope] : open_) count(scope, now_ms);
}

std::vector<hold::KeptScope> Scopes::reconcile(const std::vector<hold::KeptScope>& on_disk, bool same_lane) {
  std::vector<hold::KeptScope> others = on_disk;
  for (auto at = open_.begin(); at != open_.end();) {
    const std::string tail = tail_of(at->second);
    const auto found =
        std::find_if(others.begin(), others.end(), [&tail](const hold::KeptScope& one) { return one.tail == tail; });
    if (found != others.end()) {
      others.erase(found);
    } else if (at->second.kept || (!same_lane && at->second.to_keep)) {
      bytes_ -= at->second.parts.size();
      at = open_.erase(at);
      continue;
    }
    ++at;
  }
  return others;
}

void Scopes::leave(std::vector<hold::KeptScope>&& untold, std::int64_t now_ms) {
  untold_ = std::move(untold);
  change(now_ms);
}

void Scopes::erase_denied(const hold::Consents& consents, std::int64_t now_ms) {
  bool changed = false;
  for (auto at = open_.begin(); at != open_.end();) {
    if (consents.of(at->second.purpose) != Consent::denied) {
      ++at;
      continue;
    }
    bytes_ -= at->second.parts.size();
    at = open_.erase(at);
    changed = true;
  }
  for (auto at = untold_.begin(); at != untold_.end();) {
    if (consents.of(at->purpose) != Consent::denied) {
      ++at;
      continue;
    }
    at = untold_.erase(at);
    changed = true;
  }
  if (changed) change(now_ms);
}

void Scopes::clear(std::int64_t now_ms) noexcept {
  if (open_.empty() && untold_.empty()) return;
  open_.clear();
  untold_.clear();
  bytes_ = 0;
  change(now_ms);
}

std::int64_t Scopes::due_ms(std::int64_t interval_ms) const noexcept {
  std::int64_t due = changed_ms_ >= 0 ? changed_ms_ + interval_ms : INT64_MAX;
  for (const auto& [number, scope] : open_) {
    if (scope.since_ms < 0) continue;
    // What is not shown for long enough yet is not on the disk.
    const std::int64_t long_enough_ms = scope.since_ms + scope.viewability.min_duration.count() - scope.counted_ms;
    const std::int64_t next_ms =
        scope.kept ? kept_ms_ + keep_every_ms : std::max(long_enough_ms, kept_ms_ + interval_ms);
    if (scope.kept || changed_ms_ < 0) due = std::min(due, next_ms);
  }
  return due;
}

std::vector<hold::KeptScope> Scopes::to_keep(const compose::LineEncoder& encoder, std::int64_t now_ms,
                                             std::int64_t unix_ms) {
  std::vector<hold::KeptScope> all = untold_;
  for (auto& [number, scope] : open_) {
    const std::int64_t duration = scope.duration(now_ms);
    // Should it be cut off now, it was not shown for long enough.
    if (duration < scope.viewability.min_duration.count()) continue;
    scope.to_keep = true;
    std::string parts = scope.parts;
    compose::append_entry(parts, Part::action, "duration_ms", std::to_string(duration));
    if (!compose::has_entry(parts.data(), parts.size(), Part::action, "cut_off")) {
      compose::append_entry(parts, Part::action, "cut_off", "true");
    }
    hold::KeptScope kept;
    kept.tail = tail_of(scope);
    kept.sentence = encoder.parts_as_json(parts) + ",\"at_unix_ms\":" + std::to_string(unix_ms) +
                    (scope.critical ? ",\"critical\":true}" : "}");
    kept.purpose = scope.purpose;
    all.push_back(std::move(kept));
  }
  return all;
}

void Scopes::kept(std::uint64_t version, std::int64_t now_ms) noexcept {
  kept_ms_ = now_ms;
  for (auto& [number, scope] : open_) scope.kept = scope.kept || std::exchange(scope.to_keep, false);
  changed_ms_ = version == version_ ? -1 : now_ms;
}

}  // namespace yukha::detail

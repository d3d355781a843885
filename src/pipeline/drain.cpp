#include "pipeline/drain.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/lines.hpp"

namespace yukha::pipeline {
namespace {

constexpr std::size_t ring_page_bytes = 4096;
constexpr std::int64_t ledger_every_ms = 3'600'000;  // design: at most hourly

}  // namespace

Drain::Found Drain::step(const Step& step, bool denies) {
  const hold::Ring& ring = around_.lane.ring();
  const bool is_mine = ring.is_mine();
  if (!is_mine && around_.lane.queue_is_at_its_place()) return Found::taken;
  if (is_mine && ring.used() == 0) {
    seen_ms_ = -1;
    if (step.now_ms >= look_ms_) look_ms_ = -1;
    return Found::nothing_wrong;
  }
  // Of what came since the last drain nobody knows when; the earliest is assumed.
  if (seen_ms_ < 0) seen_ms_ = look_ms_ < 0 ? step.now_ms : look_ms_ - around_.settings.sync_interval_ms;
  if (!is_due(step, is_mine, denies)) return Found::nothing_wrong;
  if (around_.lane.is_gone()) return Found::gone;
  take_over(step);
  return Found::nothing_wrong;
}

bool Drain::is_due(const Step& step, bool is_mine, bool denies) const {
  const hold::Ring& ring = around_.lane.ring();
  const bool due = !is_mine || step.orders.close || denies || flush_.wants_sealing() ||
                   step.now_ms - seen_ms_ >= around_.settings.sync_interval_ms || ring.used() * 2 >= ring.capacity();
  return due && (step.now_ms >= faults_.in_again_ms() || step.orders.close);
}

void Drain::take_over(const Step& step) {
  hold::Ring& ring = around_.lane.ring();
  hold::Queue& queue = around_.lane.queue();
  const std::uint64_t head = ring.head();
  // close() has no time to compress.
  const hold::Queue::Sealer seal = step.orders.close ? hold::Queue::Sealer() : seal_lines;
  // As much again is likely to come before the next drain; its pages are made ready here, not in the app's thread.
  if (!step.orders.close) ring.warm(2 * static_cast<std::size_t>(head - ring.tail()) + ring_page_bytes);
  // After the head was read: an end that comes now is behind it.
  std::vector<hold::KeptScope> scopes;
  std::uint64_t scopes_version = 0;
  bool scopes_changed = around_.intake.open_scopes(
      scopes_wanted_ ? detail::Intake::Keep::always : detail::Intake::Keep::if_changed, scopes, scopes_version);
  std::string text;
  while (ring.tail() < head) {
    std::vector<hold::RingLine> lines;
    ring.read(ring.tail(), head, around_.settings.batches.step_bytes / 2, text, lines);
    if (lines.empty()) {
      // Nothing but a hole that a power loss left.
      ring.release(head);
      break;
    }
    hold::Drained drained = hold::Drained::of(ring, std::move(lines), queue.ledger().accepted);
    // As old as the youngest of them: after a fault they may have waited here for long.
    drained.held_ms = step.now_ms - around_.opened_ms;
    const std::int64_t unix_ms = around_.clock.unix_ms();
    drained.own_line = ledger_line_if_due(drained.mark.accepted, unix_ms);
    const std::uint64_t base = around_.intake.run_base();
    const std::uint64_t last_seq = drained.mark.accepted > base ? drained.mark.accepted - base : 0;
    if (scopes_changed) drained.scopes = &scopes;
    if (!queue.take_over(drained, last_seq, unix_ms, seal)) {
      faults_.on_way_in(around_.lane, "taking sentences over", step.now_ms);
      return;
    }
    if (scopes_changed) around_.intake.scopes_kept(scopes_version);
    scopes_changed = false;
    ring.release(drained.mark.position);
    retention_.look_soon();
  }
  seen_ms_ = -1;
  // More is likely to come: it waits for this look, and whoever tracks it need not wake anybody.
  look_ms_ = step.now_ms + around_.settings.sync_interval_ms;
}

std::string Drain::ledger_line_if_due(std::uint64_t accepted, std::int64_t unix_ms) {
  const hold::Queue& queue = around_.lane.queue();
  const std::int64_t since_ms = unix_ms - queue.ledger_sent_unix_ms();
  // Nor is it told where nothing of its kind is to be kept.
  if ((since_ms >= 0 && since_ms < ledger_every_ms) || watch_.is_denied(Purpose::analytics)) return {};
  hold::Ledger ledger = queue.ledger();
  ledger.accepted = accepted;
  return around_.intake.ledger_line(ledger, queue.previous_run());
}

void Drain::keep_scopes(const Step& step) {
  const std::int64_t due = around_.intake.scopes_due_ms();
  if (due == INT64_MAX && !scopes_wanted_) return;
  if ((step.now_ms < due && !step.orders.close && !scopes_wanted_) || step.now_ms < faults_.in_again_ms()) return;
  std::vector<hold::KeptScope> scopes;
  std::uint64_t version = 0;
  const bool all = step.now_ms >= due || scopes_wanted_;
  const auto keep = all ? detail::Intake::Keep::always : detail::Intake::Keep::if_changed;
  if (!around_.intake.open_scopes(keep, scopes, version)) return;
  if (around_.lane.queue().keep_scopes(scopes)) {
    scopes_wanted_ = false;
    around_.intake.scopes_kept(version);
  } else {
    faults_.on_way_in(around_.lane, "keeping what is open", step.now_ms);
  }
}

std::int64_t Drain::due_ms(const Step& step) const {
  std::int64_t at = INT64_MAX;
  if (around_.lane.ring().used() > 0) {
    const bool hurries = step.orders.close || flush_.wants_sealing();
    std::int64_t due = step.now_ms;
    if (!hurries && seen_ms_ >= 0) due = seen_ms_ + around_.settings.sync_interval_ms;
    if (!hurries && seen_ms_ < 0 && look_ms_ >= 0) due = look_ms_;
    at = std::max(due, faults_.in_again_ms());
  } else if (look_ms_ >= 0) {
    at = look_ms_;
  }
  if (const std::int64_t due = around_.intake.scopes_due_ms(); due != INT64_MAX)
    at = std::min(at, std::max(due, faults_.in_again_ms()));
  return at;
}

}  // namespace yukha::pipeline

#include "pipeline/erasure.hpp"

#include <optional>
#include <utility>
#include <vector>

#include "pipeline/lines.hpp"

namespace yukha::pipeline {

Erasure::Erasure(Surroundings& around, Faults& faults, const Watch& watch, InFlight& in_flight)
    : around_(around), faults_(faults), watch_(watch), in_flight_(in_flight), deny_head_(around.lane.ring().head()) {}

void Erasure::deny() noexcept {
  hold::Ring& ring = around_.lane.ring();
  // Where nothing is to be done for it, the lane knows at once.
  const std::optional<hold::Consents> obeyed = ring.consents();
  const hold::Consents& said = around_.directory.state().consents;
  if (!obeyed || !said.take_back_of(*obeyed)) ring.note_consents(said);
  deny_wanted_ = true;
  deny_head_ = ring.head();
  // A denial of everything begins an epoch, which other lanes hear of by themselves.
  if (watch_.consents().all != Consent::denied) others_swept_ = false;
}

void Erasure::step(const Step& step, hold::Lane* adopted) {
  // What is in the ring goes the usual way first.
  if (!deny_wanted_ || around_.lane.ring().tail() < deny_head_ || step.now_ms < faults_.in_again_ms()) return;
  if (in_flight_.flight && watch_.is_denied(in_flight_.flight->batch.kind.purpose))
    in_flight_.cancel(around_.transport);
  if (erase_denied(around_.lane) && (adopted == nullptr || erase_denied(*adopted))) {
    deny_wanted_ = false;
  } else {
    faults_.on_way_in(around_.lane, "erasing what is denied", step.now_ms);
  }
}

bool Erasure::erase_denied(hold::Lane& lane) {
  hold::Queue& queue = lane.queue();
  std::vector<std::int64_t> refused;
  std::int64_t number = 0;
  hold::Rejected one;
  if (queue.ledger().quarantined > 0) {
    while (queue.next_quarantined(number, number, one)) {
      if (watch_.is_denied(purpose_of(one.line))) refused.push_back(number);
    }
  }
  const bool is_mine = &lane == &around_.lane;
  std::vector<hold::KeptScope> scopes;
  std::uint64_t version = 0;
  if (is_mine) {
    static_cast<void>(around_.intake.open_scopes(detail::Intake::Keep::always, scopes, version));
  } else {
    for (hold::KeptScope& scope : queue.kept_scopes()) {
      if (!watch_.is_denied(scope.purpose)) scopes.push_back(std::move(scope));
    }
  }
  // What was delivered before the consent was taken back still lies in ring and log, until they are used again.
  const hold::Consents& consents = watch_.consents();
  const std::optional<hold::Consents> obeyed = lane.ring().consents();
  const hold::Scrub owed = obeyed && consents.take_back_of(*obeyed) ? hold::Scrub::always : hold::Scrub::if_erased;
  bool erased = false;
  if (!queue.erase_denied(consents, refused, scopes, owed, erased)) return false;
  if (erased && is_mine) around_.intake.scopes_kept(version);
  // After the commit that owes what is to be done for it.
  lane.ring().note_consents(consents);
  // What lies in a damaged database nobody can look at.
  if (consents.asked) lane.remove_set_aside();
  if (!queue.owes_scrub()) return true;
  hold::Ring& ring = lane.ring();
  std::uint64_t from = ring.head();
  for (const std::uint64_t until = ring.free_until(); from < until;) {
    if (is_mine ? !around_.intake.wipe_ring(from) : ring.wipe(from) != 0) return false;
  }
  return ring.sync() == 0 && queue.scrub();
}

Status Erasure::sweep_others() {
  if (!around_.directory.is_open() || around_.lane.is_gone()) return {};
  Status status;
  for (const std::string& name : hold::Lane::list(around_.files, around_.settings.lanes.directory)) {
    if (name == around_.lane.name()) continue;
    hold::Lane other(around_.files, around_.entropy, around_.directory, around_.settings.lanes);
    Status opened = other.open(name, "");
    if (opened && !erase_denied(other)) {
      opened = other.queue().status();
      if (opened) opened = Status(Code::disk_error, "the lane " + name + " could not be erased");
    }
    if (!opened && opened != Code::lane_held && status) status = opened;
  }
  return status;
}

Erasure::Due Erasure::due_for_others(std::int64_t now_ms) {
  if (others_swept_ || now_ms < sweep_again_ms_) return Due::nothing;
  others_swept_ = true;
  const hold::DirectoryState& state = around_.directory.state();
  const hold::Ledger& ledger = around_.lane.queue().ledger();
  if (state.consents.all == Consent::denied && ledger.waiting() + ledger.quarantined > 0) return Due::erase;
  return state.epoch > 1 || state.consents.asked ? Due::sweep : Due::nothing;
}

void Erasure::swept(const Status& status, std::int64_t now_ms) {
  constexpr std::int64_t again_after_fault_ms = 60'000;
  if (status || status == Code::newer_format) return;
  around_.log.write(LogLevel::error, status.message());
  others_swept_ = false;
  sweep_again_ms_ = now_ms + again_after_fault_ms;
}

}  // namespace yukha::pipeline

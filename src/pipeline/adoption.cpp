#include "pipeline/adoption.hpp"

#include <algorithm>
#include <utility>

namespace yukha::pipeline {

bool Adoption::pick(Step& step, hold::Batch& batch) {
  if (step.now_ms < back_off_.until_ms() && !flush_.looks) {
    leave();
    if (!look_from_.empty() || due_ms_ != INT64_MAX) step.send_at_ms = std::min(step.send_at_ms, back_off_.until_ms());
    return false;
  }
  const std::int64_t due_before = step.send_at_ms;
  while (true) {
    if (adopted_ == nullptr && !adopt_one(step)) {
      step.send_at_ms = std::min(due_before, due_ms_);
      return false;
    }
    step.send_at_ms = INT64_MAX;
    const bool picked = turns_.allowed_to_send() && turns_.pick(step, *adopted_, Turns::Lone::may_go, batch);
    const std::int64_t due = std::exchange(step.send_at_ms, due_before);
    const bool waits = turns_.batches_to_send(*adopted_) != 0;
    // A flush is not done then, and need not look on while nothing can be sent.
    if (waits) flush_.looks = false;
    if (picked) return true;
    if (adopted_->queue().free_orphans()) continue;
    if (waits) due_ms_ = turns_.allowed_to_send() ? std::min({due_ms_, due, step.now_ms + look_every_ms}) : step.now_ms;
    adopted_.reset();
  }
}

bool Adoption::adopt_one(const Step& step) {
  if (look_from_.empty() && !may_begin_round(step)) return false;
  for (const std::string& name : hold::Lane::list(around_.files, around_.settings.lanes.directory)) {
    if (name < look_from_) continue;
    look_from_ = name + '\0';
    if (name != around_.lane.name() && try_to_adopt(name, step)) return true;
  }
  look_from_.clear();
  look_ms_ = step.now_ms + look_every_ms;
  flush_.looks = false;
  flush_.others_done = due_ms_ == INT64_MAX;
  return false;
}

bool Adoption::may_begin_round(const Step& step) {
  if (around_.lane.in_memory()) due_ms_ = look_ms_ = INT64_MAX;
  // Somebody else's lanes, perhaps, until the own one is made again.
  if (around_.lane.is_gone()) {
    due_ms_ = INT64_MAX;
    look_ms_ = step.now_ms + look_every_ms;
    flush_.looks = false;
    return false;
  }
  if (step.now_ms < due_ms_ && step.now_ms < look_ms_) return false;
  due_ms_ = INT64_MAX;
  return true;
}

bool Adoption::try_to_adopt(const std::string& name, const Step& step) {
  auto lane = std::make_unique<hold::Lane>(around_.files, around_.entropy, around_.directory, around_.settings.lanes);
  Status opened = lane->open(name, "");
  if (opened) {
    retention_.give_up_the_old(*lane, step.now_ms, step.now_ms);
    if (!erasure_.erase_denied(*lane) || !seal_.all(*lane, step.now_ms)) opened = Code::disk_error;
  }
  // What its holder sends, or only a newer version can read, nobody waits for.
  if (!opened && opened != Code::lane_held && opened != Code::newer_format)
    due_ms_ = std::min(due_ms_, step.now_ms + look_every_ms);
  if (!opened || turns_.batches_to_send(*lane) == 0) return false;
  around_.log.write(LogLevel::info, "delivering what an earlier process left in " + name);
  adopted_ = std::move(lane);
  adopted_ms_ = step.now_ms;
  return true;
}

void Adoption::let_go() {
  if (adopted_ == nullptr || (in_flight_.flight && in_flight_.flight->lane == adopted_.get())) return;
  adopted_.reset();
}

void Adoption::leave() {
  if (adopted_ != nullptr && !in_flight_.flight) look_from_ = adopted_->name();
  let_go();
}

}  // namespace yukha::pipeline

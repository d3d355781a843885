#include "pipeline/seal.hpp"

#include <algorithm>
#include <string>

#include "pipeline/lines.hpp"

namespace yukha::pipeline {
namespace {

constexpr int seals_a_step = 8;  // so that an answer never waits long for its settling

constexpr hold::Kind kinds_by_turn[] = {
    {hold::Priority::critical, Purpose::analytics},       {hold::Priority::critical, Purpose::advertising},
    {hold::Priority::critical, Purpose::personalization}, {hold::Priority::normal, Purpose::analytics},
    {hold::Priority::normal, Purpose::advertising},       {hold::Priority::normal, Purpose::personalization}};

}  // namespace

Seal::Seal(Surroundings& around, Faults& faults, Flush& flush, Turns& turns, const BackOff& back_off,
           const InFlight& in_flight)
    : around_(around), faults_(faults), flush_(flush), turns_(turns), back_off_(back_off), in_flight_(in_flight) {
  for (int i = 0; i < hold::kind_count; ++i) {
    // They waited long enough while nobody ran.
    const bool has_some = around_.lane.queue().has_unsealed(hold::Kind::of(i));
    unsealed_since_ms_[i] = has_some ? around_.opened_ms - around_.settings.upload_interval_ms : -1;
  }
}

void Seal::forget() noexcept {
  std::fill_n(unsealed_since_ms_, hold::kind_count, -1);
}

void Seal::step(Step& step) {
  if (step.now_ms < faults_.in_again_ms()) {
    step.seal_at_ms = faults_.in_again_ms();
    return;
  }
  for_flush(step);
  if (!full_ones(step) || !turns_.allowed_to_send() || in_flight_.flight) return;
  open_ones(step);
}

void Seal::for_flush(const Step& step) {
  if (!flush_.wants_sealing() || around_.lane.ring().tail() < flush_.head || !all(around_.lane, step.now_ms)) return;
  for (const hold::Batch& batch : around_.lane.queue().batches()) {
    // Nobody waits for what only its own purpose keeps here.
    if (turns_.has_its_purpose(batch.kind)) flush_.keys.insert(batch.key);
  }
  flush_.sealed = true;
}

// False when there are more of them than a step has time for, or one could not be sealed.
bool Seal::full_ones(Step& step) {
  hold::Queue& queue = around_.lane.queue();
  int sealed = 0;
  for (const hold::Kind kind : kinds_by_turn) {
    while (queue.has_full(kind)) {
      if (++sealed > seals_a_step) {
        step.seal_at_ms = step.now_ms;
        return false;
      }
      if (!one(around_.lane, kind, hold::Partial::no, step.now_ms)) return false;
    }
    std::int64_t& since_ms = unsealed_since_ms_[kind.index()];
    since_ms = !queue.has_unsealed(kind) ? -1 : since_ms < 0 ? step.now_ms : since_ms;
  }
  return true;
}

void Seal::open_ones(Step& step) {
  hold::Lane& lane = around_.lane;
  // For all kinds before any is sealed: none is to stay open because of another that has the turn before it.
  bool stays_open[hold::priority_count];
  for (int i = 0; i < hold::priority_count; ++i) {
    // A partial batch is sealed only if nothing else can be sent. Held-back batches do not count, nor do those that
    // failed since the last seal: an endpoint may refuse them for ever. While it refuses all, that seals after one more
    // attempt each time: some hundred batches in 5,000 attempts.
    hold::Batch sendable;
    stays_open[i] = turns_.turns_in_vain() < turns_.batches_to_send(lane) &&
                    turns_.pick(step, lane, Turns::Lone::wait, sendable, static_cast<hold::Priority>(i));
  }
  for (const hold::Kind kind : kinds_by_turn) {
    if (stays_open[static_cast<int>(kind.priority)] || !turns_.may_leave(kind) || !lane.queue().has_unsealed(kind))
      continue;
    const std::int64_t due = kind.priority == hold::Priority::critical
                                 ? step.now_ms
                                 : unsealed_since_ms_[kind.index()] + around_.settings.upload_interval_ms;
    const std::int64_t at = std::max(due, back_off_.until_ms());
    if (step.now_ms < at) {
      step.seal_at_ms = std::min(step.seal_at_ms, at);
      continue;
    }
    while (lane.queue().has_unsealed(kind)) {
      if (!one(lane, kind, hold::Partial::yes, step.now_ms)) return;
    }
    turns_.forget_turns_in_vain();
  }
}

bool Seal::one(hold::Lane& lane, hold::Kind kind, hold::Partial partial, std::int64_t now_ms) {
  hold::Unsealed unsealed;
  if (!lane.queue().next_unsealed(kind, partial, unsealed)) {
    faults_.on_way_in(lane, "reading sentences", now_ms);
    return false;
  }
  std::string key;
  std::string body;
  if (!seal_lines(unsealed.lines_text, key, body)) {
    faults_.on_way_in(lane, "compressing a batch", now_ms);
    return false;
  }
  if (!lane.queue().seal(unsealed, key, body)) {
    faults_.on_way_in(lane, "sealing a batch", now_ms);
    return false;
  }
  return true;
}

bool Seal::all(hold::Lane& lane, std::int64_t now_ms) {
  for (const hold::Kind kind : kinds_by_turn) {
    while (turns_.has_its_purpose(kind) && lane.queue().has_unsealed(kind)) {
      if (!one(lane, kind, hold::Partial::yes, now_ms)) return false;
    }
  }
  return true;
}

}  // namespace yukha::pipeline

#include "pipeline/upload.hpp"

#include <algorithm>
#include <utility>

#include "pipeline/lines.hpp"

namespace yukha::pipeline {

void Upload::step(Step& step) {
  if (in_flight_.flight) return;
  if (!turns_.allowed_to_send()) {
    // An adopted lane's owner may come back before anything may be sent.
    adoption_.leave();
    hold::Batch none;
    if (flush_.looks && watch_.is_read() && !watch_.is_of_an_old_epoch()) static_cast<void>(adoption_.pick(step, none));
    return;
  }
  // Each round either begins a request or makes the queue's batches smaller, of which there is an end.
  for (int round = 0; round < 64; ++round) {
    hold::Batch batch;
    hold::Lane* const from = choose(step, batch);
    if (from == nullptr) {
      if (around_.lane.queue().free_orphans()) continue;
      return;
    }
    if (step.now_ms < back_off_.until_ms()) {
      step.send_at_ms = std::min(step.send_at_ms, back_off_.until_ms());
      // Its owner may come back before the endpoint does.
      adoption_.leave();
      return;
    }
    if (step.now_ms < faults_.out_again_ms()) {
      step.send_at_ms = faults_.out_again_ms();
      return;
    }
    if (!fits(step, *from, batch)) continue;
    if (take_off(step, *from, batch)) start(step);
    return;
  }
  step.send_at_ms = step.now_ms;
}

// The own lane's first; a sentence that was refused alone after all others.
hold::Lane* Upload::choose(Step& step, hold::Batch& batch) {
  if (turns_.pick(step, around_.lane, Turns::Lone::wait, batch)) return &around_.lane;
  if (adoption_.pick(step, batch)) return adoption_.adopted();
  if (turns_.pick(step, around_.lane, Turns::Lone::may_go, batch)) return &around_.lane;
  return nullptr;
}

// One that is too large is split, and the next round finds its parts.
bool Upload::fits(Step& step, hold::Lane& lane, const hold::Batch& batch) {
  if (sizes_.fits(batch) || batch.lines == 1 || batch.path.size() >= path_letters_max) return true;
  if (splitter_.split_waiting(lane, batch, Splitter::Why::too_large, step.now_ms)) return false;
  step.send_at_ms = faults_.out_again_ms();
  return step.now_ms >= faults_.out_again_ms();
}

// What leaves is durable before it leaves: its key must not bring other lines after a power loss.
bool Upload::take_off(Step& step, hold::Lane& lane, const hold::Batch& batch) {
  Flight flight;
  flight.lane = &lane;
  flight.batch = batch;
  flight.endpoint = around_.settings.endpoint;
  flight.first_key = keys_.in_use();
  if (!lane.queue().make_durable()) {
    faults_.on_way_out(lane, "syncing a batch", step.now_ms);
    step.send_at_ms = faults_.out_again_ms();
    return false;
  }
  if (!lane.queue().body(batch.id, flight.body)) {
    lane.queue().to_the_back(batch.id);
    faults_.on_way_out(lane, "reading a batch", step.now_ms);
    step.send_at_ms = faults_.out_again_ms();
    return false;
  }
  in_flight_.flight = std::move(flight);
  return true;
}

void Upload::repeat(Step& step) {
  turns_.not_accepted();
  start(step);
}

void Upload::start(Step& step) {
  Flight& flight = *in_flight_.flight;
  if (!turns_.allowed_to_send() || !turns_.may_leave(flight.batch.kind) || step.now_ms < back_off_.failed_until_ms()) {
    // Consent went, or another process was asked to leave the endpoint in peace, while an answer asked for the request
    // once more.
    in_flight_.flight.reset();
    return;
  }
  send::RequestFacts facts;
  facts.idempotency_key = idempotency_key(flight.batch);
  facts.body = flight.body;
  facts.unix_ms = around_.clock.unix_ms();
  // Read again: what the step did since its beginning must not get into the offset.
  flight.sent_ms = around_.clock.monotonic_ms();
  if (const auto true_ms = offset_.true_unix_ms(flight.sent_ms)) facts.offset_ms = *true_ms - facts.unix_ms;
  facts.nonce[0] = around_.dice.next();
  facts.nonce[1] = around_.dice.next();
  HttpRequest request;
  if (!keys_.make_request(flight, facts, request)) {
    // Without a signature it would be refused, and nothing be learnt by it.
    around_.log.write(LogLevel::error, "a batch was not sent: " + faults_.last_error());
    flight.lane->queue().to_the_back(flight.batch.id);
    back_off_.begin(send::usual_backoff, {}, step.now_ms);
    step.send_at_ms = back_off_.failed_until_ms();
    in_flight_.flight.reset();
    return;
  }
  request.connect_timeout = around_.settings.connect_timeout;
  request.stall_timeout = around_.settings.stall_timeout;
  request.total_timeout = around_.settings.total_timeout;
  flight.created_unix_s = (facts.unix_ms + facts.offset_ms.value_or(0)) / 1000;
  ++requests_;
  back_off_.request_began(flight.sent_ms);
  around_.transport.start(request);
}

}  // namespace yukha::pipeline

#include "pipeline/settle.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "pipeline/lines.hpp"
#include "system/uuid.hpp"

namespace yukha::pipeline {
namespace {

using send::Verdict;

constexpr int refusals_are_outage = 12;   // send/CONTRACT.md, "Answers": 400 and 413 in a row
constexpr std::int64_t later_ms = 5'000;  // 409 and 425 without Retry-After

}  // namespace

void Settle::step(Step& step) {
  if (!in_flight_.answer) return;
  const HttpAnswer answer = std::move(*in_flight_.answer);
  in_flight_.answer.reset();
  std::optional<Flight>& flight = in_flight_.flight;
  if (!flight) return;
  // Whatever is thrown on the way, the flight is over: its batch waits and is sent again.
  struct Landing {
    std::optional<Flight>& flight;
    bool done = false;
    ~Landing() {
      if (!done) flight.reset();
    }
  } landing{flight};
  const send::Judgement judgement =
      around_.settings.protocol->judge(answer, flight->batch.lines, flight->created_unix_s, around_.clock.unix_ms());
  if (judgement.server_unix_ms) {
    // Signing may believe any answer, evicting by age only this one.
    upload_.learn_time(*judgement.server_unix_ms, step.now_ms);
    if (judgement.verdict == Verdict::delivered) retention_.learn(*judgement.server_unix_ms, step.now_ms);
  }
  // Before it is applied: what it costs decides how long the endpoint is left alone.
  const auto body_bytes = static_cast<std::int64_t>(flight->body.size());
  const bool known = answer.status == 0 && answer.body_bytes_sent >= 0;
  sizes_.sent(known ? std::min(answer.body_bytes_sent, body_bytes) : body_bytes);
  apply(step, judgement);
  landing.done = true;
  sizes_.keep();
  // Only an answer says something about a batch; without a network one is as good as another.
  if (!flight && answer.status != 0) turns_.count_turn();
}

void Settle::apply(Step& step, const send::Judgement& judgement) {
  if (judgement.verdict != Verdict::delivered) {
    faults_.tell(judgement.words);
    around_.log.write(LogLevel::warning, "a batch was not delivered: " + judgement.words);
  }
  if (asks_for_it_once_more(judgement, step.now_ms)) {
    upload_.repeat(step);
    return;
  }
  const bool accepted = apply_to_batch(judgement, step.now_ms);
  turns_.answered(accepted, in_flight_.flight->batch.kind.priority);
  if (judgement.verdict != Verdict::not_allowed && judgement.verdict != Verdict::wrong_clock &&
      judgement.verdict != Verdict::unknown_key) {
    not_allowed_in_row_ = 0;
  }
  in_flight_.flight.reset();
}

// The same request with another time, another key, or at another path.
bool Settle::asks_for_it_once_more(const send::Judgement& judgement, std::int64_t now_ms) {
  Flight& flight = *in_flight_.flight;
  switch (judgement.verdict) {
    case Verdict::wrong_clock:
      return upload_.true_unix_ms(now_ms) && !std::exchange(flight.clock_corrected, true);
    case Verdict::unknown_key:
      return keys_.try_another(flight);
    case Verdict::moved: {
      send::Endpoint to;
      if (flight.redirected || !send::same_origin_redirect(flight.endpoint, judgement.location, to)) return false;
      flight.redirected = true;
      flight.endpoint = to;
      return true;
    }
    default:
      return false;
  }
}

bool Settle::apply_to_batch(const send::Judgement& judgement, std::int64_t now_ms) {
  switch (judgement.verdict) {
    case Verdict::delivered: {
      const bool accepted = deliver(judgement, now_ms);
      obey_policy(judgement);
      return accepted;
    }
    case Verdict::names_lines:
      quarantine_named(judgement, now_ms);
      break;
    case Verdict::too_large:
    case Verdict::unnamed:
      refused(judgement, now_ms);
      break;
    case Verdict::wrong_clock:
    case Verdict::unknown_key:
    case Verdict::not_allowed:
      not_allowed(judgement, now_ms);
      break;
    case Verdict::later:
      comes_later(judgement, now_ms);
      break;
    case Verdict::split:
      was_split(judgement, now_ms);
      break;
    case Verdict::conflict:
      renew_key(now_ms);
      break;
    case Verdict::moved:
    case Verdict::misconfigured:
      put_off(send::long_backoff, judgement, now_ms);
      break;
    case Verdict::outage:
      put_off(send::usual_backoff, judgement, now_ms);
      if (judgement.cut_off) cut_off(now_ms);
      break;
  }
  return false;
}

void Settle::put_off(const send::Backoff& backoff, const send::Judgement& judgement, std::int64_t now_ms) {
  const Flight& flight = *in_flight_.flight;
  flight.lane->queue().to_the_back(flight.batch.id);
  back_off_.begin(backoff, judgement.retry_after_ms, now_ms);
}

bool Settle::deliver(const send::Judgement& judgement, std::int64_t now_ms) {
  hold::Lane& lane = *in_flight_.flight->lane;
  const hold::Batch batch = in_flight_.flight->batch;
  std::vector<hold::Rejected> rejected;
  if (!judgement.rejected.empty()) {
    std::vector<std::string> lines;
    std::vector<char> gone;
    if (!read_lines(in_flight_.flight->body, lines) || !collect_rejected(judgement, lines, rejected, gone)) {
      // It names lines that are not in the batch: not the contract's answer, so not this endpoint's.
      faults_.tell("HTTP 200 that rejects lines which were not sent");
      lane.queue().to_the_back(batch.id);
      back_off_.begin(send::usual_backoff, {}, now_ms);
      return false;
    }
  }
  if (!lane.queue().settle(batch.id, rejected)) {
    // It comes again under the same key, which the endpoint answers as before.
    faults_.on_way_out(lane, "settling a batch", now_ms);
    return true;
  }
  turns_.let_go(batch);
  faults_.forget();
  back_off_.end(now_ms);
  sizes_.accepted(batch.bytes);
  later_in_row_ = 0;
  refusals_ = 0;
  lone_refusals_ = 0;
  if (batch.bisect == hold::Bisect::suspect) splitter_.go_on(lane, batch, now_ms);
  if (lane.queue().batches().empty()) retention_.look_soon();
  return true;
}

void Settle::obey_policy(const send::Judgement& judgement) {
  if (!around_.settings.obeys_policy) return;
  if (judgement.policy) {
    const std::string text = judgement.policy->text();
    around_.log.write(LogLevel::info, "the endpoint asks of its clients: " + text);
    back_off_.keep_to(*judgement.policy);
    static_cast<void>(around_.directory.set_note(send::policy_note, text));
    static_cast<void>(around_.directory.status_of_fault("writing"));
    around_.intake.obey(*judgement.policy);
  } else if (judgement.bad_policy) {
    around_.log.write(LogLevel::warning,
                      "the endpoint asks for something that it may not ask for, which is not obeyed");
  }
}

void Settle::quarantine_named(const send::Judgement& judgement, std::int64_t now_ms) {
  hold::Lane& lane = *in_flight_.flight->lane;
  const hold::Batch& batch = in_flight_.flight->batch;
  std::vector<std::string> lines;
  std::vector<hold::Rejected> rejected;
  std::vector<char> gone;
  if (!read_lines(in_flight_.flight->body, lines) || !collect_rejected(judgement, lines, rejected, gone) ||
      (rejected.size() < lines.size() && batch.path.size() >= path_letters_max)) {
    put_off(send::usual_backoff, judgement, now_ms);
    return;
  }
  std::vector<std::string> left;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!gone[i]) left.push_back(lines[i]);
  }
  std::vector<hold::NewBatch> parts;
  if (!left.empty()) {
    parts.push_back(part_of(batch, batch.path + "r", left, 0, left.size()));
    parts.back().facts.bisect = batch.bisect;
    parts.back().facts.root_size = batch.root_size;
  }
  if (!lane.queue().replace({batch.id}, parts, rejected)) faults_.on_way_out(lane, "setting sentences aside", now_ms);
}

void Settle::refused(const send::Judgement& judgement, std::int64_t now_ms) {
  hold::Lane& lane = *in_flight_.flight->lane;
  const hold::Batch batch = in_flight_.flight->batch;
  sizes_.refused();
  const bool too_large = judgement.verdict == Verdict::too_large;
  if (++refusals_ >= refusals_are_outage) {
    // So many in a row say more about the endpoint than about sentences. A search goes on from its place, at the pace
    // of an outage; smaller batches are not asked for any more.
    back_off_.begin(send::usual_backoff, judgement.retry_after_ms, now_ms);
    if (too_large) {
      sizes_.forget_refusals();
      lane.queue().to_the_back(batch.id);
      return;
    }
  }
  if (batch.lines == 1) {
    refused_alone(judgement, now_ms);
    return;
  }
  if (batch.path.size() >= path_letters_max) {
    put_off(send::long_backoff, judgement, now_ms);
    return;
  }
  if (too_large) sizes_.refused_as_too_large(batch.bytes);
  const Splitter::Why why = too_large ? Splitter::Why::too_large : Splitter::Why::search;
  if (!splitter_.split(lane, batch, in_flight_.flight->body, why, now_ms))
    put_off(send::usual_backoff, judgement, now_ms);
}

void Settle::refused_alone(const send::Judgement& judgement, std::int64_t now_ms) {
  hold::Lane& lane = *in_flight_.flight->lane;
  const hold::Batch batch = in_flight_.flight->batch;
  if (turns_.last_was_accepted()) {
    std::vector<std::string> lines;
    std::vector<hold::NewBatch> none;
    if (read_lines(in_flight_.flight->body, lines) && lines.size() == 1) {
      const hold::Rejected rejected{id_in(lines[0]), judgement.words + ", refused alone", lines[0], is_own(lines[0])};
      if (!lane.queue().replace({batch.id}, none, {rejected})) {
        faults_.on_way_out(lane, "setting a sentence aside", now_ms);
        return;
      }
      splitter_.join_rest(lane, batch, now_ms);
      return;
    }
  }
  if (batch.bisect != hold::Bisect::suspect && !lane.queue().set_bisect(batch.id, hold::Bisect::suspect)) {
    faults_.on_way_out(lane, "marking a batch", now_ms);
  }
  lane.queue().to_the_back(batch.id);
  splitter_.join_rest(lane, batch, now_ms);
  // Alone it is asked again rarely; directly after an acceptance it gets its chance at once.
  ++lone_refusals_;
  turns_.hold_back(batch, now_ms + send::wait_after(lone_refusals_, around_.dice, send::long_backoff), now_ms);
}

void Settle::not_allowed(const send::Judgement& judgement, std::int64_t now_ms) {
  const Flight& flight = *in_flight_.flight;
  if (judgement.verdict == Verdict::unknown_key) keys_.go_back_to_first(flight);
  flight.lane->queue().to_the_back(flight.batch.id);
  // A firewall may dislike one body: another gets its chance before the endpoint is believed.
  if (++not_allowed_in_row_ >= 2 || turns_.batches_to_send(*flight.lane) < 2)
    back_off_.begin(send::long_backoff, judgement.retry_after_ms, now_ms);
}

void Settle::comes_later(const send::Judgement& judgement, std::int64_t now_ms) {
  const Flight& flight = *in_flight_.flight;
  const std::int64_t wait = std::max<std::int64_t>(judgement.retry_after_ms.value_or(later_ms), 1000);
  turns_.hold_back(flight.batch, now_ms + wait, now_ms);
  flight.lane->queue().to_the_back(flight.batch.id);
  // It is about this batch alone, unless every batch hears it.
  if (++later_in_row_ >= 2) back_off_.begin(send::usual_backoff, {}, now_ms);
}

// The endpoint has parts of it that this queue knows nothing of: a copy of the queue sent them.
void Settle::was_split(const send::Judgement& judgement, std::int64_t now_ms) {
  const Flight& flight = *in_flight_.flight;
  if (flight.batch.lines <= 1 || flight.batch.path.size() >= path_letters_max) {
    renew_key(now_ms);
  } else if (!splitter_.split(*flight.lane, flight.batch, flight.body, Splitter::Why::too_large, now_ms)) {
    back_off_.begin(send::usual_backoff, judgement.retry_after_ms, now_ms);
  }
}

// Other lines came under this key: somebody learned it, or copies of one queue were answered differently. Under a key
// of its own the batch is taken: at worst the lake holds lines of it twice, and its view shows them once. The first
// such key is the same for all copies; where that one brought other lines, too, none can be foretold.
void Settle::renew_key(std::int64_t now_ms) {
  hold::Lane& lane = *in_flight_.flight->lane;
  const hold::Batch batch = in_flight_.flight->batch;
  std::vector<hold::NewBatch> renewed(1);
  hold::Batch& facts = renewed[0].facts;
  facts = batch;
  std::string text;
  const bool is_first = read_text(in_flight_.flight->body, text) && (!batch.path.empty() || batch.key == key_of(text));
  facts.key = is_first ? key_of(idempotency_key(batch) + "\n" + text) : system::random_uuid(around_.entropy);
  facts.path.clear();
  facts.bisect = hold::Bisect::none;
  facts.root_size = 0;
  renewed[0].body = in_flight_.flight->body;
  // At once, unless it is no news.
  const bool waits = ++later_in_row_ >= 2 || !is_first;
  if (waits) back_off_.begin(send::usual_backoff, {}, now_ms);
  if (facts.key.empty() || !lane.queue().replace({batch.id}, renewed, {})) {
    faults_.on_way_out(lane, "giving a batch another key", now_ms);
    return;
  }
  if (waits) lane.queue().to_the_back(facts.id);
  if (flush_.keys.count(batch.key) != 0) flush_.keys.insert(facts.key);
  if (batch.bisect == hold::Bisect::suspect) splitter_.join_rest(lane, batch, now_ms);
}

// Something on the way may refuse large bodies without a word. To find out, the smallest goes next, and where all are
// large, half of one. No connection at all says nothing, nor does a body that anything lets through.
void Settle::cut_off(std::int64_t now_ms) {
  const Flight& flight = *in_flight_.flight;
  if (flight.body.size() <= SizeCap::probe_bytes_metered) return;
  const std::size_t small_bytes = sizes_.cut_off(flight.batch.bytes);
  if (small_bytes == 0) return;
  for (const hold::Batch& one : flight.lane->queue().batches()) {
    if (one.bytes <= small_bytes && one.bisect != hold::Bisect::held_back && turns_.may_leave(one.kind)) return;
  }
  const hold::Batch batch = flight.batch;
  if (batch.lines > 1 && batch.path.size() < path_letters_max)
    static_cast<void>(splitter_.split(*flight.lane, batch, flight.body, Splitter::Why::too_large, now_ms));
}

}  // namespace yukha::pipeline

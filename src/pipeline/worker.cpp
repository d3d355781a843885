#include "pipeline/worker.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "send/gzip.hpp"
#include "system/crc32c.hpp"
#include "system/crypto.hpp"
#include "system/utf8.hpp"
#include "system/uuid.hpp"

namespace yukha::pipeline {
namespace {

// Twice the limit: a queue that an earlier configuration filled may hold larger ones, not without end.
constexpr std::size_t body_bytes_max = 2'000'000;
constexpr int seals_a_step = 8;               // so that an answer never waits long for its settling
constexpr std::size_t path_letters_max = 16;  // CONTRACT.md, "The key": levels of a split
constexpr int refusals_are_outage = 12;       // CONTRACT.md, "Answers": 400 and 413 in a row
constexpr int acceptances_raise_cap = 20;     // CONTRACT.md, "Answers"
constexpr std::size_t ring_page_bytes = 4096;
constexpr std::int64_t stored_rest_ms_max = 3'600'000;  // a deadline further off than this means "now"
constexpr std::int64_t hurry_every_ms = 10'000;         // design: a flush ends a back-off at most this often
constexpr std::int64_t disk_retry_after_ms = 1'000;
constexpr std::int64_t adopt_look_every_ms = 60'000;
constexpr std::int64_t repair_again_after_ms = 60'000;
constexpr std::int64_t room_look_every_ms = 60'000;  // for ages and other lanes' sizes
constexpr std::int64_t ledger_every_ms = 3'600'000;  // design: at most hourly
constexpr std::int64_t later_ms = 5'000;             // 409 and 425 without Retry-After
constexpr const char* true_time_note = "true_time";
constexpr int cuts_told = 3;                           // so many say something about a body's size
constexpr int acceptances_raise_cap_after_cuts = 200;  // no more than a few per cent are sent in vain for it
constexpr std::size_t probe_bytes = 16 << 10;          // of a body, once too much was sent in vain
constexpr std::size_t probe_bytes_metered = 4 << 10;
constexpr std::int64_t spent_rest_ms = 2'700'000;
constexpr const char* in_vain_note = "in_vain";
constexpr std::int64_t in_vain_kept_s_max = 7 * 86'400;
constexpr std::string_view own_seq = "\"seq\":\"0000000000\"";

constexpr hold::Kind kinds_by_turn[] = {
    {hold::Priority::critical, Purpose::analytics},       {hold::Priority::critical, Purpose::advertising},
    {hold::Priority::critical, Purpose::personalization}, {hold::Priority::normal, Purpose::analytics},
    {hold::Priority::normal, Purpose::advertising},       {hold::Priority::normal, Purpose::personalization}};

// Derived from the lines, so that copies of a queue that seal the same lines make the same key (RFC 9562, version 8).
std::string key_of(std::string_view lines) {
  const system::Sha256 digest = system::sha256(lines);
  std::string key(system::uuid_text_size, '\0');
  system::write_uuid(digest.data(), 8, key.data());
  return key;
}

bool seal_lines(std::string_view lines, std::string& key, std::string& body) {
  key = key_of(lines);
  body = send::gzip(lines);
  return !body.empty();
}

std::string idempotency_key(const hold::Batch& batch) {
  return batch.path.empty() ? batch.key : batch.key + "." + batch.path;
}

std::string id_in(std::string_view line) {
  constexpr std::string_view before = "{\"id\":\"";
  if (line.substr(0, before.size()) != before) return "";
  return std::string(line.substr(before.size(), system::uuid_text_size));
}

// Whether the library wrote the sentence itself. An unescaped quote cannot stand inside a value, so the device part is
// found where it is, whatever an app's members hold.
bool is_own(std::string_view line) {
  const std::size_t device = line.find("},\"device\":{\"id\":\"");
  if (device == std::string_view::npos) return false;
  const std::size_t seq = line.find("\"seq\":\"", device);
  return seq != std::string_view::npos && line.substr(seq, own_seq.size()) == own_seq;
}

// In the user's part no app may name one.
Purpose purpose_of(std::string_view line) {
  const std::string_view user = line.substr(0, line.find("},\"device\":{"));
  if (user.find("\"purpose\":\"advertising\"") != std::string_view::npos) return Purpose::advertising;
  if (user.find("\"purpose\":\"personalization\"") != std::string_view::npos) return Purpose::personalization;
  return Purpose::analytics;
}

}  // namespace

Worker::Worker(WorkerSettings& settings, hold::Directory& directory, hold::Lane& lane, HttpTransport& transport,
               system::Files& files, system::Clock& clock, system::Dice& dice, WorkerHost& host)
    : settings_(settings),
      directory_(directory),
      lane_(lane),
      transport_(transport),
      files_(files),
      clock_(clock),
      entropy_(dice),
      dice_(dice),
      host_(host),
      deny_head_(lane.ring().head()),
      opened_ms_(clock.monotonic_ms()),
      hurried_ms_(settings.hurried_ms),
      bytes_cap_(settings.batches.bytes_max),
      bytes_cap_before_(settings.batches.bytes_max),
      true_time_(settings.age_max_ms),
      told_consents_(directory.state().consents) {
  for (int i = 0; i < hold::kind_count; ++i) {
    // They waited long enough while nobody ran.
    const bool has_some = lane_.queue().has_unsealed(hold::Kind::of(i));
    unsealed_since_ms_[i] = has_some ? opened_ms_ - settings_.upload_interval_ms : -1;
  }
  restore_in_vain();
  if (settings_.obeys_policy) {
    if (const auto policy = send::Policy::kept(directory_.note(send::policy_note))) keep_to(*policy);
  }
  true_time_.restore(directory_.note(true_time_note), clock_.unix_ms(), opened_ms_);
  note_progress();
}

std::int64_t Worker::step(const Orders& orders) {
  now_ = clock_.monotonic_ms();
  const std::int64_t unix_ms = clock_.unix_ms();
  offset_.watch(unix_ms, now_);
  // A fault that a stage left behind must not stand in the way of the next.
  for (hold::Lane* lane : {&lane_, adopted_.get()}) {
    if (lane == nullptr) continue;
    if (Status status = lane->queue().status(); !status) host_.log(LogLevel::error, status.message());
  }
  next_seal_ms_ = INT64_MAX;
  next_send_ms_ = INT64_MAX;
  look_at_directory();
  if (orders.flush != flush_) begin_flush(orders.flush);
  take_over_if_due(orders);
  if (!lane_.queue().is_open()) return 0;
  erase_denied_if_due();
  keep_scopes_if_due(orders);
  settle_answer();
  make_room();
  if (share_owed_at_ms_ >= 0 && now_ >= share_owed_at_ms_) share_rest();
  if (!orders.close) {
    seal_if_due();
    send_next();
  }
  if (repair_wanted_ && now_ >= repair_again_ms_) repair();
  const std::optional<std::int64_t> true_ms = offset_.true_unix_ms(now_);
  host_.clock_offset(true_ms ? std::optional<std::int64_t>(*true_ms - unix_ms) : std::nullopt, unix_ms, now_);
  note_progress();
  return next_wake(orders);
}

void Worker::note_progress() {
  progress_.ledger = lane_.queue().ledger();
  progress_.in_flight = flight_.has_value();
  progress_.not_before_ms = rests_until_ms();
  progress_.policy_until_ms = policy_until_ms_;
  progress_.drained = lane_.ring().used() == 0;
  progress_.looks = look_ms_ >= 0;
  progress_.disk_waits = now_ < disk_retry_ms_;
  progress_.denies = deny_wanted_;
  progress_.denies_badly = deny_wanted_ && now_ < disk_retry_ms_;
  if (flush_ != 0 && flush_sealed_) {
    const auto& batches = lane_.queue().batches();
    const bool gone = std::none_of(batches.begin(), batches.end(),
                                   [this](const hold::Batch& batch) { return flush_keys_.count(batch.key) != 0; });
    // Without consent nothing of another lane may leave, so nobody waits for it.
    const bool others_gone =
        others_flushed_ || lane_.in_memory() || directory_.state().consents.all != Consent::granted;
    if (gone && others_gone) progress_.flushed = flush_;
  }
}

void Worker::take(HttpAnswer&& answer) {
  answer_ = std::move(answer);
}

void Worker::cancel() {
  transport_.cancel();
  flight_.reset();
  answer_.reset();
}

// --- the stages ------------------------------------------------------------------------------------------------------

void Worker::look_at_directory() {
  const hold::DirectoryState& state = directory_.refresh();
  if (now_ >= reopen_directory_ms_) {
    reopen_directory_ms_ = now_ + disk_retry_after_ms;
    // Where the lane is gone, too, it is made again with it.
    if (!lane_.is_gone()) directory_.come_back(false);
  }
  const Status read = directory_.status_of_fault("reading");
  directory_read_ = static_cast<bool>(read);
  if (!directory_read_) {
    // Another process may have been told to stop: nothing is sent until that is known.
    host_.log(LogLevel::warning, read.message());
    next_send_ms_ = now_ + disk_retry_after_ms;
  }
  if (state.consents != told_consents_) {
    host_.consents_changed(told_consents_ = state.consents);
    lanes_due_ms_ = now_;
    deny();
  }
  if (state.consents.all != Consent::denied) erase_owed_at_ms_ = -1;
  if (is_of_an_old_epoch()) {
    cancel();
    if (adopted_ != nullptr) static_cast<void>(adopted_->erase("", false));
    let_go_of_adopted();
    flush_head_ = 0;
    deny_head_ = 0;
    if (Status status = host_.renew_lane(false); !status) host_.log(LogLevel::error, status.message());
    if (is_of_an_old_epoch()) next_send_ms_ = now_ + disk_retry_after_ms;
    others_swept_ = false;
  }
  if (erase_owed_at_ms_ >= 0 && now_ >= erase_owed_at_ms_) static_cast<void>(erase());
  if (erase_owed_at_ms_ >= 0) next_send_ms_ = std::min(next_send_ms_, erase_owed_at_ms_);
  sweep_if_due();
  if (state.rest.failures != known_rest_.failures || state.rest.until_unix_ms != known_rest_.until_unix_ms ||
      state.rest.key != known_rest_.key) {
    // An earlier process, or another one beside this, met the same endpoint.
    known_rest_ = state.rest;
    if (state.rest.key == rest_key()) {
      const std::int64_t left = state.rest.until_unix_ms - clock_.unix_ms();
      const std::int64_t until_ms = left > 0 && left <= stored_rest_ms_max ? now_ + left : now_;
      // After an acceptance nobody waits; but what is written there may be older than what this process was asked for
      // and could not write.
      const bool over = state.rest.failures == 0 && share_owed_at_ms_ < 0;
      progress_.rest_until_ms = over ? until_ms : std::max(progress_.rest_until_ms, until_ms);
      progress_.failures = over ? 0 : std::max(progress_.failures, state.rest.failures);
    }
  }
}

// An erase or a denial that a kill cut short is finished by whoever comes next.
void Worker::sweep_if_due() {
  if (others_swept_ || now_ < sweep_again_ms_) return;
  others_swept_ = true;
  const hold::DirectoryState& state = directory_.state();
  const hold::Ledger& ledger = lane_.queue().ledger();
  Status status;
  if (state.consents.all == Consent::denied && ledger.waiting() + ledger.quarantined > 0) {
    static_cast<void>(erase());
  } else if (state.epoch > 1 || state.consents.asked) {
    status = sweep_others();
  }
  if (status || status == Code::newer_format) return;
  host_.log(LogLevel::error, status.message());
  others_swept_ = false;
  sweep_again_ms_ = now_ + room_look_every_ms;
}

void Worker::take_over_if_due(const Orders& orders) {
  hold::Ring& ring = lane_.ring();
  const bool is_mine = ring.is_mine();
  if (!is_mine && lane_.queue_is_at_its_place()) {
    // Another process has the lane: what is in the ring is its own to take over.
    host_.log(LogLevel::error, "the lane " + lane_.name() + " was taken by another process");
    cancel();
    lane_.queue().close();
    return;
  }
  if (is_mine && ring.used() == 0) {
    ring_seen_ms_ = -1;
    if (now_ >= look_ms_) look_ms_ = -1;
    return;
  }
  // Of what came since the last drain nobody knows more than that.
  if (ring_seen_ms_ < 0) ring_seen_ms_ = look_ms_ < 0 ? now_ : look_ms_ - settings_.sync_interval_ms;
  const bool due = !is_mine || orders.close || deny_wanted_ || (flush_ != 0 && !flush_sealed_) ||
                   now_ - ring_seen_ms_ >= settings_.sync_interval_ms || ring.used() * 2 >= ring.capacity();
  if (!due || (now_ < disk_retry_ms_ && !orders.close)) return;

  if (lane_.is_gone()) {
    cancel();
    let_go_of_adopted();
    if (Status status = host_.make_lane_again(now_ - opened_ms_); !status) progress_.trouble = status.message();
    begin_anew_with_lane();
    return;
  }
  hold::Queue& queue = lane_.queue();
  const std::uint64_t head = ring.head();
  // close() has no time to compress.
  const hold::Queue::Sealer seal = orders.close ? hold::Queue::Sealer() : seal_lines;
  // As much again is likely to come before the next drain; its pages are made ready here, not in the app's thread.
  if (!orders.close) ring.warm(2 * static_cast<std::size_t>(head - ring.tail()) + ring_page_bytes);
  // After the head was read: an end that comes now is behind it.
  std::vector<hold::KeptScope> scopes;
  std::uint64_t scopes_version = 0;
  bool scopes_changed = host_.open_scopes(scopes_wanted_, scopes, scopes_version);
  std::string text;
  while (ring.tail() < head) {
    std::vector<hold::RingLine> lines;
    ring.read(ring.tail(), head, settings_.batches.step_bytes / 2, text, lines);
    if (lines.empty()) {
      // Nothing but a hole that a power loss left.
      ring.release(head);
      break;
    }
    hold::Drained drained = hold::Drained::of(ring, std::move(lines), queue.ledger().accepted);
    // As old as the youngest of them: after a fault they may have waited here for long.
    drained.held_ms = now_ - opened_ms_;
    const std::int64_t unix_ms = clock_.unix_ms();
    const std::int64_t since_ledger = unix_ms - queue.ledger_sent_unix_ms();
    if (since_ledger >= ledger_every_ms || since_ledger < 0) {
      hold::Ledger ledger = queue.ledger();
      ledger.accepted = drained.mark.accepted;
      // Nor is it told where nothing of its kind is to be kept.
      if (!is_denied(Purpose::analytics)) drained.own_line = host_.ledger_line(ledger, queue.previous_run());
    }
    const std::uint64_t base = host_.run_base();
    const std::uint64_t last_seq = drained.mark.accepted > base ? drained.mark.accepted - base : 0;
    if (scopes_changed) drained.scopes = &scopes;
    if (!queue.take_over(drained, last_seq, unix_ms, seal)) {
      disk_trouble(lane_, "taking sentences over");
      return;
    }
    if (scopes_changed) host_.scopes_kept(scopes_version);
    scopes_changed = false;
    ring.release(drained.mark.position);
    room_look_ms_ = INT64_MIN / 2;
  }
  ring_seen_ms_ = -1;
  // More is likely to come: it waits for this look, and whoever tracks it need not wake anybody.
  look_ms_ = now_ + settings_.sync_interval_ms;
}

void Worker::keep_scopes_if_due(const Orders& orders) {
  const std::int64_t due = host_.scopes_due_ms();
  if (due == INT64_MAX && !scopes_wanted_) return;
  if ((now_ < due && !orders.close && !scopes_wanted_) || now_ < disk_retry_ms_) return;
  std::vector<hold::KeptScope> scopes;
  std::uint64_t version = 0;
  if (!host_.open_scopes(now_ >= due || scopes_wanted_, scopes, version)) return;
  if (lane_.queue().keep_scopes(scopes)) {
    scopes_wanted_ = false;
    host_.scopes_kept(version);
  } else {
    disk_trouble(lane_, "keeping what is open");
  }
}

void Worker::deny() noexcept {
  // Where nothing is to be done for it, the lane knows at once.
  const std::optional<hold::Consents> obeyed = lane_.ring().consents();
  const hold::Consents& said = directory_.state().consents;
  if (!obeyed || !said.take_back_of(*obeyed)) lane_.ring().note_consents(said);
  deny_wanted_ = progress_.denies = true;
  progress_.denies_badly = false;
  deny_head_ = lane_.ring().head();
  // A denial of everything begins an epoch, which other lanes hear of by themselves.
  if (told_consents_.all != Consent::denied) others_swept_ = false;
}

bool Worker::is_denied(Purpose purpose) const noexcept {
  return told_consents_.of(purpose) == Consent::denied;
}

void Worker::erase_denied_if_due() {
  // What is in the ring goes the usual way first.
  if (!deny_wanted_ || lane_.ring().tail() < deny_head_ || now_ < disk_retry_ms_) return;
  if (flight_ && is_denied(flight_->batch.kind.purpose)) cancel();
  if (erase_denied(lane_) && (adopted_ == nullptr || erase_denied(*adopted_))) {
    deny_wanted_ = false;
  } else {
    disk_trouble(lane_, "erasing what is denied");
  }
}

bool Worker::erase_denied(hold::Lane& lane) {
  hold::Queue& queue = lane.queue();
  std::vector<std::int64_t> refused;
  std::int64_t number = 0;
  hold::Rejected one;
  if (queue.ledger().quarantined > 0) {
    while (queue.next_quarantined(number, number, one)) {
      if (is_denied(purpose_of(one.line))) refused.push_back(number);
    }
  }
  const bool is_mine = &lane == &lane_;
  std::vector<hold::KeptScope> scopes;
  std::uint64_t version = 0;
  if (is_mine) {
    static_cast<void>(host_.open_scopes(true, scopes, version));
  } else {
    for (hold::KeptScope& scope : queue.kept_scopes()) {
      if (!is_denied(scope.purpose)) scopes.push_back(std::move(scope));
    }
  }
  // What was delivered before the consent was taken back still lies in ring and log, until they are used again.
  const std::optional<hold::Consents> obeyed = lane.ring().consents();
  const bool taken_back = obeyed && told_consents_.take_back_of(*obeyed);
  bool erased = false;
  if (!queue.erase_denied(told_consents_, refused, scopes, taken_back, erased)) return false;
  if (erased && is_mine) host_.scopes_kept(version);
  // After the commit that owes what is to be done for it.
  lane.ring().note_consents(told_consents_);
  // What lies in a damaged database nobody can look at.
  if (told_consents_.asked) lane.remove_set_aside();
  if (!queue.owes_scrub()) return true;
  hold::Ring& ring = lane.ring();
  std::uint64_t from = ring.head();
  for (const std::uint64_t until = ring.free_until(); from < until;) {
    if (is_mine ? !host_.wipe_ring(from) : ring.wipe(from) != 0) return false;
  }
  return ring.sync() == 0 && queue.scrub();
}

std::int64_t Worker::in_flight(const hold::Lane& lane) const noexcept {
  return flight_ && flight_->lane == &lane ? flight_->batch.id : 0;
}

void Worker::give_up_the_old(hold::Lane& lane, std::int64_t opened_ms) {
  const std::optional<std::int64_t> true_ms = true_time_.unix_ms(now_);
  if (!true_ms) return;
  const bool settled = true_time_.is_settled();
  // What is counted by a lesson that may be wrong is written nowhere, and little is given up for it.
  if (!settled && (&lane != &lane_ || !true_time_.may_evict_some(*true_ms))) return;
  hold::Queue& queue = lane.queue();
  const std::uint64_t before = queue.ledger().evicted;
  if ((settled && !queue.learn_true_time(*true_ms, now_ - opened_ms)) ||
      !queue.evict_older_than(*true_ms - settings_.age_max_ms, in_flight(lane), settled ? -1 : 1)) {
    disk_trouble(lane, "evicting by age");
  }
  if (!settled && queue.ledger().evicted != before) {
    true_time_.evicted_some(*true_ms);
    keep_true_time();
  }
}

// What cannot be written is learnt again.
void Worker::keep_true_time() {
  static_cast<void>(directory_.set_note(true_time_note, true_time_.keep(clock_.unix_ms(), clock_.monotonic_ms())));
  static_cast<void>(directory_.status_of_fault("writing"));
}

void Worker::make_room() {
  if (now_ - room_look_ms_ < room_look_every_ms) return;
  room_look_ms_ = now_;
  give_up_the_old(lane_, opened_ms_);
  if (adopted_ != nullptr) give_up_the_old(*adopted_, adopted_ms_);
  if (!lane_.queue().give_back()) disk_trouble(lane_, "making the queue's file shorter");
  if (lane_.in_memory()) return;
  // What the sentences of other lanes take, and what was set aside. Nobody else's files, and nothing that every lane
  // takes even when it is empty.
  std::uint64_t others = 0;
  std::vector<std::string> names;
  std::vector<std::string> set_aside;
  static_cast<void>(files_.list(settings_.lanes.directory, names));
  const auto ends_with = [](const std::string& name, const std::string& ending) {
    return name.size() >= ending.size() && name.compare(name.size() - ending.size(), ending.size(), ending) == 0;
  };
  for (const std::string& name : names) {
    std::uint64_t size = 0;
    static_cast<void>(files_.size(settings_.lanes.directory + "/" + name, size));
    if (ends_with(name, ".damaged") || ends_with(name, ".damaged-wal")) {
      others += size;
      set_aside.push_back(name);
    } else if (name != lane_.name() + ".queue" && ends_with(name, ".queue")) {
      others += size - std::min(size, hold::Queue::database_bytes_empty);
    } else if (name != lane_.name() + ".queue-wal" && ends_with(name, ".queue-wal")) {
      others += size - std::min(size, hold::Queue::log_bytes_kept);
    }
  }
  std::uint64_t used = 0;
  if (!lane_.queue().bytes_used(used)) {
    disk_trouble(lane_, "measuring the queue");
    return;
  }
  used += lane_.ring_file_bytes() + others;
  if (used > settings_.queue_bytes_max && !set_aside.empty()) {
    // Sentences before the remains of a damaged file.
    for (const std::string& name : set_aside) static_cast<void>(files_.remove(settings_.lanes.directory + "/" + name));
    room_look_ms_ = INT64_MIN / 2;
    return;
  }
  if (used > settings_.queue_bytes_max) {
    // A little more than needed, so that not every drain evicts.
    const std::uint64_t too_much = used - settings_.queue_bytes_max + settings_.queue_bytes_max / 64;
    if (lane_.queue().evict_bytes(too_much, in_flight(lane_))) {
      host_.log(LogLevel::warning, "the queue is at its limit; the oldest sentences were given up");
    } else {
      disk_trouble(lane_, "evicting");
    }
  }
}

void Worker::seal_if_due() {
  if (now_ < disk_retry_ms_) {
    next_seal_ms_ = disk_retry_ms_;
    return;
  }
  hold::Queue& queue = lane_.queue();
  if (flush_ != 0 && !flush_sealed_ && lane_.ring().tail() >= flush_head_ && seal_all(lane_)) {
    for (const hold::Batch& batch : queue.batches()) {
      // Nobody waits for what only its own purpose keeps here.
      if (has_its_purpose(batch.kind)) flush_keys_.insert(batch.key);
    }
    flush_sealed_ = true;
  }
  int sealed = 0;
  for (const hold::Kind kind : kinds_by_turn) {
    while (queue.has_full(kind)) {
      if (++sealed > seals_a_step) {
        next_seal_ms_ = now_;
        return;
      }
      if (!seal_one(lane_, kind, false)) return;
    }
    std::int64_t& since_ms = unsealed_since_ms_[kind.index()];
    since_ms = !queue.has_unsealed(kind) ? -1 : since_ms < 0 ? now_ : since_ms;
  }
  if (!allowed_to_send() || flight_) return;
  // For all kinds before any is sealed: none is to stay open because of another that has the turn before it.
  bool stays_open[hold::priority_count];
  for (int i = 0; i < hold::priority_count; ++i) {
    // A batch that is not full is sealed when it could leave at once: the longer it stays open, the better it
    // compresses. Two kinds are no reason to keep it open: one that only waits for a time of its own, or for an
    // acceptance, and those that the endpoint answered in vain since the last seal: it may refuse them for ever. While
    // it refuses all, that seals after one more attempt each time: some hundred batches in 5,000 attempts.
    hold::Batch sendable;
    stays_open[i] =
        turns_in_vain_ < batches_to_send(lane_) && pick(lane_, false, sendable, static_cast<hold::Priority>(i));
  }
  for (const hold::Kind kind : kinds_by_turn) {
    if (stays_open[static_cast<int>(kind.priority)] || !may_leave(kind) || !queue.has_unsealed(kind)) continue;
    const std::int64_t due = kind.priority == hold::Priority::critical
                                 ? now_
                                 : unsealed_since_ms_[kind.index()] + settings_.upload_interval_ms;
    const std::int64_t at = std::max(due, rests_until_ms());
    if (now_ < at) {
      next_seal_ms_ = std::min(next_seal_ms_, at);
      continue;
    }
    while (queue.has_unsealed(kind)) {
      if (!seal_one(lane_, kind, true)) return;
    }
    turns_in_vain_ = 0;
  }
}

void Worker::begin_flush(std::uint64_t flush) {
  flush_ = flush;
  flush_sealed_ = false;
  flush_head_ = lane_.ring().head();
  flush_keys_.clear();
  others_flushed_ = false;
  flush_looks_ = flush != 0;
  if (flush == 0) return;
  // Every lane is looked at again.
  leave_adopted();
  look_from_.clear();
  lanes_due_ms_ = now_;
  hurry();
}

// Ends a back-off early. No host can make a flood of it. It comes between two steps, too, long after the last one.
void Worker::hurry() {
  now_ = clock_.monotonic_ms();
  if (now_ - hurried_ms_ < hurry_every_ms) return;
  hurried_ms_ = now_;
  progress_.rest_until_ms = now_;
}

void Worker::settle_answer() {
  if (!answer_) return;
  const HttpAnswer answer = std::move(*answer_);
  answer_.reset();
  if (!flight_) return;
  // Whatever is thrown on the way, the flight is over: its batch waits and is sent again.
  struct Landing {
    std::optional<Flight>& flight;
    bool done = false;
    ~Landing() {
      if (!done) flight.reset();
    }
  } landing{flight_};
  const send::Judgement judgement =
      send::judge(answer, flight_->batch.lines, flight_->created_unix_s, clock_.unix_ms());
  if (judgement.server_unix_ms) {
    offset_.learn(*judgement.server_unix_ms, flight_->sent_ms, now_);
    // Signing may believe any answer. Evicting by age may not: neither a portal's clock nor one that is set must empty
    // a queue.
    if (judgement.verdict == send::Verdict::delivered) {
      const bool was_known = true_time_.unix_ms(now_).has_value();
      if (true_time_.learn(*judgement.server_unix_ms, now_)) keep_true_time();
      if (!was_known) room_look_ms_ = INT64_MIN / 2;
    }
  }
  // Before it is obeyed: what it costs decides how long the endpoint is left alone.
  const auto body_bytes = static_cast<std::int64_t>(flight_->body.size());
  const bool known = answer.status == 0 && answer.body_bytes_sent >= 0;
  vain_bytes_ += known ? std::min(answer.body_bytes_sent, body_bytes) : body_bytes;
  obey(judgement);
  landing.done = true;
  keep_in_vain();
  // Only an answer says something about a batch; without a network one is as good as another.
  if (!flight_ && answer.status != 0) turns_in_vain_ = last_was_accepted_ ? 0 : turns_in_vain_ + 1;
}

void Worker::send_next() {
  if (flight_) return;
  if (!allowed_to_send()) {
    // Its owner may come back before anything may be sent.
    leave_adopted();
    hold::Batch none;
    if (flush_looks_ && directory_read_ && !is_of_an_old_epoch()) static_cast<void>(pick_from_others(none));
    return;
  }
  // Each round either flies or makes the queue's batches smaller, of which there is an end.
  for (int round = 0; round < 64; ++round) {
    hold::Batch batch;
    hold::Lane* from = nullptr;
    if (pick(lane_, false, batch)) {
      from = &lane_;
    } else if (pick_from_others(batch)) {
      from = adopted_.get();
    } else if (pick(lane_, true, batch)) {
      from = &lane_;
    }
    if (from == nullptr) {
      if (lane_.queue().free_orphans()) continue;
      return;
    }
    if (now_ < rests_until_ms()) {
      next_send_ms_ = std::min(next_send_ms_, rests_until_ms());
      // Its owner may come back before the endpoint does.
      leave_adopted();
      return;
    }
    if (now_ < send_retry_ms_) {
      next_send_ms_ = send_retry_ms_;
      return;
    }
    if (!within_cap(*from, batch)) continue;
    Flight flight;
    flight.lane = from;
    flight.batch = batch;
    flight.endpoint = settings_.endpoint;
    flight.first_key = key_in_use_;
    if (!from->queue().make_durable()) {
      send_trouble(*from, "syncing a batch");
      next_send_ms_ = send_retry_ms_;
      return;
    }
    if (!from->queue().body(batch.id, flight.body)) {
      from->queue().to_the_back(batch.id);
      send_trouble(*from, "reading a batch");
      next_send_ms_ = send_retry_ms_;
      return;
    }
    flight_ = std::move(flight);
    fly();
    return;
  }
  next_send_ms_ = now_;
}

std::int64_t Worker::next_wake(const Orders& orders) const {
  std::int64_t at = std::min(next_seal_ms_, next_send_ms_);
  const std::uint64_t used = lane_.ring().used();
  if (used > 0) {
    const bool hurries = orders.close || (flush_ != 0 && !flush_sealed_);
    std::int64_t due = now_;
    if (!hurries && ring_seen_ms_ >= 0) due = ring_seen_ms_ + settings_.sync_interval_ms;
    if (!hurries && ring_seen_ms_ < 0 && look_ms_ >= 0) due = look_ms_;
    at = std::min(at, std::max(due, disk_retry_ms_));
  } else if (look_ms_ >= 0) {
    at = std::min(at, look_ms_);
  }
  if (const std::int64_t due = host_.scopes_due_ms(); due != INT64_MAX)
    at = std::min(at, std::max(due, disk_retry_ms_));
  // What a fault put off is looked at again, also when nothing else would wake the worker.
  for (const std::int64_t retry : {disk_retry_ms_, send_retry_ms_}) {
    if (retry > now_) at = std::min(at, retry);
  }
  if (at == INT64_MAX) return -1;
  return std::max<std::int64_t>(at - now_, 0);
}

// --- sealing ---------------------------------------------------------------------------------------------------------

bool Worker::seal_one(hold::Lane& lane, hold::Kind kind, bool partial) {
  hold::Unsealed unsealed;
  if (!lane.queue().next_unsealed(kind, partial, unsealed)) {
    disk_trouble(lane, "reading sentences");
    return false;
  }
  std::string key;
  std::string body;
  if (!seal_lines(unsealed.lines_text, key, body)) {
    disk_trouble(lane, "compressing a batch");
    return false;
  }
  if (!lane.queue().seal(unsealed, key, body)) {
    disk_trouble(lane, "sealing a batch");
    return false;
  }
  return true;
}

bool Worker::seal_all(hold::Lane& lane) {
  for (const hold::Kind kind : kinds_by_turn) {
    // What may not leave grows on until it may.
    while (has_its_purpose(kind) && lane.queue().has_unsealed(kind)) {
      if (!seal_one(lane, kind, true)) return false;
    }
  }
  return true;
}

// --- choosing and starting -------------------------------------------------------------------------------------------

void Worker::set_uploads(Uploads usually, Uploads in_flush, bool metered) noexcept {
  metered_ = metered;
  if (usually != uploads_ || in_flush != uploads_in_flush_) lanes_due_ms_ = INT64_MIN;
  uploads_ = usually;
  uploads_in_flush_ = in_flush;
}

bool Worker::has_its_purpose(hold::Kind kind) const noexcept {
  return directory_.state().consents.purposes[static_cast<int>(kind.purpose)] == Consent::granted;
}

bool Worker::may_leave(hold::Kind kind) const noexcept {
  const bool only_critical = flush_ == 0 && uploads_ == Uploads::critical;
  return has_its_purpose(kind) && (!only_critical || kind.priority == hold::Priority::critical);
}

std::size_t Worker::batches_to_send(hold::Lane& lane) const {
  const auto& batches = lane.queue().batches();
  const auto may = [this](const hold::Batch& one) { return may_leave(one.kind); };
  return static_cast<std::size_t>(std::count_if(batches.begin(), batches.end(), may));
}

bool Worker::allowed_to_send() const {
  if ((flush_ != 0 ? uploads_in_flush_ : uploads_) == Uploads::none) return false;
  return settings_.sends && directory_read_ && !is_of_an_old_epoch() &&
         directory_.state().consents.all == Consent::granted;
}

// Another process erased, and this lane could not yet: what is in it goes nowhere any more.
bool Worker::is_of_an_old_epoch() const {
  return lane_.queue().epoch() < directory_.state().epoch;
}

// The next batch of the lane whose turn it is. A sentence that was refused alone waits behind all others, except
// directly after an acceptance: only then a refusal says something about the sentence. A normal batch has the turn
// after a critical one's was in vain: a critical one that is refused for ever blocks none.
bool Worker::pick(hold::Lane& lane, bool lone_too, hold::Batch& batch, hold::Priority least) {
  const hold::Batch* chosen = nullptr;
  const hold::Batch* lone = nullptr;
  const bool small_first = cuts_ >= cuts_told || is_spent();
  for (const hold::Batch& one : lane.queue().batches()) {
    if (one.bisect == hold::Bisect::rest || one.kind.priority < least || !may_leave(one.kind)) continue;
    const bool is_lone = one.bisect == hold::Bisect::suspect && one.lines == 1;
    const std::int64_t until_ms = held_back_until(one);
    if (now_ < until_ms && !(is_lone && last_was_accepted_)) {
      next_send_ms_ = std::min(next_send_ms_, until_ms);
      continue;
    }
    if (is_lone && lone == nullptr) lone = &one;
    const bool better =
        chosen == nullptr ||
        (small_first ? one.bytes < chosen->bytes : critical_in_vain_ && chosen->kind.priority > one.kind.priority);
    if (!is_lone && better) chosen = &one;
  }
  if (lone != nullptr && (last_was_accepted_ || (chosen == nullptr && lone_too))) chosen = lone;
  if (chosen == nullptr) return false;
  batch = *chosen;
  return true;
}

std::int64_t Worker::held_back_until(const hold::Batch& batch) const {
  if (held_back_until_.empty()) return INT64_MIN;
  const auto held = held_back_until_.find(idempotency_key(batch));
  return held == held_back_until_.end() ? INT64_MIN : held->second;
}

void Worker::hold_back(const hold::Batch& batch, std::int64_t until_ms) {
  // Of those that are gone nobody tells.
  for (auto held = held_back_until_.begin(); held != held_back_until_.end();)
    held = held->second <= now_ ? held_back_until_.erase(held) : std::next(held);
  held_back_until_[idempotency_key(batch)] = until_ms;
}

bool Worker::within_cap(hold::Lane& lane, const hold::Batch& batch) {
  const bool is_small = !is_spent() || batch.body_bytes <= (metered_ ? probe_bytes_metered : probe_bytes);
  if ((batch.bytes <= bytes_cap_ && is_small) || batch.lines == 1 || batch.path.size() >= path_letters_max) return true;
  if (split_waiting(lane, batch, false)) return false;
  next_send_ms_ = send_retry_ms_;
  return now_ >= send_retry_ms_;
}

void Worker::fly() {
  if (!allowed_to_send() || !may_leave(flight_->batch.kind) || now_ < progress_.rest_until_ms) {
    // Consent went, or another process was asked to leave the endpoint in peace, while an answer asked for the request
    // once more.
    flight_.reset();
    return;
  }
  Flight& flight = *flight_;
  send::RequestFacts facts;
  facts.idempotency_key = idempotency_key(flight.batch);
  facts.body = flight.body;
  facts.unix_ms = clock_.unix_ms();
  // Read again: what the step did since its beginning must not get into the offset.
  flight.sent_ms = clock_.monotonic_ms();
  if (const auto true_ms = offset_.true_unix_ms(flight.sent_ms)) facts.offset_ms = *true_ms - facts.unix_ms;
  facts.nonce[0] = dice_.next();
  facts.nonce[1] = dice_.next();
  HttpRequest request;
  if (!sign(flight.endpoint, facts, request.headers)) {
    // Without a signature it would be refused, and nothing be learnt by it.
    host_.log(LogLevel::error, "a batch was not sent: " + progress_.trouble);
    flight.lane->queue().to_the_back(flight.batch.id);
    rest(send::usual_backoff, {});
    next_send_ms_ = progress_.rest_until_ms;
    flight_.reset();
    return;
  }
  request.url = flight.endpoint.url;
  request.body = flight.body;
  request.connect_timeout = settings_.connect_timeout;
  request.stall_timeout = settings_.stall_timeout;
  request.total_timeout = settings_.total_timeout;
  flight.created_unix_s = (facts.unix_ms + facts.offset_ms.value_or(0)) / 1000;
  ++progress_.requests;
  policy_rest_ms_ = std::max(policy_rest_ms_, flight.sent_ms + policy_interval_ms_);
  transport_.start(request);
}

// With the key in use. False, with the trouble told, when the app gives none or does not sign; whatever its functions
// throw ends here.
bool Worker::sign(const send::Endpoint& endpoint, const send::RequestFacts& facts, std::vector<HttpHeader>& headers) {
  if (facts.nonce[0] == 0 && facts.nonce[1] == 0) {
    progress_.trouble = Status(Code::no_randomness).message();
    return false;
  }
  if (settings_.keys.empty() && settings_.provide_keys && !ask_for_keys()) {
    progress_.trouble = "the app gave no key to sign with";
    return false;
  }
  const send::Key* key = settings_.keys.empty() ? nullptr : &settings_.keys[key_in_use_];
  bool good = false;
  try {
    good = send::request_headers(endpoint, facts, key, settings_.sign, headers);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    // The app's function threw; that is its way to say no.
  }
  if (!good && key != nullptr) progress_.trouble = "the app did not sign for the key " + key->id;
  return good;
}

// True when the app gave keys that are not the ones at hand.
bool Worker::ask_for_keys() {
  std::vector<send::Key> keys;
  try {
    std::vector<SigningKey> given = settings_.provide_keys();
    const Status status = send::decode_keys(given, settings_.sign != nullptr, keys);
    for (SigningKey& one : given) system::cleanse(one.secret_base64);
    if (!status) {
      host_.log(LogLevel::error, status.message());
      return false;
    }
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    return false;
  }
  const auto same = [](const send::Key& a, const send::Key& b) { return a.id == b.id && a.secret == b.secret; };
  const std::vector<send::Key>& old = settings_.keys;
  if (keys.empty() || std::equal(keys.begin(), keys.end(), old.begin(), old.end(), same)) return false;
  settings_.keys = std::move(keys);
  key_in_use_ = 0;
  return true;
}

void Worker::set_keys(std::vector<send::Key> keys) {
  settings_.keys = std::move(keys);
  key_in_use_ = 0;
  not_allowed_in_row_ = 0;
  if (flight_) {
    flight_->keys_tried = 0;
    flight_->first_key = 0;
  }
  hurry();
}

// What earlier processes left, lane after lane. One that is empty, or of which nothing may leave now, is let go for the
// next. A round through all of them begins when one of them is known to wait for it, else when the worker is awake
// anyway, not more often than once a minute.
bool Worker::pick_from_others(hold::Batch& batch) {
  if (now_ < rests_until_ms() && !flush_looks_) {
    leave_adopted();
    if (!look_from_.empty() || lanes_due_ms_ != INT64_MAX) next_send_ms_ = std::min(next_send_ms_, rests_until_ms());
    return false;
  }
  const std::int64_t due_before = next_send_ms_;
  while (true) {
    if (adopted_ == nullptr && !adopt_a_lane()) {
      next_send_ms_ = std::min(due_before, lanes_due_ms_);
      return false;
    }
    next_send_ms_ = INT64_MAX;
    const bool picked = allowed_to_send() && pick(*adopted_, true, batch);
    const std::int64_t due = next_send_ms_;
    next_send_ms_ = due_before;
    const bool waits = batches_to_send(*adopted_) != 0;
    // A flush is not done then, and need not look on while nothing can be sent.
    if (waits) flush_looks_ = false;
    if (picked) return true;
    if (adopted_->queue().free_orphans()) continue;
    if (waits) {
      lanes_due_ms_ = allowed_to_send() ? std::min({lanes_due_ms_, due, now_ + adopt_look_every_ms}) : now_;
    }
    adopted_.reset();
  }
}

bool Worker::adopt_a_lane() {
  if (look_from_.empty()) {
    if (lane_.in_memory()) lanes_due_ms_ = lanes_look_ms_ = INT64_MAX;
    // Somebody else's lanes, perhaps, until the own one is made again.
    if (lane_.is_gone()) {
      lanes_due_ms_ = INT64_MAX;
      lanes_look_ms_ = now_ + adopt_look_every_ms;
      flush_looks_ = false;
      return false;
    }
    if (now_ < lanes_due_ms_ && now_ < lanes_look_ms_) return false;
    lanes_due_ms_ = INT64_MAX;
  }
  for (const std::string& name : hold::Lane::list(files_, settings_.lanes.directory)) {
    if (name < look_from_) continue;
    look_from_ = name + '\0';
    if (name == lane_.name()) continue;
    auto lane = std::make_unique<hold::Lane>(files_, entropy_, directory_, settings_.lanes);
    Status opened = lane->open(name, "");
    if (opened) {
      give_up_the_old(*lane, now_);
      if (!erase_denied(*lane) || !seal_all(*lane)) opened = Code::disk_error;
    }
    // What its holder sends, or only a newer version can read, nobody waits for.
    if (!opened && opened != Code::lane_held && opened != Code::newer_format) {
      lanes_due_ms_ = std::min(lanes_due_ms_, now_ + adopt_look_every_ms);
    }
    if (!opened || batches_to_send(*lane) == 0) continue;
    host_.log(LogLevel::info, "delivering what an earlier process left in " + name);
    adopted_ = std::move(lane);
    adopted_ms_ = now_;
    return true;
  }
  look_from_.clear();
  lanes_look_ms_ = now_ + adopt_look_every_ms;
  flush_looks_ = false;
  others_flushed_ = lanes_due_ms_ == INT64_MAX;
  return false;
}

// --- verdict to deed -------------------------------------------------------------------------------------------------

void Worker::obey(const send::Judgement& judgement) {
  Flight& flight = *flight_;
  bool accepted = false;
  if (judgement.verdict != send::Verdict::delivered) {
    progress_.trouble = judgement.words;
    host_.log(LogLevel::warning, "a batch was not delivered: " + judgement.words);
  }
  hold::Queue& queue = flight.lane->queue();
  switch (judgement.verdict) {
    case send::Verdict::delivered:
      accepted = deliver(judgement);
      if (judgement.policy && settings_.obeys_policy) {
        const std::string text = judgement.policy->text();
        host_.log(LogLevel::info, "the endpoint asks of its clients: " + text);
        keep_to(*judgement.policy);
        static_cast<void>(directory_.set_note(send::policy_note, text));
        static_cast<void>(directory_.status_of_fault("writing"));
        host_.policy_changed(*judgement.policy);
      } else if (judgement.bad_policy && settings_.obeys_policy) {
        host_.log(LogLevel::warning, "the endpoint asks for something that it may not ask for, which is not obeyed");
      }
      break;
    case send::Verdict::names_lines:
      quarantine_named(judgement);
      break;
    case send::Verdict::too_large:
    case send::Verdict::unnamed:
      refused(judgement);
      break;
    case send::Verdict::wrong_clock:
      if (!flight.clock_corrected && offset_.true_unix_ms(now_)) {
        flight.clock_corrected = true;
        fly_again();
        return;
      }
      [[fallthrough]];
    case send::Verdict::unknown_key:
      if (judgement.verdict == send::Verdict::unknown_key && flight.keys_tried < settings_.keys.size()) {
        ++flight.keys_tried;
        key_in_use_ = (key_in_use_ + 1) % settings_.keys.size();
        fly_again();
        return;
      }
      if (judgement.verdict == send::Verdict::unknown_key && settings_.provide_keys && !flight.asked_for_keys) {
        flight.asked_for_keys = true;
        if (ask_for_keys()) {
          flight.keys_tried = 1;
          flight.first_key = 0;
          fly_again();
          return;
        }
      }
      [[fallthrough]];
    case send::Verdict::not_allowed:
      // None of the keys is the right one, so the one that was in use is as good as any.
      if (judgement.verdict == send::Verdict::unknown_key) key_in_use_ = flight.first_key;
      queue.to_the_back(flight.batch.id);
      // A firewall may dislike one body: another gets its chance before the endpoint is believed.
      if (++not_allowed_in_row_ >= 2 || batches_to_send(*flight.lane) < 2)
        rest(send::long_backoff, judgement.retry_after_ms);
      break;
    case send::Verdict::later: {
      const std::int64_t wait = std::max<std::int64_t>(judgement.retry_after_ms.value_or(later_ms), 1000);
      hold_back(flight.batch, now_ + wait);
      queue.to_the_back(flight.batch.id);
      // It is about this batch alone, unless every batch hears it.
      if (++later_in_row_ >= 2) rest(send::usual_backoff, {});
      break;
    }
    case send::Verdict::split:
      // The endpoint has parts of it that this queue knows nothing of: a copy of the queue sent them.
      if (flight.batch.lines > 1 && flight.batch.path.size() < path_letters_max) {
        if (!split(*flight.lane, flight.batch, flight.body, false)) rest(send::usual_backoff, judgement.retry_after_ms);
        break;
      }
      [[fallthrough]];
    case send::Verdict::conflict:
      renew_key();
      break;
    case send::Verdict::moved: {
      send::Endpoint to;
      if (!flight.redirected && send::same_origin_redirect(flight.endpoint, judgement.location, to)) {
        flight.redirected = true;
        flight.endpoint = to;
        fly_again();
        return;
      }
      queue.to_the_back(flight.batch.id);
      rest(send::long_backoff, judgement.retry_after_ms);
      break;
    }
    case send::Verdict::outage:
      queue.to_the_back(flight.batch.id);
      rest(send::usual_backoff, judgement.retry_after_ms);
      if (judgement.cut_off) cut_off();
      break;
    case send::Verdict::misconfigured:
      queue.to_the_back(flight.batch.id);
      rest(send::long_backoff, judgement.retry_after_ms);
      break;
  }
  last_was_accepted_ = accepted;
  critical_in_vain_ = !accepted && flight.batch.kind.priority == hold::Priority::critical;
  if (judgement.verdict != send::Verdict::not_allowed && judgement.verdict != send::Verdict::wrong_clock &&
      judgement.verdict != send::Verdict::unknown_key) {
    not_allowed_in_row_ = 0;
  }
  flight_.reset();
}

// At once, because of what the last answer told: which was no acceptance.
void Worker::fly_again() {
  last_was_accepted_ = false;
  fly();
}

bool Worker::deliver(const send::Judgement& judgement) {
  hold::Lane& lane = *flight_->lane;
  const hold::Batch batch = flight_->batch;
  std::vector<hold::Rejected> rejected;
  if (!judgement.rejected.empty()) {
    std::vector<std::string> lines;
    std::vector<char> gone;
    if (!read_lines(flight_->body, lines) || !collect_rejected(judgement, lines, rejected, gone)) {
      // It names lines that are not in the batch: not the contract's answer, so not this endpoint's.
      progress_.trouble = "HTTP 200 that rejects lines which were not sent";
      lane.queue().to_the_back(batch.id);
      rest(send::usual_backoff, {});
      return false;
    }
  }
  if (!lane.queue().settle(batch.id, rejected)) {
    // It comes again under the same key, which the endpoint answers as before.
    send_trouble(lane, "settling a batch");
    return true;
  }
  if (!held_back_until_.empty()) held_back_until_.erase(idempotency_key(batch));
  forget_rest();
  passed(batch.bytes);
  later_in_row_ = 0;
  refusals_ = 0;
  lone_refusals_ = 0;
  bytes_cap_before_ = bytes_cap_;
  if (bytes_cap_ < settings_.batches.bytes_max && ++acceptances_ >= acceptances_raise_cap) {
    acceptances_ = 0;
    bytes_cap_ = bytes_cap_before_ = std::min(bytes_cap_ * 2, settings_.batches.bytes_max);
  }
  if (batch.bisect == hold::Bisect::suspect) go_on_with_bisect(lane, batch);
  if (lane.queue().batches().empty()) room_look_ms_ = INT64_MIN / 2;
  return true;
}

void Worker::quarantine_named(const send::Judgement& judgement) {
  hold::Lane& lane = *flight_->lane;
  const hold::Batch& batch = flight_->batch;
  std::vector<std::string> lines;
  std::vector<hold::Rejected> rejected;
  std::vector<char> gone;
  if (!read_lines(flight_->body, lines) || !collect_rejected(judgement, lines, rejected, gone) ||
      (rejected.size() < lines.size() && batch.path.size() >= path_letters_max)) {
    lane.queue().to_the_back(batch.id);
    rest(send::usual_backoff, judgement.retry_after_ms);
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
  if (!lane.queue().replace({batch.id}, parts, rejected)) send_trouble(lane, "setting sentences aside");
}

// Other lines came under this key: somebody learned it, or copies of one queue were answered differently. Under a key
// of its own the batch is taken: at worst the lake holds lines of it twice, and its view shows them once. The first
// such key is the same for all copies; where that one brought other lines, too, none can be foretold.
void Worker::renew_key() {
  const hold::Batch batch = flight_->batch;
  hold::Queue& queue = flight_->lane->queue();
  std::vector<hold::NewBatch> renewed(1);
  hold::Batch& facts = renewed[0].facts;
  facts = batch;
  std::string text;
  const bool is_first =
      send::gunzip(flight_->body, body_bytes_max, text) && (!batch.path.empty() || batch.key == key_of(text));
  facts.key = is_first ? key_of(idempotency_key(batch) + "\n" + text) : system::random_uuid(entropy_);
  facts.path.clear();
  facts.bisect = hold::Bisect::none;
  facts.root_size = 0;
  renewed[0].body = flight_->body;
  // At once, unless it is no news.
  const bool waits = ++later_in_row_ >= 2 || !is_first;
  if (waits) rest(send::usual_backoff, {});
  if (facts.key.empty() || !queue.replace({batch.id}, renewed, {})) {
    send_trouble(*flight_->lane, "giving a batch another key");
    return;
  }
  if (waits) queue.to_the_back(facts.id);
  if (flush_keys_.count(batch.key) != 0) flush_keys_.insert(facts.key);
  if (batch.bisect == hold::Bisect::suspect) join_rest(*flight_->lane, batch);
}

// Something on the way may refuse large bodies without a word. Whether it is the size shows when smaller ones pass; to
// find out, the smallest goes next, and where all are large, half of one. No connection at all says nothing, nor does a
// body that anything lets through.
void Worker::cut_off() {
  if (flight_->body.size() <= probe_bytes_metered) return;
  hold::Lane& lane = *flight_->lane;
  const hold::Batch batch = flight_->batch;
  cut_bytes_ = cuts_ == 0 ? batch.bytes : std::min(cut_bytes_, batch.bytes);
  if (++cuts_ % cuts_told != 0) return;
  if (passed_) {
    lower_cap(cut_bytes_ / 2);
    return;
  }
  for (const hold::Batch& one : lane.queue().batches()) {
    if (one.bytes <= cut_bytes_ / 2 && one.bisect != hold::Bisect::rest && may_leave(one.kind)) return;
  }
  if (batch.lines > 1 && batch.path.size() < path_letters_max) {
    static_cast<void>(split(lane, batch, flight_->body, false));
  }
}

void Worker::passed(std::size_t bytes) {
  vain_bytes_ = 0;
  if (cuts_ == 0) return;
  passed_ = bytes < cut_bytes_;
  if (!passed_) {
    cuts_ = 0;
  } else if (cuts_ >= cuts_told) {
    lower_cap(std::max(bytes, cut_bytes_ / 2));
  }
}

void Worker::lower_cap(std::size_t bytes) {
  bytes_cap_ = bytes_cap_before_ = std::max<std::size_t>(std::min(bytes, bytes_cap_), 1);
  acceptances_ = acceptances_raise_cap - acceptances_raise_cap_after_cuts;
  cuts_ = 0;
  passed_ = false;
}

void Worker::keep_to(const send::Policy& policy) {
  const std::int64_t now = clock_.monotonic_ms();
  const std::int64_t unix_ms = clock_.unix_ms();
  policy_until_ms_ = now + policy.left_ms(policy.for_s, unix_ms);
  policy_interval_ms_ = policy.upload_interval_s * 1000;
  // What an answer says follows a request.
  policy_rest_ms_ =
      now + std::max(policy.left_ms(policy.pause_s, unix_ms), policy.left_ms(policy.upload_interval_s, unix_ms));
}

// For apps that live for seconds: the next process goes on with what this one knows.
void Worker::restore_in_vain() {
  long long vain = 0;
  long long cuts = 0;
  long long cut = 0;
  long long cap = 0;
  long long since_s = 0;
  const std::string kept = directory_.note(in_vain_note);
  const std::int64_t now_s = clock_.unix_ms() / 1000;
  const std::size_t blank = kept.find(' ');
  if (blank == std::string::npos ||
      std::sscanf(kept.c_str(), "%lld %lld %lld %lld %lld", &since_s, &vain, &cuts, &cut, &cap) != 5 || vain < 0 ||
      vain > INT32_MAX || cuts < 0 || cuts > 1'000'000 || cut < 0 || cap < 1 || since_s > now_s ||
      since_s < now_s - in_vain_kept_s_max) {
    return;
  }
  vain_bytes_ = vain;
  cuts_ = static_cast<int>(cuts);
  cut_bytes_ = static_cast<std::size_t>(cut);
  bytes_cap_ = bytes_cap_before_ = std::min(static_cast<std::size_t>(cap), bytes_cap_);
  in_vain_kept_ = kept.substr(blank);
}

void Worker::keep_in_vain() {
  char text[100];
  std::snprintf(text, sizeof text, " %lld %d %zu %zu",
                static_cast<long long>(std::min<std::int64_t>(vain_bytes_, INT32_MAX)), cuts_,
                cuts_ == 0 ? 0 : cut_bytes_, bytes_cap_);
  // A healthy endpoint costs no write.
  if (in_vain_kept_ == text || (in_vain_kept_.empty() && vain_bytes_ == 0)) return;
  in_vain_kept_ = text;
  static_cast<void>(directory_.set_note(in_vain_note, std::to_string(clock_.unix_ms() / 1000) + text));
  static_cast<void>(directory_.status_of_fault("writing"));
}

void Worker::refused(const send::Judgement& judgement) {
  hold::Lane& lane = *flight_->lane;
  const hold::Batch batch = flight_->batch;
  acceptances_ = 0;
  const bool too_large = judgement.verdict == send::Verdict::too_large;
  if (++refusals_ >= refusals_are_outage) {
    // So many in a row say more about the endpoint than about sentences. A search goes on from its place, at the pace
    // of an outage; smaller batches are not asked for any more.
    rest(send::usual_backoff, judgement.retry_after_ms);
    if (too_large) {
      bytes_cap_ = bytes_cap_before_;
      lane.queue().to_the_back(batch.id);
      return;
    }
  }
  if (batch.lines == 1) {
    refused_alone(judgement);
    return;
  }
  if (batch.path.size() >= path_letters_max) {
    lane.queue().to_the_back(batch.id);
    rest(send::long_backoff, judgement.retry_after_ms);
    return;
  }
  if (too_large) bytes_cap_ = std::max<std::size_t>(batch.bytes / 2, 1);
  if (!split(lane, batch, flight_->body, !too_large)) {
    lane.queue().to_the_back(batch.id);
    rest(send::usual_backoff, judgement.retry_after_ms);
  }
}

void Worker::refused_alone(const send::Judgement& judgement) {
  hold::Lane& lane = *flight_->lane;
  const hold::Batch batch = flight_->batch;
  if (last_was_accepted_) {
    std::vector<std::string> lines;
    std::vector<hold::NewBatch> none;
    if (read_lines(flight_->body, lines) && lines.size() == 1) {
      const hold::Rejected rejected{id_in(lines[0]), judgement.words + ", refused alone", lines[0], is_own(lines[0])};
      if (!lane.queue().replace({batch.id}, none, {rejected})) {
        send_trouble(lane, "setting a sentence aside");
        return;
      }
      join_rest(lane, batch);
      return;
    }
  }
  if (batch.bisect != hold::Bisect::suspect && !lane.queue().set_bisect(batch.id, hold::Bisect::suspect)) {
    send_trouble(lane, "marking a batch");
  }
  lane.queue().to_the_back(batch.id);
  join_rest(lane, batch);
  // Alone it is asked again rarely; directly after an acceptance it gets its chance at once.
  ++lone_refusals_;
  hold_back(batch, now_ + send::wait_after(lone_refusals_, dice_, send::long_backoff));
}

// What is left of a batch after its suspect stands alone goes as one, under the root's path and `r`.
void Worker::join_rest(hold::Lane& lane, const hold::Batch& member) {
  // 0 before 1 before r at each level is the order of the lines.
  std::multimap<std::string, hold::Batch> rest;  // by path
  for (const hold::Batch& one : lane.queue().batches()) {
    if (one.key == member.key && one.bisect == hold::Bisect::rest && one.root_size == member.root_size &&
        one.path.compare(0, member.root_size, member.path, 0, member.root_size) == 0) {
      rest.emplace(one.path, one);
    }
  }
  if (rest.empty()) return;
  const std::string path = member.path.substr(0, member.root_size) + "r";
  std::vector<std::string> lines;
  std::vector<std::int64_t> ids;
  for (const auto& [its_path, one] : rest) {
    std::string body;
    std::vector<std::string> some;
    if (path.size() > path_letters_max || !lane.queue().body(one.id, body) || !read_lines(body, some)) {
      // It cannot be joined; each part goes by itself.
      lane.queue().set_bisect(one.id, hold::Bisect::none);
      continue;
    }
    ids.push_back(one.id);
    lines.insert(lines.end(), some.begin(), some.end());
  }
  if (ids.empty()) return;
  std::vector<hold::NewBatch> parts;
  parts.push_back(part_of(rest.begin()->second, path, lines, 0, lines.size()));
  if (!lane.queue().replace(ids, parts, {})) send_trouble(lane, "joining a batch");
}

// The left half went through, so what the endpoint refused is in the right one; that is not sent whole.
void Worker::go_on_with_bisect(hold::Lane& lane, const hold::Batch& accepted) {
  if (accepted.path.empty() || accepted.path.back() != '0') {
    join_rest(lane, accepted);
    return;
  }
  const std::string sibling_path = accepted.path.substr(0, accepted.path.size() - 1) + "1";
  for (const hold::Batch& one : lane.queue().batches()) {
    if (one.key != accepted.key || one.path != sibling_path || one.bisect != hold::Bisect::rest) continue;
    const hold::Batch sibling = one;
    if (sibling.lines == 1 || sibling.path.size() >= path_letters_max) {
      if (!lane.queue().set_bisect(sibling.id, hold::Bisect::suspect)) send_trouble(lane, "marking a batch");
    } else {
      static_cast<void>(split_waiting(lane, sibling, true));
    }
    return;
  }
  join_rest(lane, accepted);
}

bool Worker::split_waiting(hold::Lane& lane, const hold::Batch& batch, bool for_bisect) {
  std::string body;
  if (!lane.queue().body(batch.id, body)) {
    send_trouble(lane, "reading a batch");
    return false;
  }
  return split(lane, batch, body, for_bisect);
}

bool Worker::split(hold::Lane& lane, const hold::Batch& batch, const std::string& body, bool for_bisect) {
  std::vector<std::string> lines;
  if (!read_lines(body, lines) || lines.size() < 2) {
    host_.log(LogLevel::error, "a batch cannot be read back and stays whole");
    return false;
  }
  const std::size_t middle = (lines.size() + 1) / 2;
  std::vector<hold::NewBatch> parts;
  parts.push_back(part_of(batch, batch.path + "0", lines, 0, middle));
  parts.push_back(part_of(batch, batch.path + "1", lines, middle, lines.size()));
  if (for_bisect) {
    parts[0].facts.bisect = hold::Bisect::suspect;
    parts[1].facts.bisect = hold::Bisect::rest;
    const bool begins = batch.bisect == hold::Bisect::none;
    for (hold::NewBatch& part : parts) part.facts.root_size = begins ? batch.path.size() : batch.root_size;
  }
  // A suspect that must be smaller begins two searches, each under a path of its own: of two suspects under one path
  // each would join a rest of its own, and both under the same key. What waited for it is freed when nothing else goes.
  for (const hold::NewBatch& part : parts) {
    if (part.body.empty()) return false;
  }
  if (!lane.queue().replace({batch.id}, parts, {})) {
    send_trouble(lane, "splitting a batch");
    return false;
  }
  return true;
}

bool Worker::read_lines(const std::string& body, std::vector<std::string>& lines) const {
  std::string text;
  if (!send::gunzip(body, body_bytes_max, text) || text.empty() || text.back() != '\n') return false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return true;
}

hold::NewBatch Worker::part_of(const hold::Batch& parent, const std::string& path,
                               const std::vector<std::string>& lines, std::size_t first, std::size_t last) const {
  hold::NewBatch part;
  part.facts.key = parent.key;
  part.facts.path = path;
  part.facts.kind = parent.kind;
  part.facts.opening = parent.opening;
  part.facts.held_ms = parent.held_ms;
  std::string text;
  for (std::size_t i = first; i < last; ++i) {
    text += lines[i];
    text += '\n';
    if (is_own(lines[i])) ++part.facts.own_lines;
  }
  part.facts.lines = last - first;
  part.facts.bytes = text.size();
  part.body = send::gzip(text);
  return part;
}

bool Worker::collect_rejected(const send::Judgement& judgement, const std::vector<std::string>& lines,
                              std::vector<hold::Rejected>& rejected, std::vector<char>& gone) const {
  gone.assign(lines.size(), 0);
  for (const send::RejectedLine& one : judgement.rejected) {
    const std::size_t at = one.line - 1;
    // An answer to something else.
    if (at >= lines.size() || (!one.id.empty() && id_in(lines[at]) != one.id)) return false;
    gone[at] = 1;
    rejected.push_back({id_in(lines[at]), one.reason, lines[at], is_own(lines[at])});
  }
  return true;
}

void Worker::rest(const send::Backoff& backoff, std::optional<std::int64_t> retry_after_ms) {
  ++progress_.failures;
  if (is_spent()) retry_after_ms = std::max(retry_after_ms.value_or(0), spent_rest_ms);
  const std::int64_t wait = send::rest_after(progress_.failures, dice_, backoff, retry_after_ms);
  // What another process was asked for meanwhile is not cut short.
  progress_.rest_until_ms = std::max(progress_.rest_until_ms, now_ + wait);
  share_rest();
}

void Worker::forget_rest() {
  progress_.trouble.clear();
  progress_.rest_until_ms = now_;
  if (progress_.failures == 0) return;
  progress_.failures = 0;
  share_rest();
}

// With the other processes, and the next ones. A courtesy to the endpoint, not a promise to the app: a failed write is
// only told and tried again, and what stands there still is nobody's news.
void Worker::share_rest() {
  const std::int64_t left_ms = progress_.rest_until_ms - now_;
  const std::int64_t until_unix_ms = progress_.failures == 0 ? 0 : clock_.unix_ms() + left_ms;
  share_owed_at_ms_ = -1;
  if (!directory_.set_rest({progress_.failures, until_unix_ms, rest_key()})) {
    share_owed_at_ms_ = now_ + disk_retry_after_ms;
    if (Status status = directory_.status_of_fault("writing"); !status) host_.log(LogLevel::warning, status.message());
  }
  known_rest_ = directory_.state().rest;
}

// A rest belongs to an endpoint and the keys it was met with: another one is owed none.
std::uint64_t Worker::rest_key() const {
  std::uint32_t crc = system::crc32c(0, settings_.endpoint.url.data(), settings_.endpoint.url.size());
  for (const send::Key& key : settings_.keys) {
    crc = system::crc32c(crc, key.id.data(), key.id.size());
    const system::Sha256 digest = system::sha256(key.secret);
    crc = system::crc32c(crc, digest.data(), digest.size());
  }
  return crc;
}

void Worker::disk_trouble(hold::Lane& lane, const char* doing) {
  const Status status = lane.queue().status();
  disk_retry_ms_ = now_ + disk_retry_after_ms;
  progress_.trouble = std::string(doing) + ": " + (status ? Status(Code::out_of_memory).message() : status.message());
  host_.log(LogLevel::error, progress_.trouble);
  repair_wanted_ = repair_wanted_ || (&lane == &lane_ && lane.queue().damaged());
}

// Apart from the way in: on a full disk nothing more comes in, for as long as nothing goes out.
void Worker::send_trouble(hold::Lane& lane, const char* doing) {
  const std::int64_t retry_ms = disk_retry_ms_;
  disk_trouble(lane, doing);
  send_retry_ms_ = disk_retry_ms_;
  disk_retry_ms_ = retry_ms;
}

// A page that cannot be read stops every sentence behind it; what can be read goes on without it.
void Worker::repair() {
  cancel();
  const Status status = lane_.repair();
  // Reading everything anew is not for each second of a full disk.
  repair_wanted_ = !status;
  if (!status) repair_again_ms_ = now_ + repair_again_after_ms;
  begin_anew_with_lane();
  if (!status) host_.log(LogLevel::error, status.message());
}

void Worker::begin_anew_with_lane() {
  scopes_wanted_ = true;
  deny();  // what was removed before may be back
  if (const std::string notice = lane_.take_notice(); !notice.empty()) host_.log(LogLevel::error, notice);
}

// --- the quarantine --------------------------------------------------------------------------------------------------

std::vector<Quarantined> Worker::quarantined(std::uint64_t after, std::size_t most) {
  std::vector<Quarantined> all;
  hold::Rejected one;
  auto number = static_cast<std::int64_t>(std::min<std::uint64_t>(after, INT64_MAX));
  while (all.size() < most && lane_.queue().next_quarantined(number, number, one)) {
    system::make_readable(one.reason);
    all.push_back({static_cast<std::uint64_t>(number), std::move(one.reason), std::move(one.line)});
  }
  return all;
}

Status Worker::resend_quarantined(std::uint64_t number) {
  now_ = clock_.monotonic_ms();
  hold::Batch parent;
  std::vector<std::int64_t> numbers;
  std::vector<std::string> lines;
  std::size_t bytes = 0;
  // Not the key that their bytes would give: the endpoint may have answered for them under it.
  const auto send = [&] {
    if (numbers.empty()) return true;
    parent.key.assign(system::uuid_text_size, '\0');
    unsigned char random[16];
    if (!entropy_.fill(random, sizeof random)) return false;
    system::write_uuid(random, 8, parent.key.data());
    parent.held_ms = now_ - opened_ms_;
    hold::NewBatch batch = part_of(parent, "", lines, 0, lines.size());
    if (batch.body.empty() || !lane_.queue().unquarantine(numbers, batch)) {
      disk_trouble(lane_, "taking sentences out of quarantine");
      return false;
    }
    numbers.clear();
    lines.clear();
    bytes = 0;
    return true;
  };
  const std::vector<Quarantined> all = quarantined(number == 0 ? 0 : number - 1, number == 0 ? SIZE_MAX : 1);
  if (number != 0 && (all.empty() || all[0].number != number)) return {Code::bad_argument, "number"};
  bool good = true;
  for (const Quarantined& one : all) {
    const std::size_t more = one.sentence.size() + 1;
    if (lines.size() == settings_.batches.lines_max || bytes + more > settings_.batches.bytes_max ||
        purpose_of(one.sentence) != parent.kind.purpose) {
      good = good && send();
    }
    numbers.push_back(static_cast<std::int64_t>(one.number));
    parent.kind.purpose = purpose_of(one.sentence);
    lines.push_back(one.sentence);
    bytes += more;
  }
  good = good && send();
  note_progress();
  return good ? Status() : Status(Code::disk_error, progress_.trouble);
}

Status Worker::erase_quarantined(std::uint64_t number) {
  now_ = clock_.monotonic_ms();
  std::vector<std::int64_t> numbers;
  for (const Quarantined& one : quarantined(number == 0 ? 0 : number - 1, number == 0 ? SIZE_MAX : 1)) {
    if (number == 0 || one.number == number) numbers.push_back(static_cast<std::int64_t>(one.number));
  }
  if (number != 0 && numbers.empty()) return {Code::bad_argument, "number"};
  const bool good = numbers.empty() || lane_.queue().erase_quarantined(numbers);
  if (!good) disk_trouble(lane_, "erasing what is in quarantine");
  note_progress();
  return good ? Status() : Status(Code::disk_error, progress_.trouble);
}

void Worker::let_go_of_adopted() {
  if (adopted_ == nullptr || (flight_ && flight_->lane == adopted_.get())) return;
  adopted_.reset();
}

// To come back to it first.
void Worker::leave_adopted() {
  if (adopted_ != nullptr && !flight_) look_from_ = adopted_->name();
  let_go_of_adopted();
}

Status Worker::sweep_others() {
  if (!directory_.is_open() || lane_.is_gone()) return {};
  Status status;
  for (const std::string& name : hold::Lane::list(files_, settings_.lanes.directory)) {
    if (name == lane_.name()) continue;
    // Opening a lane of an older epoch removes what is in it. One that is held is erased by its holder, which looks at
    // the epoch before it moves or sends anything.
    hold::Lane other(files_, entropy_, directory_, settings_.lanes);
    Status opened = other.open(name, "");
    if (opened && !erase_denied(other)) {
      opened = other.queue().status();
      if (opened) opened = Status(Code::disk_error, "the lane " + name + " could not be erased");
    }
    if (!opened && opened != Code::lane_held && status) status = opened;
  }
  return status;
}

Status Worker::erase() {
  now_ = clock_.monotonic_ms();
  cancel();
  let_go_of_adopted();
  const std::uint64_t before = lane_.queue().epoch();
  Status status = host_.renew_lane(true);
  if (lane_.queue().epoch() == before) {
    // Nothing happened. What a denial owes is tried again.
    erase_owed_at_ms_ = now_ + disk_retry_after_ms;
  } else {
    erase_owed_at_ms_ = -1;
    held_back_until_.clear();
    flush_head_ = 0;
    deny_head_ = 0;
    flush_keys_.clear();
    std::fill_n(unsealed_since_ms_, hold::kind_count, -1);
    if (Status others = sweep_others(); !others && status) status = others;
  }
  note_progress();
  // What lies on the disk nobody reached.
  return status && lane_.in_memory() ? Status(Code::kept_in_memory) : status;
}

}  // namespace yukha::pipeline

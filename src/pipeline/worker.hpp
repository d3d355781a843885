// Moves sentences from the ring to the endpoint. All of its logic is in step(), which never sleeps.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <yukha/config.hpp>
#include <yukha/http_transport.hpp>
#include <yukha/stats.hpp>
#include <yukha/status.hpp>

#include "hold/directory.hpp"
#include "hold/lane.hpp"
#include "send/endpoint.hpp"
#include "send/retry.hpp"
#include "send/signer.hpp"
#include "send/true_time.hpp"
#include "send/verdict.hpp"
#include "system/clock.hpp"
#include "system/dice.hpp"
#include "system/files.hpp"

namespace yukha::pipeline {

// What the worker asks of the tracker it works for. Called from within step().
class WorkerHost {
 public:
  virtual ~WorkerHost() = default;
  // Begins the lane anew in the directory's present epoch or in the next one, see Lane::erase(), with track() held off
  // for as long as that takes.
  virtual Status renew_lane(bool next_epoch) = 0;
  // See Lane::make_again(), likewise.
  virtual Status make_lane_again(std::int64_t held_ms) = 0;
  // The library's own sentence about the ledger, as a line; empty when it could not be made.
  virtual std::string ledger_line(const hold::Ledger& ledger, const hold::RunMark& previous) = 0;
  // The ordinal before the run's first sentence: what is left of an ordinal after subtracting it is its seq.
  virtual std::uint64_t run_base() = 0;
  // How far the device's clock is off, when that is known, as of these readings of the two clocks.
  virtual void clock_offset(std::optional<std::int64_t> offset_ms, std::int64_t unix_ms, std::int64_t monotonic_ms) = 0;
  // The scopes that are open, kept for the case that the process ends before they do: when that is due again
  // (monotonic, INT64_MAX for never), and what is to be kept. open_scopes() is false when nothing began or ended since,
  // unless `all` asks for their durations, too.
  virtual std::int64_t scopes_due_ms() = 0;
  virtual bool open_scopes(bool all, std::vector<hold::KeptScope>& scopes, std::uint64_t& version) = 0;
  virtual void scopes_kept(std::uint64_t version) = 0;
  virtual void consents_changed(const hold::Consents& consents) = 0;
  virtual void policy_changed(const send::Policy& policy) = 0;
  // See Ring::wipe(), with track() held off.
  virtual bool wipe_ring(std::uint64_t& from) = 0;
  virtual void log(LogLevel level, const std::string& text) = 0;
};

struct WorkerSettings {
  send::Endpoint endpoint;  // checked
  bool sends = false;       // an endpoint is configured
  bool obeys_policy = false;
  std::vector<send::Key> keys;
  SignFunction sign;
  KeyFunction provide_keys;
  std::chrono::milliseconds connect_timeout{0};
  std::chrono::milliseconds stall_timeout{0};
  std::chrono::milliseconds total_timeout{0};
  std::int64_t upload_interval_ms = 0;
  std::int64_t sync_interval_ms = 0;
  std::uint64_t queue_bytes_max = 0;
  std::int64_t age_max_ms = 0;
  std::int64_t hurried_ms = INT64_MIN / 2;  // when an earlier worker last ended a back-off early (monotonic)
  hold::BatchLimits batches;
  hold::LaneSettings lanes;
};

// What the tracker wants done, besides the usual.
struct Orders {
  std::uint64_t flush = 0;  // bring all that is here now to the endpoint; each new flush has a larger number
  bool close = false;       // bring all to disk, begin nothing new
};

// What stats() tells of the worker's side.
struct Progress {
  hold::Ledger ledger;
  std::uint64_t requests = 0;
  std::int64_t failures = 0;
  std::int64_t rest_until_ms = 0;  // monotonic
  std::int64_t not_before_ms = 0;  // the same, or what the endpoint's policy asks for
  std::int64_t policy_until_ms = 0;
  std::string trouble;
  std::uint64_t flushed = 0;  // the flush whose sentences have all left
  bool drained = false;       // the ring is empty and what was in it is synced
  bool looks = false;         // the ring is looked at again soon, without being told
  bool disk_waits = false;    // a disk fault has the worker wait before it tries again
  bool in_flight = false;
  bool denies = false;        // what a denial takes is not all gone yet
  bool denies_badly = false;  // and the disk has it wait
};

// Threads: one at a time; the caller sees to it. Blocks: for the disk, never for the network.
class Worker {
 public:
  // `settings` stay where they are and outlive it: keys that are replaced are replaced for the next worker, too.
  Worker(WorkerSettings& settings, hold::Directory& directory, hold::Lane& lane, HttpTransport& transport,
         system::Files& files, system::Clock& clock, system::Dice& dice, WorkerHost& host);

  // Does what is due and returns in how many milliseconds more will be; negative when only a new sentence or an order
  // can bring work.
  std::int64_t step(const Orders& orders);
  // The transport had an answer.
  void take(HttpAnswer&& answer);
  // Signs with these from now on, and ends a back-off early.
  void set_keys(std::vector<send::Key> keys);
  // What is sent from now on, and during a flush; on a metered network less is sent in vain.
  void set_uploads(Uploads usually, Uploads in_flush, bool metered) noexcept;
  // The network is back, or somebody waits: ends a back-off early, at most once in 10 s.
  void hurry();
  std::int64_t hurried_ms() const noexcept { return hurried_ms_; }
  // The sentences that the endpoint refused, and what becomes of one of them; number 0 means all.
  std::vector<Quarantined> quarantined(std::uint64_t after, std::size_t most);
  Status resend_quarantined(std::uint64_t number);
  Status erase_quarantined(std::uint64_t number);
  // Removes every sentence of every lane of the directory that can be reached.
  Status erase();
  // A consent changed: whatever lacks it by the next step is to go.
  void deny() noexcept;
  // Gives up the running request; its batch keeps waiting.
  void cancel();

  const Progress& progress() const noexcept { return progress_; }

 private:
  struct Flight {
    hold::Lane* lane = nullptr;
    hold::Batch batch;
    std::string body;
    std::int64_t sent_ms = 0;  // monotonic
    std::int64_t created_unix_s = 0;
    send::Endpoint endpoint;
    bool clock_corrected = false;
    bool redirected = false;
    bool asked_for_keys = false;
    std::size_t keys_tried = 1;
    std::size_t first_key = 0;
  };

  // The stages of a step, in their order.
  void look_at_directory();
  void take_over_if_due(const Orders& orders);
  void keep_scopes_if_due(const Orders& orders);
  void sweep_if_due();
  void erase_denied_if_due();
  std::int64_t in_flight(const hold::Lane& lane) const noexcept;
  void give_up_the_old(hold::Lane& lane, std::int64_t opened_ms);
  void keep_true_time();
  void make_room();
  void seal_if_due();
  void settle_answer();
  void send_next();
  std::int64_t next_wake(const Orders& orders) const;

  bool allowed_to_send() const;
  bool is_of_an_old_epoch() const;
  void begin_flush(std::uint64_t flush);
  bool has_its_purpose(hold::Kind kind) const noexcept;
  bool may_leave(hold::Kind kind) const noexcept;
  std::size_t batches_to_send(hold::Lane& lane) const;
  bool pick(hold::Lane& lane, bool lone_too, hold::Batch& batch, hold::Priority least = hold::Priority::normal);
  std::int64_t held_back_until(const hold::Batch& batch) const;
  void hold_back(const hold::Batch& batch, std::int64_t until_ms);
  bool within_cap(hold::Lane& lane, const hold::Batch& batch);
  bool is_spent() const noexcept { return vain_bytes_ >= (metered_ ? vain_bytes_metered : vain_bytes_usual); }
  void fly();
  void fly_again();
  bool sign(const send::Endpoint& endpoint, const send::RequestFacts& facts, std::vector<HttpHeader>& headers);
  bool ask_for_keys();
  bool seal_one(hold::Lane& lane, hold::Kind kind, bool partial);
  bool is_denied(Purpose purpose) const noexcept;
  bool erase_denied(hold::Lane& lane);
  bool seal_all(hold::Lane& lane);
  bool pick_from_others(hold::Batch& batch);
  bool adopt_a_lane();
  void let_go_of_adopted();
  void leave_adopted();
  Status sweep_others();
  void repair();
  void begin_anew_with_lane();
  void obey(const send::Judgement& judgement);
  void note_progress();

  // The deeds.
  bool deliver(const send::Judgement& judgement);
  void quarantine_named(const send::Judgement& judgement);
  void renew_key();
  void cut_off();
  void passed(std::size_t bytes);
  void lower_cap(std::size_t bytes);
  void restore_in_vain();
  void keep_in_vain();
  void keep_to(const send::Policy& policy);
  std::int64_t rests_until_ms() const noexcept {
    return std::max(progress_.rest_until_ms, std::min(policy_rest_ms_, policy_until_ms_));
  }
  void refused(const send::Judgement& judgement);
  void refused_alone(const send::Judgement& judgement);
  void join_rest(hold::Lane& lane, const hold::Batch& member);
  void go_on_with_bisect(hold::Lane& lane, const hold::Batch& accepted);
  void rest(const send::Backoff& backoff, std::optional<std::int64_t> retry_after_ms);
  void forget_rest();
  void share_rest();

  bool split(hold::Lane& lane, const hold::Batch& batch, const std::string& body, bool for_bisect);
  bool split_waiting(hold::Lane& lane, const hold::Batch& batch, bool for_bisect);
  bool read_lines(const std::string& body, std::vector<std::string>& lines) const;
  hold::NewBatch part_of(const hold::Batch& parent, const std::string& path, const std::vector<std::string>& lines,
                         std::size_t first, std::size_t last) const;
  bool collect_rejected(const send::Judgement& judgement, const std::vector<std::string>& lines,
                        std::vector<hold::Rejected>& rejected, std::vector<char>& gone) const;
  void disk_trouble(hold::Lane& lane, const char* doing);
  void send_trouble(hold::Lane& lane, const char* doing);
  std::uint64_t rest_key() const;

  WorkerSettings& settings_;
  hold::Directory& directory_;
  hold::Lane& lane_;
  HttpTransport& transport_;
  system::Files& files_;
  system::Clock& clock_;
  system::Dice& entropy_;
  system::DiceCup dice_;
  WorkerHost& host_;
  std::unique_ptr<hold::Lane> adopted_;

  Progress progress_;
  send::ClockOffset offset_;
  std::optional<Flight> flight_;
  std::optional<HttpAnswer> answer_;
  // By idempotency key, which no other batch ever has: after 409 and 425, and for one that is refused alone.
  std::map<std::string, std::int64_t> held_back_until_;
  std::set<std::string> flush_keys_;  // of the batches a flush waits for
  std::uint64_t flush_ = 0;           // the one under way
  bool flush_sealed_ = false;
  std::uint64_t flush_head_ = 0;  // the ring's head when it was ordered
  std::uint64_t deny_head_ = 0;   // the same of a denial

  std::int64_t now_ = 0;
  std::int64_t next_seal_ms_ = INT64_MAX;
  std::int64_t next_send_ms_ = INT64_MAX;
  std::int64_t opened_ms_ = 0;
  std::int64_t look_ms_ = -1;       // when the ring is looked at without being told; -1: only when told
  std::int64_t ring_seen_ms_ = -1;  // when the ring was first seen holding something
  std::int64_t unsealed_since_ms_[hold::kind_count];  // when the oldest unsealed chunk was taken over; -1: none
  std::int64_t disk_retry_ms_ = 0;                    // nothing is taken over or sealed before this, after a fault
  std::int64_t send_retry_ms_ = 0;                    // nothing is sent before this, after a fault of settling
  std::int64_t hurried_ms_;
  std::int64_t adopted_ms_ = 0;
  std::string look_from_;                   // the lane with which the round through the others goes on; empty: none
  std::int64_t lanes_look_ms_ = INT64_MIN;  // the next round, when the worker is awake anyway
  std::int64_t lanes_due_ms_ = INT64_MIN;   // the same, because something waits for it
  std::int64_t room_look_ms_ = INT64_MIN / 2;
  std::int64_t sweep_again_ms_ = INT64_MIN / 2;  // not before, after a fault
  std::size_t key_in_use_ = 0;
  std::size_t bytes_cap_ = 0;         // of a batch's lines, after 413
  std::size_t bytes_cap_before_ = 0;  // what it was before the present row of refusals
  int acceptances_ = 0;               // in a row since the cap was set
  int cuts_ = 0;  // bodies that left without an answer, since one as large was accepted or the cap was set
  // Of requests that were not accepted, since one was.
  static constexpr std::int64_t vain_bytes_usual = 4 << 20;
  static constexpr std::int64_t vain_bytes_metered = 1 << 20;
  std::int64_t vain_bytes_ = 0;
  std::size_t cut_bytes_ = 0;  // the lines of the smallest of the bodies that were cut
  std::string in_vain_kept_;
  std::int64_t lone_refusals_ = 0;    // of sentences that stood alone, since an acceptance
  send::TrueTime true_time_;          // for ages
  std::int64_t policy_until_ms_ = 0;  // what the endpoint asked for counts until then
  std::int64_t policy_rest_ms_ = 0;   // the next request, as it wishes
  std::int64_t policy_interval_ms_ = 0;
  std::int64_t reopen_directory_ms_ = INT64_MIN / 2;
  bool directory_read_ = true;  // in this step
  bool passed_ = false;         // a smaller body than those that were cut was accepted since the first of them
  bool metered_ = false;
  bool others_swept_ = false;
  bool deny_wanted_ = true;  // an earlier process may have died before it was done
  bool repair_wanted_ = false;
  bool flush_looks_ = false;                      // nothing is known yet of what the flush waits for in other lanes
  bool others_flushed_ = false;                   // a round since the flush began left nothing in them
  bool scopes_wanted_ = false;                    // after a repair, which does not save them
  std::int64_t repair_again_ms_ = INT64_MIN / 2;  // not before
  int refusals_ = 0;                              // 400 and 413 in a row
  bool last_was_accepted_ = false;
  bool critical_in_vain_ = false;  // the last turn
  int not_allowed_in_row_ = 0;
  std::size_t turns_in_vain_ = 0;       // since an acceptance, or since a batch that is not full was sealed
  int later_in_row_ = 0;                // 409 and 425, since an acceptance
  hold::Rest known_rest_;               // as it stands in the directory, as far as this process knows
  std::int64_t share_owed_at_ms_ = -1;  // of a rest that could not be written
  std::int64_t erase_owed_at_ms_ = -1;  // a denial's, that could not begin
  hold::Consents told_consents_;
  Uploads uploads_ = Uploads::all;
  Uploads uploads_in_flush_ = Uploads::all;
};

}  // namespace yukha::pipeline

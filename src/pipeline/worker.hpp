// Moves sentences from the ring to the endpoint: the stages of this folder, in their order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <yukha/config.hpp>
#include <yukha/http_transport.hpp>
#include <yukha/stats.hpp>
#include <yukha/status.hpp>

#include "pipeline/adoption.hpp"
#include "pipeline/back_off.hpp"
#include "pipeline/drain.hpp"
#include "pipeline/erasure.hpp"
#include "pipeline/faults.hpp"
#include "pipeline/flight.hpp"
#include "pipeline/flush.hpp"
#include "pipeline/keys.hpp"
#include "pipeline/quarantine.hpp"
#include "pipeline/retention.hpp"
#include "pipeline/seal.hpp"
#include "pipeline/settings.hpp"
#include "pipeline/settle.hpp"
#include "pipeline/size_cap.hpp"
#include "pipeline/splitter.hpp"
#include "pipeline/stage.hpp"
#include "pipeline/turns.hpp"
#include "pipeline/upload.hpp"
#include "pipeline/watch.hpp"

namespace yukha::pipeline {

// All of its logic is in step(), which never sleeps. Each stage has its own state and knows the stages above it in the
// list of members; what needs two that do not know each other stands here.
// Threads: one at a time; the caller sees to it. Blocks: for the disk, never for the network.
class Worker {
 public:
  // `settings` stay where they are and outlive it: keys that are replaced are replaced for the next worker, too.
  Worker(WorkerSettings& settings, hold::Directory& directory, hold::Lane& lane, HttpTransport& transport,
         system::Files& files, system::Clock& clock, system::Dice& dice, system::Log& log, detail::Intake& intake);

  // Does what is due and returns in how many milliseconds more will be; negative when only a new sentence or an order
  // can bring work.
  std::int64_t step(const Orders& orders);
  // The transport had an answer.
  void take(HttpAnswer&& answer) { in_flight_.answer = std::move(answer); }
  // Signs with these from now on, and ends a back-off early.
  void set_keys(std::vector<send::Key> keys);
  // What is sent from now on, and during a flush; on a metered network less is sent in vain.
  void set_uploads(Uploads usually, Uploads in_flush, bool metered) noexcept;
  // The network is back, or somebody waits: ends a back-off early, at most once in 10 s.
  void hurry();
  std::int64_t hurried_ms() const noexcept { return back_off_.hurried_ms(); }
  // The sentences that the endpoint refused, and what becomes of one of them; number 0 means all.
  std::vector<Quarantined> quarantined(std::uint64_t after, std::size_t most) { return quarantine_.list(after, most); }
  Status resend_quarantined(std::uint64_t number);
  Status erase_quarantined(std::uint64_t number);
  // Removes every sentence of every lane of the directory that can be reached.
  Status erase();
  // A consent changed: whatever lacks it by the next step is to go.
  void deny() noexcept;
  // Gives up the running request; its batch keeps waiting.
  void cancel() { in_flight_.cancel(around_.transport); }

  const Progress& progress() const noexcept { return progress_; }

 private:
  void look_at_directory();
  void begin_lane_of_new_epoch();
  void sweep_if_due();
  void begin_flush();
  void drain();
  void make_lane_again();
  void repair();
  void begin_anew_with_lane();
  std::int64_t next_wake();
  bool is_flushed() const;
  void note_progress();

  Surroundings around_;
  Step step_;  // the present one, or the last
  Progress progress_;

  // Each stage stands below those that it knows.
  InFlight in_flight_;
  Flush flush_;
  Faults faults_;
  Watch watch_;
  SizeCap sizes_;
  BackOff back_off_;
  Retention retention_;
  Turns turns_;
  Keys keys_;
  Splitter splitter_;
  Erasure erasure_;
  Drain drain_;
  Seal seal_;
  Adoption adoption_;
  Upload upload_;
  Settle settle_;
  Quarantine quarantine_;
};

}  // namespace yukha::pipeline

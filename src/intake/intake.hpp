// What stands between an app's thread and the ring: all that a sentence needs to become a line, behind one lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <yukha/status.hpp>

#include "compose/line.hpp"
#include "compose/standing.hpp"
#include "hold/consents.hpp"
#include "hold/directory.hpp"
#include "hold/lane.hpp"
#include "intake/clock_note.hpp"
#include "intake/open_scopes.hpp"
#include "intake/sampling.hpp"
#include "intake/session.hpp"
#include "send/policy.hpp"
#include "system/clock.hpp"
#include "system/dice.hpp"
#include "system/function_ref.hpp"
#include "system/mutex.hpp"

namespace yukha::detail {

// Owns the encoder and what stands in each sentence, the session, the sample, the open scopes, the consents and the
// ring's writing end. `mutex` guards all of it, for the length of a line's copying. A method takes it itself, unless it
// says that the caller holds it: who opens or leaves a lane holds sentences off for as long as that takes. Threads:
// any. Blocks: for that lock, and only wait_for_room() for more.
class Intake {
 public:
  struct Settings {
    std::int64_t session_timeout_ms = 0;
    std::int64_t session_background_timeout_ms = 0;
    std::int64_t sync_interval_ms = 0;
    double sample_rate = 1;
  };

  Intake(const hold::Directory& directory, system::Clock& clock, system::Dice& dice, const Settings& settings) noexcept
      : directory_(directory),
        clock_(clock),
        sync_interval_ms_(settings.sync_interval_ms),
        session_(settings.session_timeout_ms, settings.session_background_timeout_ms),
        sampling_(settings.sample_rate),
        dice_(dice) {}

  mutable system::Mutex mutex;

  // --- a sentence's way; see append.cpp
  struct Offer {
    const Status& problem;                  // what is wrong with it; ok for nothing
    hold::Kind kind;                        // as what it waits
    compose::Sentence sentence;             // its parts and purpose, and when it happened if the app said so
    const std::uint64_t* chance = nullptr;  // the random part of its id, when that is known beforehand
    std::string* seen = nullptr;            // is given the line
  };
  struct Appended {
    enum class Outcome { kept, kept_in_memory, refused, suspended, full, disk_error };
    Outcome outcome = Outcome::refused;
    Code refusal = Code::ok;
    bool wakes_worker = false;
  };
  // Encodes it into the ring. Nothing happens while it is suspended. A refusal is counted; `full` and `disk_error` are
  // none yet: the caller waits, or refuses by give_up().
  Appended append(Offer& offer);
  // ok when it is worth another try by now, because a lane is being opened or the tracker was closed.
  Status give_up(Code code);
  Code refuse_closed() noexcept;
  std::uint64_t refused_closed() const noexcept { return refused_closed_.load(std::memory_order_relaxed); }
  // Until half of the ring is free, it is closed, or then (monotonic).
  void wait_for_room(std::int64_t until_ms);
  bool has_room() const;
  // The worker may have made room.
  void tell_of_room();

  // --- what stands in every sentence
  Status change(system::FunctionRef<Status(compose::Standing&)> change);
  void obey(const hold::Consents& consents);
  void obey(const send::Policy& policy);
  Consent consent(const Purpose* purpose) const;
  // How far the device's clock is off, when that is known, as of these readings of the two clocks.
  void set_clock_offset(std::optional<std::int64_t> offset_ms, std::int64_t unix_ms, std::int64_t monotonic_ms);
  void go_to_background();
  void come_to_foreground();

  // --- scopes. Where nothing is returned it is suspended: a lane must be opened first.
  // Takes `scope` and gives its number when it begins.
  std::optional<Code> begin_scope(OpenScope& scope, std::uint64_t& number);
  // Gone from here before its sentence is kept: what is drained has no open scope any more, so a kill in between cannot
  // have both.
  std::optional<Code> end_scope(std::uint64_t number, OpenScope& scope);
  // Whether it was open; its sentence is not kept, suspended or not.
  Code drop_scope(std::uint64_t number);
  void pause_scope(std::uint64_t number, bool paused);
  void show_scope(std::uint64_t number, double part);
  std::int64_t scope_ms(std::uint64_t number) const;
  // One that is open, 0 for none; none once it is closed.
  std::uint64_t first_scope() const;
  // The worker sleeps with no thought of what began, goes on, or ended without a sentence: it must be woken, once.
  bool scopes_wake_worker();

  // --- for the worker
  // The library's own sentence about the ledger, as a line; empty when it could not be made.
  std::string ledger_line(const hold::Ledger& ledger, const hold::RunMark& previous);
  // The ordinal before the run's first sentence: what is left of an ordinal after subtracting it is its seq. It changes
  // only with the work lock held.
  std::uint64_t run_base() const;
  // When the scopes that are open are to be kept again, for the case that the process ends before they do: monotonic,
  // INT64_MAX for never.
  std::int64_t scopes_due_ms();
  // What is to be kept of them. If nothing began or ended since, only their durations are new.
  enum class Keep { always, if_changed };
  bool open_scopes(Keep keep, std::vector<hold::KeptScope>& scopes, std::uint64_t& version);
  void scopes_kept(std::uint64_t version);
  // What the worker, which is about to sleep, waits for: any line; a ring that is half full; or, after a fault of the
  // disk, a time that lines in a full ring cannot bring forward. False when that is there already.
  enum class Waits { for_any_line, for_half_full, for_time };
  bool fall_asleep(Waits waits);
  // See Ring::wipe(), with track() held off.
  bool wipe_ring(std::uint64_t& from);
  // Begins the lane anew in the directory's present epoch or in the next one, see Lane::erase(), with track() held off
  // for as long as that takes.
  Status renew_lane(hold::Epoch epoch);
  // See Lane::make_again(), likewise.
  Status make_lane_again(std::int64_t held_ms);

  // --- a lane is opened and left; the work lock is held, too
  // Sentences go into this one from now on, once a run has begun in it.
  void write_to(hold::Lane& lane) YUKHA_REQUIRES(mutex) { lane_ = &lane; }
  // What the config gives about the device.
  void set_facts(std::string&& facts) YUKHA_REQUIRES(mutex);
  bool has_chance(std::size_t bytes) YUKHA_REQUIRES(mutex) { return dice_.has(bytes); }
  // The name of the run that is to begin, as its sentences have it.
  std::string name_run() YUKHA_REQUIRES(mutex);
  // What was said or erased in the directory while nobody looked. `policy`: that which is kept there.
  void read_directory(const std::optional<send::Policy>& policy) YUKHA_REQUIRES(mutex);
  void begin_run() YUKHA_REQUIRES(mutex);
  void leave_lane() YUKHA_REQUIRES(mutex);
  void enter_lane() YUKHA_REQUIRES(mutex) { suspended_ = false; }
  // The lane is left, and whoever brings a sentence must open it first. Changes with both locks held: who holds one may
  // rely on it.
  bool is_suspended() const noexcept { return suspended_.load(std::memory_order_relaxed); }
  // What a process left open is told now; of which, with which ordinal, and as which line.
  Scopes& scopes() YUKHA_REQUIRES(mutex) { return scopes_; }
  bool takes(const compose::Sentence& sentence) const YUKHA_REQUIRES(mutex);
  // Empty when it would be too large; ask has_chance() first.
  std::string line_of(compose::Sentence& sentence, std::uint64_t ordinal) YUKHA_REQUIRES(mutex);
  // The scopes that are open, into the lane's database, if the disk has other ones.
  void keep_scopes() YUKHA_REQUIRES(mutex);

  // --- the end
  // Nothing begins any more, and no sentence waits for room; then none is taken either.
  void begin_to_close();
  void close();
  bool is_closing() const;
  bool is_closed() const;
  bool is_closed_now() const YUKHA_REQUIRES(mutex) { return state_ == State::closed; }

 private:
  enum class State { open, closing, closed };
  // When the worker sleeps, what an appended line must wake it for.
  enum class Attention { none, any_line, half_full };
  // Where a line is made that the ring has no room for in one piece.
  struct Desk {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
  };

  std::string encode(compose::Sentence& sentence) YUKHA_REQUIRES(mutex);
  Appended refuse(hold::Refusal why, Code code) YUKHA_REQUIRES(mutex);
  Appended refuse_problem(Code code) YUKHA_REQUIRES(mutex);
  bool is_stopped(const compose::Sentence& sentence) YUKHA_REQUIRES(mutex);
  void keep_session(std::int64_t unix_ms) noexcept YUKHA_REQUIRES(mutex);
  void check_clock(std::int64_t unix_ms) noexcept YUKHA_REQUIRES(mutex);
  char* room_at_desk(std::size_t bound) noexcept YUKHA_REQUIRES(mutex);
  // All of it or nothing, also when memory ends in between.
  void stand(compose::Standing&& next) YUKHA_REQUIRES(mutex);
  void be_in_session(std::uint64_t id, std::uint64_t ordinal) YUKHA_REQUIRES(mutex);
  void keep_to(const hold::Consents& consents) YUKHA_REQUIRES(mutex);
  void keep_to(const send::Policy& policy) YUKHA_REQUIRES(mutex);

  const hold::Directory& directory_;
  system::Clock& clock_;
  const std::int64_t sync_interval_ms_;
  hold::Lane* lane_ YUKHA_GUARDED_BY(mutex) = nullptr;
  std::atomic<bool> suspended_{false};
  State state_ YUKHA_GUARDED_BY(mutex) = State::open;
  compose::LineEncoder encoder_ YUKHA_GUARDED_BY(mutex);
  compose::Standing standing_ YUKHA_GUARDED_BY(mutex);
  Session session_ YUKHA_GUARDED_BY(mutex);
  Sampling sampling_ YUKHA_GUARDED_BY(mutex);
  ClockNote clock_note_ YUKHA_GUARDED_BY(mutex);
  hold::Consents consents_ YUKHA_GUARDED_BY(mutex);
  Scopes scopes_ YUKHA_GUARDED_BY(mutex);
  std::int64_t scopes_due_told_ms_ YUKHA_GUARDED_BY(mutex) = INT64_MAX;  // as the worker knows when they are due
  system::DiceCup dice_ YUKHA_GUARDED_BY(mutex);
  Desk desk_ YUKHA_GUARDED_BY(mutex);
  std::uint64_t run_base_ YUKHA_GUARDED_BY(mutex) = 0;
  std::uint64_t epoch_ YUKHA_GUARDED_BY(mutex) = 0;  // of the directory, as this process last saw it
  Attention attention_ YUKHA_GUARDED_BY(mutex) = Attention::none;
  int waiting_for_room_ YUKHA_GUARDED_BY(mutex) = 0;
  system::Condition room_;  // the worker freed room in the ring
  std::atomic<std::uint64_t> refused_closed_{0};
};

}  // namespace yukha::detail

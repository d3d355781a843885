// The tracker's inside: the intake on the app's threads, the worker on its own, and what they share.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <yukha/config.hpp>
#include <yukha/event.hpp>
#include <yukha/stats.hpp>
#include <yukha/status.hpp>
#include <yukha/tracker.hpp>

#include "compose/line.hpp"
#include "compose/member_rules.hpp"
#include "compose/standing.hpp"
#include "core/driver.hpp"
#include "core/upload_hints.hpp"
#include "core/work_lock.hpp"
#include "hold/directory.hpp"
#include "hold/lane.hpp"
#include "intake/intake.hpp"
#include "pipeline/worker.hpp"
#include "system/clock.hpp"
#include "system/dice.hpp"
#include "system/files.hpp"
#include "system/fork_guard.hpp"
#include "system/function_ref.hpp"
#include "system/log.hpp"
#include "system/mutex.hpp"

namespace yukha::detail {

// What the library stands on. The simulation stands it on something else.
struct Seams {
  system::Clock* clock = &system::system_clock();
  system::Dice* dice = &system::system_dice();
  system::Files* files = &system::system_files();
};

// The tracker: what it was told when it was opened, the objects it is made of, and what needs two of them: a lane is
// opened, left and taken up again under both locks, work_ before Intake::mutex. Each file of this folder that begins
// with core/core.hpp has the methods of one matter. `work_` guards the worker, the directory and what is kept for the
// next worker; see src/README.md for all locks.
class Core final : private Driven {
 public:
  // Never fails: a core that could not open answers every call with the reason.
  static Core* open(const Config& config, const Seams& seams);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  const Status& status() const noexcept { return status_; }
  const std::string& app_id() const noexcept { return options_.app_id; }
  // Null when there are none.
  const MemberRules* rules() const noexcept { return rules_.empty() ? nullptr : &rules_; }
  // This process must not touch it any more, not even to free it: it is a forked child of the one that opened it, or it
  // ended before the core could be closed.
  bool is_lost() const noexcept { return fork_guard_.in_child() || in_process_.abandoned; }

  Event event() noexcept { return Event(this); }
  Status identify(std::string_view user_id, Members members);
  Status reset();
  Status set(Part part, Members members);
  Status unset(Part part, std::string_view name);
  // `chance`: the random part of the sentence's id, when it is known beforehand.
  Status track(const Event& event, Status&& problem, const std::uint64_t* chance = nullptr);
  std::uint64_t begin_scope(Event& event, const Viewability& viewability, Status& problem);
  enum class ScopeEnd { by_the_app, cut_off };
  Status end_scope(std::uint64_t number, Members more, ScopeEnd end = ScopeEnd::by_the_app);
  void cancel_scope(std::uint64_t number);
  void pause_scope(std::uint64_t number, bool paused);
  void show_scope(std::uint64_t number, double part);
  std::int64_t scope_ms(std::uint64_t number);
  // To everything, or to one purpose.
  Status set_consent(Consent consent, const Purpose* purpose = nullptr);
  Consent consent(const Purpose* purpose = nullptr);
  Status set_ad_id(std::string_view id);
  Status erase();
  Status flush(std::chrono::milliseconds deadline);
  Status background(std::chrono::milliseconds budget);
  Status foreground();
  Status set_network(Network network);
  Status set_low_battery(bool low);
  Stats stats();
  std::vector<LogLine> notices();
  std::vector<Quarantined> quarantined(std::uint64_t after, std::size_t most);
  Status resend_quarantined(std::uint64_t number);
  Status erase_quarantined(std::uint64_t number);
  Status set_keys(const std::vector<SigningKey>& from);
  std::chrono::milliseconds work(std::chrono::milliseconds budget);
  Status close(std::chrono::milliseconds deadline);

 private:
  // What the config says that is no other object's.
  struct Options {
    explicit Options(const Config& config)
        : app_id(config.app_id),
          ring_full_wait_ms(config.ring_full_wait.count()),
          initial_consent(config.initial_consent),
          debug(config.debug),
          track_identify(config.track_identify),
          track_lifecycle(config.track_lifecycle),
          suspend_in_background(config.suspend_in_background),
          lane_is_named(!config.lane.empty()) {}
    std::string app_id;
    std::int64_t ring_full_wait_ms;
    Consent initial_consent;
    bool debug;
    bool track_identify;
    bool track_lifecycle;
    bool suspend_in_background;
    bool lane_is_named;
  };
  // What is kept of a lane while it is left.
  struct LeftLane {
    std::string name;
    std::uint64_t requests = 0;         // of its workers
    std::int64_t again_ms = INT64_MIN;  // after a fault it is not tried again before (monotonic)
    Status status;                      // that fault
  };
  // What process_end.cpp knows of it.
  struct InProcess {
    Core* next = nullptr;              // of the process's list
    std::atomic<bool> counted{false};  // as one that a fork must not meet
    std::atomic<bool> running{false};  // the worker and its transport are there
    std::atomic<bool> closed_at_end{false};
    std::atomic<bool> abandoned{false};
    std::thread end;  // closes it while the process ends
  };
  // Whether a run begins in the lane that the one before was in.
  enum class Home { same, another };

  // --- open.cpp
  Core(const Config& config, const Seams& seams);
  void open_lane(const Config& config);
  Status check_process();
  Status collect_facts(const Config& config, std::string& facts);
  Status find_directory();
  Status open_files(const std::string& lane, const std::string& run) YUKHA_REQUIRES(work_, intake_.mutex);
  Status live_in_memory(const Status& reason, const std::string& run) YUKHA_REQUIRES(work_, intake_.mutex);
  Status begin_life(Status opened, const std::string& run, Home home) YUKHA_REQUIRES(work_, intake_.mutex);
  // The transport, the worker and its thread.
  void begin_to_send(const Config& config) YUKHA_REQUIRES(work_);
  void make_worker() YUKHA_REQUIRES(work_);

  // --- suspension.cpp
  void suspend() YUKHA_REQUIRES(work_);
  // Nothing is held any more, until resume().
  void let_go() YUKHA_REQUIRES(work_, intake_.mutex);
  Status resume() override;

  // --- core.cpp
  // Why a call must be refused. check_open() opens a suspended lane first.
  Status check_alive() const;
  Status check_open();
  Status change(system::FunctionRef<Status(compose::Standing&)> change);
  Status hint(system::FunctionRef<void(UploadHints&)> change);
  void apply_hints() YUKHA_REQUIRES(work_);
  Status finish_denial();
  Status at_work(system::FunctionRef<Status(pipeline::Worker&)> call);
  // What a FunctionRef needs is checked no further than where it is called; this says what that is.
  Status at_work_now(system::FunctionRef<Status(pipeline::Worker&)> call) YUKHA_REQUIRES(work_) {
    return call(*worker_);
  }
  Status with_worker(system::FunctionRef<Status(pipeline::Worker&)> call);
  pipeline::Progress progress() const YUKHA_REQUIRES(work_);
  void note_progress() YUKHA_REQUIRES(work_);
  Step step(Mailbox::Letters& letters) override YUKHA_REQUIRES(work_);
  void take(HttpAnswer&& answer) override YUKHA_REQUIRES(work_);
  bool has_worker() const override YUKHA_REQUIRES(work_) { return worker_ != nullptr; }

  // --- track.cpp, track_rarely.cpp
  Status keep(const Event& event, Status&& problem, const std::uint64_t* chance, std::string* seen);
  Status track_and_tell(const Event& event, Status&& problem, const std::uint64_t* chance);
  Status resume_to_keep();
  // After an append that was not done: ok when it is worth another try, otherwise the refusal.
  Status not_appended(Intake::Appended::Outcome outcome, std::int64_t& give_up_ms);
  bool wait_for_room(std::int64_t until_ms);
  static hold::Kind kind_of(const Event& event) noexcept {
    return {event.critical_ ? hold::Priority::critical : hold::Priority::normal, event.purpose_};
  }
  static compose::Sentence sentence_of(const Event& event) noexcept {
    compose::Sentence sentence;
    sentence.parts = event.store_;
    sentence.parts_size = event.size_;
    sentence.unix_ms = event.at_unix_ms_;
    sentence.own_time = event.has_time_;
    sentence.purpose = event.purpose_;
    return sentence;
  }

  // --- scopes.cpp
  void cut_off_scopes();
  void wake_for_scopes();

  // --- own_sentences.cpp
  // A sentence of the library's own, whose members no rule of the app's touches.
  Event own_event() noexcept;
  void tell_of_opening(const std::string& app_version);
  Status tell_of_cut_off(Home home) YUKHA_REQUIRES(work_, intake_.mutex);
  Status add_cut_off(const std::vector<hold::KeptScope>& kept, std::list<std::string>& texts, hold::Drained& drained)
      YUKHA_REQUIRES(work_, intake_.mutex);

  // --- process_end.cpp
  Status enter_process();
  void leave_open() noexcept;
  void leave_process() noexcept;
  void close_at_end() noexcept;
  bool is_free() noexcept;
  static void end_process() noexcept;
  static void begin_child() noexcept;

  const Options options_;
  system::Log log_;
  system::ForkGuard fork_guard_;
  system::Clock& clock_;
  system::Dice& entropy_;
  system::Files& files_;
  std::shared_ptr<HttpTransport> transport_;
  pipeline::WorkerSettings settings_;
  Status status_;
  MemberRules rules_;

  system::Mutex work_;  // the worker's step, and what only it touches
  hold::Directory directory_;
  Intake intake_;
  Driver driver_;
  std::unique_ptr<hold::Lane> lane_;
  std::unique_ptr<pipeline::Worker> worker_ YUKHA_GUARDED_BY(work_);  // none while suspended
  UploadHints hints_ YUKHA_GUARDED_BY(work_);
  LeftLane left_lane_ YUKHA_GUARDED_BY(work_);

  system::Mutex closing_;  // one close() at a time; the others wait for its answer
  bool close_done_ YUKHA_GUARDED_BY(closing_) = false;
  Status close_status_ YUKHA_GUARDED_BY(closing_);

  InProcess in_process_;
};

}  // namespace yukha::detail

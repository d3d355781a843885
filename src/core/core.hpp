// The tracker's inside: the intake on the app's threads, the worker on its own, and what they share.
#pragma once

#include <atomic>
#include <cstdint>
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

// Checks what can be checked without touching anything: bad_config, bad_key, bad_endpoint, plain_http.
Status check_config(const Config& config, pipeline::WorkerSettings& settings);

class Core final : private Driven {
 public:
  // Never fails: a core that could not open answers every call with the reason.
  static Core* open(const Config& config, const Seams& seams);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  const Status& status() const noexcept { return status_; }
  const std::string& app_id() const noexcept { return app_id_; }
  // Null when there are none.
  const MemberRules* rules() const noexcept { return rules_.empty() ? nullptr : &rules_; }
  // This process must not touch it any more, not even to free it: it is a forked child of the one that opened it, or it
  // ended before the core could be closed.
  bool is_lost() const noexcept { return fork_guard_.in_child() || abandoned_; }

  Event event() noexcept { return Event(this); }
  Status identify(std::string_view user_id, Members members);
  Status reset();
  Status set(Part part, Members members);
  Status unset(Part part, std::string_view name);
  // `chance`: the random part of the sentence's id, when it is known beforehand.
  Status track(const Event& event, Status&& problem, const std::uint64_t* chance = nullptr);
  std::uint64_t begin_scope(Event& event, const Shown& shown, Status& problem);
  Status end_scope(std::uint64_t number, Members more, bool cut_off = false);
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
  std::vector<Notice> notices();
  std::vector<Quarantined> quarantined(std::uint64_t after, std::size_t most);
  Status resend_quarantined(std::uint64_t number);
  Status erase_quarantined(std::uint64_t number);
  Status set_keys(const std::vector<SigningKey>& from);
  std::chrono::milliseconds work(std::chrono::milliseconds budget);
  Status close(std::chrono::milliseconds deadline);

 private:
  Core(const Config& config, const Seams& seams);
  void open_lane(const Config& config);
  // Of the process's open trackers; see process_end.cpp.
  Status enter_process();
  void leave_open() noexcept;
  void leave_process() noexcept;
  void close_at_end() noexcept;
  bool is_free() noexcept;
  static void end_process() noexcept;
  static void begin_child() noexcept;
  Status change(system::FunctionRef<Status(compose::Standing&)> change);
  Status finish_denial();
  void cut_off_scopes();
  void wake_for_scopes();
  Status tell_of_cut_off(bool same_lane) YUKHA_REQUIRES(work_, intake_.mutex);
  void tell_of_opening(const std::string& app_version);
  // Why a call cannot be answered; what was suspended is taken up again by the way.
  Status check_open();
  Status check_alive() const;
  void suspend() YUKHA_REQUIRES(work_);
  // Nothing is held any more, until resume().
  void let_go() YUKHA_REQUIRES(work_, intake_.mutex);
  Status open_files(const std::string& lane, const std::string& run) YUKHA_REQUIRES(work_, intake_.mutex);
  Status live_in_memory(const Status& reason, const std::string& run) YUKHA_REQUIRES(work_, intake_.mutex);
  Status begin_life(Status opened, const std::string& run, bool same_lane) YUKHA_REQUIRES(work_, intake_.mutex);
  void make_worker() YUKHA_REQUIRES(work_);
  pipeline::Progress progress() const YUKHA_REQUIRES(work_);
  void note_progress() YUKHA_REQUIRES(work_);
  void apply_hints() YUKHA_REQUIRES(work_);
  Status hint(system::FunctionRef<void()> change);
  Status resume_to_keep();
  // After an append that was not done: good when it is worth another try, otherwise the refusal.
  Status not_appended(Intake::Appended::Outcome outcome, std::int64_t& give_up_ms);
  Status track_and_tell(const Event& event, Status&& problem, const std::uint64_t* chance);
  Status keep(const Event& event, Status&& problem, const std::uint64_t* chance, std::string* seen);
  bool wait_for_room(std::int64_t until_ms);
  Status at_work(system::FunctionRef<Status(pipeline::Worker&)> call);
  // What a FunctionRef needs is checked no further than where it is called; these say what that is.
  Status at_work_now(system::FunctionRef<Status(pipeline::Worker&)> call) YUKHA_REQUIRES(work_) {
    return call(*worker_);
  }
  void hint_now(system::FunctionRef<void()> change) YUKHA_REQUIRES(work_) { change(); }
  Status with_worker(system::FunctionRef<Status(pipeline::Worker&)> call);
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
  // A sentence of the library's own, whose members no rule of the app's touches.
  Event own_event() noexcept;

  // Driven
  Step step(Mailbox::Letters& letters) override YUKHA_REQUIRES(work_);
  void take(HttpAnswer&& answer) override YUKHA_REQUIRES(work_);
  bool has_worker() const override YUKHA_REQUIRES(work_) { return worker_ != nullptr; }
  Status resume() override;

  const std::string app_id_;
  system::Log log_;
  const bool debug_;
  const std::int64_t ring_full_wait_ms_;
  const bool tell_identify_;
  const bool tell_lifecycle_;
  const bool suspend_in_background_;
  const bool lane_is_named_;
  const Uploads on_metered_;
  const Uploads on_low_battery_;
  const Uploads in_background_;
  const Consent initial_consent_;
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
  std::uint64_t requests_before_ YUKHA_GUARDED_BY(work_) = 0;         // of earlier workers
  Network network_ YUKHA_GUARDED_BY(work_) = Network::unknown;
  bool low_battery_ YUKHA_GUARDED_BY(work_) = false;
  bool background_ YUKHA_GUARDED_BY(work_) = false;
  std::string lane_name_ YUKHA_GUARDED_BY(work_);
  std::int64_t resume_again_ms_ YUKHA_GUARDED_BY(work_) = INT64_MIN;
  Status resume_status_ YUKHA_GUARDED_BY(work_);  // of the last time that failed

  system::Mutex closing_;  // one close() at a time; the others wait for its answer
  bool close_done_ YUKHA_GUARDED_BY(closing_) = false;
  Status close_status_ YUKHA_GUARDED_BY(closing_);

  Core* next_open_ = nullptr;         // of the process's list
  std::atomic<bool> counted_{false};  // as one that a fork must not meet
  std::atomic<bool> running_{false};  // the worker and its transport are there
  std::atomic<bool> closed_at_end_{false};
  std::atomic<bool> abandoned_{false};
  std::thread end_;  // closes it while the process ends
};

}  // namespace yukha::detail

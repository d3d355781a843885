// One seed's life of a device: apps track, the world does its worst, and a model that shares nothing with the library
// knows what must have become of every sentence.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>
#include <yukha/timed_event.hpp>

#include "core/core.hpp"
#include "server.hpp"
#include "sim_disk.hpp"
#include "virtual_time.hpp"

namespace yukha::simulation {

struct Totals {
  std::uint64_t lives = 0;
  std::uint64_t sentences = 0;
  std::uint64_t kept = 0;
  std::uint64_t delivered = 0;
  std::uint64_t lost_to_power = 0;
  std::int64_t oldest_lost_ms = 0;
  std::uint64_t requests = 0;
  std::uint64_t violations = 0;
  std::uint64_t faults[fault_count] = {};
  std::map<std::string, std::uint64_t> rows;    // of the verdict table
  std::map<std::string, std::uint64_t> events;  // what happened to the devices, and what became of sentences
};

class Life {
 public:
  Life(std::uint64_t seed, bool story, Totals& totals);
  // Returns how many promises were broken.
  std::uint64_t live();

 private:
  static constexpr std::int64_t sync_ms = 1'000;
  static constexpr std::int64_t recovery_ms = 5'000;     // until a disk that is well again was tried
  static constexpr std::int64_t write_back_ms = 30'000;  // as Linux does with what nobody synced

  enum class Answer { kept, in_memory, unknown, refused };

  struct Tracked {
    Answer answer = Answer::unknown;
    std::int64_t at_ms = 0;
    std::size_t run = 0;                // which process
    std::uint64_t seq = 0;              // 0: not known
    std::string time;                   // as the line must have it
    std::string user;                   // empty: anonymous
    std::int64_t at_risk_until_ms = 0;  // its process died before it was synced
    std::int64_t unsynced_ms = 0;       // and it was that old
    bool erased = false;                // it must not arrive any more
    bool may_be_gone = false;           // an erase or a restored backup may have taken it
    bool power_lost = false;            // power went while it was not synced
    bool may_come_twice = false;
    bool may_have_two_ids = false;
    bool for_ads = false;
    bool is_scope = false;  // begun, and perhaps cut off
    bool is_open = false;
  };

  // What this life has besides tracking, kills, power losses and weather.
  struct Traits {
    bool several = false;  // processes at once
    bool clocks = false;   // the wall clock is set
    bool faults = false;   // the disk fails, or is full
    bool erases = false;
    bool consents = false;
    bool backups = false;
    bool short_age = false;   // sentences are given up after an hour
    bool fat = false;         // a small queue and large sentences
    bool quarantine = false;  // it is sent again and erased
    bool rotation = false;    // keys change at the endpoint
    bool purposes = false;    // some sentences are for advertising, and the consent to that changes
    bool scopes = false;      // some sentences take time, and the app goes to the background
    bool amnesia = false;     // the files that say what was consented to are removed, damaged, unreadable or older
    bool at_once = false;     // processes open the directory at the same time
    bool small = false;       // lanes that take the least of the disk
    bool dropped = false;     // SQLite's locks are lost, as when the app closes a descriptor of the file
    bool moved = false;       // files and directory go away, or are replaced, under a process
  };

  // What the files of the directory say of consent, as FORMAT.md has it.
  struct Said {
    bool known = false;  // or else it is pending, or a new install
    bool ours = false;   // something of ours lies there
    std::uint64_t epoch = 0;
    Consent all = Consent::granted;
    Consent ads = Consent::denied;
  };

  // A process on the device.
  struct App {
    std::unique_ptr<Process> process;
    const Process* seen_by_transport = nullptr;
    std::shared_ptr<SimTransport> transport;
    std::unique_ptr<detail::Core> core;
    std::int64_t next_work_ms = 0;
    std::size_t run = 0;
    std::uint64_t next_seq = 1;  // 0: an append was cut off, so nobody knows
    std::string user;
    std::optional<Consent> opened_with;  // until anybody says something of consent
    std::uint64_t epoch_seen = 0;
    std::int64_t looked_ms = INT64_MIN / 2;  // when its worker last made a step
    bool in_memory = false;
    bool removed = false;  // its files are no more where it made them
    std::size_t home = 0;  // in which of the directories that had the name, one after the other
    std::int64_t notices_by_ms = INT64_MAX;
    std::int64_t refuses_since_ms = -1;
    bool owes_erase = false;  // the disk refused it, and it is carried out once the disk is well
    bool closed = false;
    bool busy = false;                                                        // inside of one of its calls
    std::vector<std::pair<std::string, std::unique_ptr<TimedEvent>>> scopes;  // by the name of their sentence
    // From when to when it stood still: in an operation during which another went on, or waiting for the other's lock.
    std::vector<std::pair<std::int64_t, std::int64_t>> stood_still_ms;
  };

  void tell(const char* form, ...) __attribute__((format(printf, 2, 3)));
  void violate(const std::string& what);
  void count(const char* event, std::uint64_t times = 1) { totals_.events[event] += times; }
  bool chance(std::uint64_t n) { return one_in(chance_, n); }
  bool disk_is_well() const { return disk_.fault_one_in == 0 && disk_.bytes_max == UINT64_MAX; }
  bool precise() const;

  Config config_for(App& app);
  std::unique_ptr<App> open(bool safe);
  void open_at_once(std::size_t count);
  std::unique_ptr<App> make_process(bool safe);
  void open_core(App& app);
  void look_at_opening(App& app);
  bool foretells_consent() const;
  std::string object_to(App& app, const HttpRequest& request, const std::string& key, const std::string& lines);
  bool is_synced(const App& app, std::string key) const;
  void work(App& app);
  void pass(std::int64_t until_ms);
  void reach(std::int64_t now_ms);
  void meanwhile(App& inside);
  void track(App& app);
  void die_in_append(App& app, const std::map<std::string, std::vector<char>>& before);
  void end(App& app, const char* how);
  void bury_the_dead();
  void excuse_the_dead(const App& app);
  bool disk_refused(const Tracked& tracked, std::int64_t at_ms) const;
  void write_back_soon();
  void lose_power();
  void change_weather();
  void change_disk();
  void change_clock();
  void change_consent(App& app);
  void change_ads_consent(App& app);
  bool is_for_ads(Event& event);
  bool may_be_denied(const App& app, const Tracked& tracked) const;
  void erase(App& app);
  void note_what_is_owed();
  void note_who_is_removed();
  bool may_be_denied_later(const Tracked& tracked) const;
  void erased_by(App& app, const Status& status);
  void send_while_the_world_goes_on(App& app);
  void flush(App& app);
  void begin_scope(App& app);
  void end_scope(App& app);
  void leave_scopes(App& app);
  void go_to_background(App& app);
  void look_into_quarantine(App& app);
  void back_up_or_restore();
  void something_happens(App& app);
  // What others do to the files; see hands.cpp.
  Said what_is_said();
  void forget_what_was_said();
  void give_the_files_back();
  void check_consent(App& app, const Said& said);
  void take_files_away(App& app);
  void drop_locks();
  void look_at_owners();
  bool is_taken_for_a_while(App& app);
  void look_whether_it_is_back(App& app);
  void check_stats(App& app);
  void look_at_limits();
  void finish();
  void drain(bool clone);
  void judge();
  std::string check_line(const std::string& content, const std::string& line);

  std::uint64_t seed_;
  bool story_;
  Totals& totals_;
  Chance chance_;
  VirtualTime time_;
  SeededDice dice_;
  Disk disk_;
  Server server_;
  Traits traits_;
  std::vector<std::unique_ptr<App>> apps_;
  std::map<std::string, Tracked> tracked_;
  std::map<std::string, std::size_t> run_of_text_;  // device.run -> which process
  std::size_t runs_ = 0;
  std::uint64_t epoch_ = 0;  // erases so far
  std::int64_t erased_ms_ = INT64_MIN / 2;
  Consent consent_ = Consent::granted;
  bool consent_known_ = true;
  Consent ads_ = Consent::denied;  // to the purpose advertising
  bool ads_known_ = true;
  std::int64_t ads_denied_ms_ = INT64_MIN / 2;
  std::set<std::size_t> removed_before_;  // the runs whose files were away when an erase began
  bool denial_at_large_ = false;          // to everything: answered by a fault, and written nowhere or only in a ring
  bool ads_denial_at_large_ = false;      // the same to advertising
  bool finishing_ = false;
  std::uint64_t resent_until_request_ = 0;  // those from quarantine leave before it, unless the sky is dark
  bool power_goes_ = false;                 // at the next death
  bool lost_power_ = false;
  bool restored_ = false;
  std::int64_t disk_failing_since_ms_ = -1;
  std::int64_t disk_well_since_ms_ = 0;
  std::int64_t write_back_at_ms_ = INT64_MAX;
  std::optional<Disk> backup_;
  std::int64_t outage_since_ms_ = -1;  // nothing but "no answer" since then
  std::uint64_t outage_requests_ = 0;
  std::uint64_t outage_excuses_ = 0;  // restarts and flushes meanwhile
  std::map<std::string, std::vector<char>> old_files_;
  std::size_t home_ = 0;
  std::int64_t taken_away_ms_ = INT64_MIN / 2;
  std::set<std::string> unlocked_;  // lanes whose lock file somebody removed
  bool counters_gone_ = false;      // with the file that they waited in
  Stats sum_;                       // of all lanes, at the end
  std::uint64_t violations_ = 0;
};

}  // namespace yukha::simulation

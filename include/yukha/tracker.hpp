// The tracker: composes sentences, holds them on disk, sends them.
#ifndef YUKHA_TRACKER_HPP
#define YUKHA_TRACKER_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <yukha/config.hpp>
#include <yukha/event.hpp>
#include <yukha/stats.hpp>
#include <yukha/status.hpp>

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

namespace yukha {

// What the app knows of the network.
enum class Network : std::int32_t { unknown = 0, unmetered = 1, metered = 2, offline = 3 };

// Owns one lane of a queue directory and the worker that empties it. Movable, not copyable; several may live in one
// process, each with a lane of its own. A moved-from tracker answers not_open.
// Nothing here throws, prints, exits or raises a signal.
// When the process ends by exit() or by the end of main(), an open tracker is closed, within 2 s, by an exit handler
// that the first open() registered; later calls answer `closed`. In a child made by fork() while a tracker was open
// every call answers `forked_child`, open() too, until the child calls exec; when all were closed before fork(), it may
// open its own.
class Tracker {
 public:
  // Always returns a tracker that can be called. When it could not open, status() and every call answer why. When the
  // directory cannot be written, the tracker works in memory, and status() is kept_in_memory.
  // Blocks: for a few disk writes.
  [[nodiscard]] static Tracker open(const Config& config) noexcept;

  Tracker() noexcept;
  Tracker(Tracker&& other) noexcept;
  Tracker& operator=(Tracker&& other) noexcept;
  Tracker(const Tracker&) = delete;
  Tracker& operator=(const Tracker&) = delete;
  // Closes with the default deadline.
  ~Tracker();

  // How opening went: ok, kept_in_memory, or why not.
  // Threads: any. Blocks: never.
  [[nodiscard]] Status status() const noexcept;

  // Sets the user of every sentence from now on. An empty id means the anonymous user again, who has the install id.
  // Members: any but `id`. Threads: any. Blocks: never.
  Status identify(std::string_view user_id, Members members = {}) noexcept;

  // Makes the user anonymous again, as after a logout. Members that set() gave to the user are removed, too.
  // Threads: any. Blocks: never.
  Status reset() noexcept;

  // Adds members to every sentence from now on, until unset(). A member of the same name is replaced. A sentence's own
  // member wins over one that was set, and that one wins over what identify() or Config gave. Parts: user, device,
  // content and action, 4 KiB each. Names are those of a sentence, except `user.id`. They last as long as this tracker.
  // Threads: any. Blocks: never.
  Status set(Part part, Members members) noexcept;
  Status unset(Part part, std::string_view name) noexcept;
  // Records the variant of an experiment that the user is in, as `user.experiment_<name>`, until unset() or reset().
  // Threads: any. Blocks: never.
  Status set_experiment(std::string_view name, std::string_view variant) noexcept;

  // Begins a sentence; see Event.
  // Threads: any. Blocks: never.
  Event event() noexcept;

  // Tracks a sentence whose six parts are one JSON object, for hosts in which each call is expensive:
  // {"user":{…},"device":{…},"location":"FEED"|{"screen":"FEED","y":"3"},"content":{"id":…},"referral":"…",
  //  "action":{"type":…,"duration_ms":…},"at_unix_ms":…,"critical":true,"purpose":"advertising"}
  // UTF-8 as in RFC 8259. Numbers keep the text they came with (-0, 1E400, forty digits), booleans become theirs;
  // arrays, nulls, deeper objects and other keys are refused. Milliseconds may have a fraction or an exponent and are
  // rounded, half a one away from zero. `user.id` identifies for this sentence alone. not_a_sentence says at which byte
  // of the text, from 0, what is wrong; the time it takes grows with the text's length.
  // Threads: any. Blocks: as Event::track().
  Status track_json(std::string_view json) noexcept;

  // The overall consent, to every purpose. On an error pending and denied are in force in this process all the same,
  // and what a denial has to erase is retried. kept_in_memory: the directory cannot be used, so the consent is in force
  // in this process alone. Threads: any. Blocks: for a disk write; denied as erase().
  [[nodiscard]] Status set_consent(Consent consent) noexcept;
  [[nodiscard]] Consent consent() const noexcept;
  // The consent to one purpose. The stricter of this and the overall consent applies. Analytics begins granted, the
  // others denied. Sentences of different purposes never share a batch. A denial removes what waits for its purpose,
  // overwrites it in the lane's files (but for pieces of pages that SQLite moved: only erase() unlinks the files), and
  // counts it as erased; the rest stays. A lane that another process holds is cleaned by that process when it next
  // looks, and before it sends anything more. On an error as above.
  // Threads: any. Blocks: for a few disk writes; denied also for a worker's step, which may cancel a running request,
  // up to a minute.
  [[nodiscard]] Status set_consent(Purpose purpose, Consent consent) noexcept;
  [[nodiscard]] Consent consent(Purpose purpose) const noexcept;

  // The system's advertising id, at most 2 KiB; empty: none. It is written as `device.ad_id` into sentences of the
  // purpose advertising and into no others, so that a denial of that purpose removes every copy that waits. It lasts as
  // long as this tracker. Threads: any. Blocks: never.
  Status set_advertising_id(std::string_view id) noexcept;

  // Removes every sentence of the queue directory and starts again with a new install id and a new run. The files are
  // unlinked, not emptied. A lane that another process holds is emptied by that process, before it moves or sends
  // anything more. The ledger goes on and counts what was removed. When the directory was replaced, what other
  // processes keep in the directory that lies there now is removed as well. On an error of the disk the erase may be
  // half done: new sentences are then kept in memory, and the next open() finishes the erase. kept_in_memory: this
  // tracker works in memory, and removed nothing of its own from the disk.
  // Threads: any. Blocks: for a few disk writes; a running request is cancelled.
  [[nodiscard]] Status erase() noexcept;

  // Sends what this tracker's lane has now, and what earlier processes left in lanes that nobody holds. ok: none of it
  // waits any more, because it was delivered or is in quarantine; sentences that wait for a consent are not counted.
  // still_waiting: the deadline came first, with the last delivery error as detail, or there is no endpoint (answered
  // at once). A flush may end a back-off early, at most once in 10 s. Without a flush the worker looks for lanes of
  // earlier processes when its own has nothing to send, and about once a minute while there is something to do.
  // Threads: any. Blocks: up to deadline.
  Status flush(std::chrono::milliseconds deadline) noexcept;

  // Call it when the app leaves the screen. The time of timed events stops, Config::uploads_in_background applies, and
  // what can be sent within `budget` is sent as by flush(), whose answer this is. With Config::suspend_in_background it
  // then gives up a running request, closes the files and ends the run. Any call opens them again, except stats(),
  // take_log_lines(), work(), set_network() and set_low_battery().
  // Threads: any. Blocks: up to budget, plus disk writes.
  Status enter_background(std::chrono::milliseconds budget) noexcept;
  // Call it when the app is back on the screen. Timed events go on, and a new session begins when the app was away for
  // longer than Config::session_background_timeout.
  // Threads: any. Blocks: for a worker's step.
  Status enter_foreground() noexcept;
  // Tells the worker what the app knows; without it the worker assumes a network and a full battery. While offline no
  // request is started, and nothing counts as an outage. A change from offline to anything else ends a back-off early,
  // at most once in 10 s. Threads: any. Blocks: for a worker's step.
  Status set_network(Network now) noexcept;
  Status set_low_battery(bool low) noexcept;

  // Threads: any. Blocks: never for longer than a few memory reads.
  [[nodiscard]] Stats stats() const noexcept;

  // Takes the lines of the log since the last call, oldest first: the latest Config::log_lines_max of them.
  // Threads: any. Blocks: never.
  [[nodiscard]] std::vector<LogLine> take_log_lines() noexcept;

  // Reads the quarantine of this tracker's lane: sentences that the endpoint refused for good. Returns at most `most`
  // of them with a number above `after`, in the order of their numbers. They stay until they are sent again or erased,
  // reach Config::age_max, or make room when the queue is full.
  // Threads: any. Blocks: for a few disk reads.
  [[nodiscard]] std::vector<Quarantined> quarantined(std::uint64_t after = 0, std::size_t most = 100) const noexcept;
  // Sends one of them again under a new key, or all for number 0. bad_argument: there is no such number.
  // Threads: any. Blocks: for a disk write.
  Status resend_quarantined(std::uint64_t number = 0) noexcept;
  // Removes one of them, or all for number 0; they count as erased.
  // Threads: any. Blocks: for a few disk writes.
  [[nodiscard]] Status erase_quarantined(std::uint64_t number = 0) noexcept;

  // Signs with these keys from now on, in place of Config::keys: after a login, or when keys were rotated. On
  // bad_key and bad_config the keys before stay. It may end a back-off early, at most once in 10 s.
  // Threads: any. Blocks: for a worker's step, that is for a few disk writes.
  [[nodiscard]] Status set_signing_keys(const std::vector<SigningKey>& keys) noexcept;

  // Does the worker's work in a host without a thread to spare (Config::use_thread false): does what is due, waits at
  // most `budget` for the network, and returns how long until there is more to do. Negative: nothing, until the next
  // sentence or timed event.
  // Threads: any, one at a time. Blocks: up to budget, plus disk writes.
  std::chrono::milliseconds work(std::chrono::milliseconds budget) noexcept;

  // Writes everything to disk and ends the tracker. No request is started; a running one may finish until the deadline.
  // What the disk does not take stays in the ring. What was kept in memory is gone. A second call answers as the first
  // did; all other calls after it answer `closed`.
  // Threads: any, also while others track, and in exit(). Blocks: up to deadline, plus disk writes.
  Status close(std::chrono::milliseconds deadline = std::chrono::seconds(2)) noexcept;

 private:
  friend class Event;
  std::unique_ptr<detail::Core, void (*)(detail::Core*)> core_;
};

}  // namespace yukha

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif  // YUKHA_TRACKER_HPP

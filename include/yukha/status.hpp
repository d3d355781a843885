// What every call answers: a code, and a sentence for the person who must act.
#ifndef YUKHA_STATUS_HPP
#define YUKHA_STATUS_HPP

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

namespace yukha {

// 0 is good. Above 0 the call did its work and there is something worth knowing. Below 0 it did not do its work, and
// track() kept nothing. Numbers are never reused for another meaning; yukha.h has the same ones.
enum class Code : std::int32_t {
  ok = 0,              // done; for track(): kept on the device, a killed process loses nothing
  kept_in_memory = 1,  // kept, but the queue directory could not be used: lost when the process ends
  still_waiting = 2,   // flush: the deadline came first; what waits is safe and is sent later
  cut_short = 3,       // close: a running request was cancelled at the deadline; its batch is sent again

  too_short = 4,    // TimedEvent::end: seen for less than Viewability::min_duration; nothing was tracked
  sampled_out = 5,  // track(): the user is outside of Config::sample_rate, so nothing was kept

  stopped_by_policy = 6,  // track(): the endpoint asks not to keep this (Config::obey_policy), so nothing was kept

  ring_full = -1,               // the worker is behind; wait a moment or raise Config::ring_bytes
  closed = -2,                  // the tracker was closed
  not_open = -3,                // it was never opened, or was moved away
  consent_denied = -4,          // consent is denied: nothing is kept
  forked_child = -5,            // a child made by fork() while a tracker was open; exec first, or fork before
  sentence_too_large = -6,      // over 32 KiB once encoded
  bad_member_name = -7,         // not [a-z][a-z0-9_]{0,63}
  reserved_member = -8,         // a member only the library may write
  repeated_member = -9,         // the same member or part twice in one sentence
  missing_action = -10,         // a sentence needs action(type)
  bad_time = -11,               // before year 1 or after year 9999, or a negative duration
  already_tracked = -12,        // the builder was moved from, or its sentence was tracked already
  not_a_sentence = -13,         // track_json: not the six parts as JSON
  too_many_members = -14,       // identify: more than fits beside a sentence
  too_many_timed_events = -15,  // start: 256 timed events are open, or a mebibyte of them

  bad_config = -20,    // a setting outside its range; the message names it
  bad_key = -21,       // a signing key that is not base64, or has no id
  bad_endpoint = -22,  // not a http or https URL
  plain_http = -23,    // plain http to a host that is not loopback without allow_plain_http
  bad_argument = -24,  // a null or otherwise impossible argument

  lane_held = -30,      // the named lane is in use by another tracker
  no_free_lane = -31,   // all 16 lanes of the directory are in use: the 17th tracker lives in memory and says so
  newer_format = -32,   // written by a newer version of the library; left as it is
  disk_full = -33,      // no space left
  disk_error = -34,     // the directory or a file in it cannot be read or written
  out_of_memory = -35,  // no memory
  no_randomness = -36,  // the system gives no random bytes, without which no id is made
};

// The code's name as it stands above, for example "ring_full".
// Threads: any. Blocks: never.
const char* code_name(Code code) noexcept;

// A code and what it was about. Cheap to return: no memory is taken unless there is a detail to tell.
//
// [[nodiscard]] are the answers without which the call makes no sense (Tracker::open, what only asks) or going on would
// be a mistake (set_consent, erase, erase_quarantined, set_signing_keys), and a sentence that is built and not tracked.
// All others may be dropped: fire-and-forget code calls track() as a statement, and Stats counts what was refused.
class Status {
 public:
  Status() noexcept = default;
  Status(Code code) noexcept : code_(code) {}  // NOLINT(google-explicit-constructor)
  Status(Code code, std::string detail) noexcept : code_(code), detail_(std::move(detail)) {}

  Code code() const noexcept { return code_; }
  // True when the call did its work (code 0 or above).
  bool good() const noexcept { return static_cast<std::int32_t>(code_) >= 0; }
  explicit operator bool() const noexcept { return good(); }
  // True when track() kept the sentence where a killed process cannot lose it.
  bool kept() const noexcept { return code_ == Code::ok; }

  // A whole sentence for a log or a developer: what happened and what to do about it. As every text for people it is
  // UTF-8 without control characters, line ends and marks that turn the direction of writing, whatever a path, a server
  // or a library brought.
  std::string message() const;
  // What it was about (a member's name, a path as it came); may be empty.
  const std::string& detail() const noexcept { return detail_; }

  friend bool operator==(const Status& status, Code code) noexcept { return status.code_ == code; }
  friend bool operator!=(const Status& status, Code code) noexcept { return status.code_ != code; }

 private:
  Code code_ = Code::ok;
  std::string detail_;
};

}  // namespace yukha

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif  // YUKHA_STATUS_HPP

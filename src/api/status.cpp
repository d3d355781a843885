#include <yukha/status.hpp>

#include "system/utf8.hpp"

namespace yukha {
namespace {

struct Words {  // NOLINT(clang-analyzer-optin.performance.Padding): rows read as the table does
  Code code;
  const char* name;
  const char* text;
  bool detail_says_it = false;  // a detail is a whole message
};

constexpr Words table[] = {
    {Code::ok, "ok", "done"},
    {Code::kept_in_memory, "kept_in_memory",
     "kept in memory only, and lost when the process ends: the queue directory cannot be used; choose another "
     "queue_dir"},
    {Code::still_waiting, "still_waiting",
     "the deadline came before everything was delivered; what waits is safe and is sent later"},
    {Code::cut_short, "cut_short",
     "a running request was cancelled at the deadline; its batch is safe and is sent again"},
    {Code::too_short, "too_short", "it was shown for less than it should, so nothing was tracked"},
    {Code::sampled_out, "sampled_out", "the user is outside of the sample, so nothing was kept"},
    {Code::stopped_by_policy, "stopped_by_policy", "the endpoint asks not to keep it, so nothing was kept"},
    {Code::ring_full, "ring_full", "the ring is full because the worker is behind; wait a moment or raise ring_bytes"},
    {Code::closed, "closed", "the tracker was closed"},
    {Code::not_open, "not_open", "the tracker was never opened, or was moved away"},
    {Code::consent_denied, "consent_denied", "consent is denied, so nothing is kept"},
    {Code::forked_child, "forked_child",
     "a child made by fork() while a tracker was open cannot use any: call exec in it first, or close all trackers "
     "before fork()"},
    {Code::sentence_too_large, "sentence_too_large", "a sentence may have 32 KiB once encoded"},
    {Code::bad_member_name, "bad_member_name", "a member's name must be [a-z][a-z0-9_]{0,63}"},
    {Code::reserved_member, "reserved_member", "this member is the library's own"},
    {Code::repeated_member, "repeated_member", "it stands twice in one sentence"},
    {Code::missing_action, "missing_action", "a sentence needs an action with a type"},
    {Code::bad_time, "bad_time", "times lie between the years 1 and 9999, and a duration is not negative"},
    {Code::already_tracked, "already_tracked", "this sentence was tracked already; begin another with event()"},
    {Code::not_a_sentence, "not_a_sentence", "this is no JSON object of the six parts", true},
    {Code::too_many_members, "too_many_members", "members beside a sentence may have 4 KiB together"},
    {Code::too_many_timed_events, "too_many_timed_events", "256 timed events may be open, 1 MiB together; end some"},
    {Code::bad_config, "bad_config", "the configuration cannot be used", true},
    {Code::bad_key, "bad_key", "a signing key cannot be used", true},
    {Code::bad_endpoint, "bad_endpoint", "the endpoint must be a URL like https://events.example.com/v1/events", true},
    {Code::plain_http, "plain_http",
     "plain http is for loopback; use https, or set allow_plain_http if everybody between may read and change it"},
    {Code::bad_argument, "bad_argument", "an argument is missing or impossible"},
    {Code::lane_held, "lane_held",
     "another tracker has this lane of the queue directory; close it, or name another lane"},
    {Code::no_free_lane, "no_free_lane",
     "all 16 lanes of the queue directory are in use; close a tracker, or choose another queue_dir"},
    {Code::newer_format, "newer_format",
     "the queue was written by a newer version of the library and is left as it is; update, or choose another "
     "queue_dir"},
    {Code::disk_full, "disk_full", "there is no space left on the device", true},
    {Code::disk_error, "disk_error", "the queue directory or a file in it cannot be read or written", true},
    {Code::out_of_memory, "out_of_memory", "there is no memory left"},
    {Code::no_randomness, "no_randomness",
     "the system gives no random bytes for ids; let the process call getrandom()"},
};

const Words& words_of(Code code) noexcept {
  for (const Words& words : table) {
    if (words.code == code) return words;
  }
  static constexpr Words unknown{Code::bad_argument, "unknown", "this code is not one of the library's"};
  return unknown;
}

}  // namespace

const char* code_name(Code code) noexcept {
  return words_of(code).name;
}

std::string Status::message() const {
  const Words& words = words_of(code_);
  if (detail_.empty()) return words.text;
  std::string message = detail_;
  // What is in the way brings its own way out.
  if (code_ == Code::kept_in_memory) {
    message += "; sentences are kept in memory, and are lost when the process ends; mend it and open again";
  } else if (!words.detail_says_it) {
    message.append(": ").append(words.text);
  }
  // A path, a server or a library may have brought any bytes.
  system::make_readable(message);
  return message;
}

}  // namespace yukha

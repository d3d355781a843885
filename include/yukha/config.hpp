// What an app says once, before the first sentence.
#ifndef YUKHA_CONFIG_HPP
#define YUKHA_CONFIG_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <yukha/http_transport.hpp>

namespace yukha {

enum class LogLevel : std::int32_t { error = 1, warning = 2, info = 3, debug = 4 };

// One line of the log.
struct LogLine {
  LogLevel level = LogLevel::info;
  std::string text;
};

// Called with one line of text without a line end. Never holds a secret.
// Threads: the app's and the worker's; it must not call the tracker. Blocks: the caller for as long as it runs.
using LogFunction = std::function<void(LogLevel level, std::string_view text)>;

// A shared secret that signs requests (RFC 9421, hmac-sha256). The endpoint then knows that whoever sent a batch had
// the secret, and that nobody changed the batch on its way. It does not know who that was: a secret that is shipped
// inside an app can be read by everybody who has the app, and used to send made-up sentences. A key for each
// installation, given by your own server once a user is known (KeyFunction, Tracker::set_signing_keys), can at least be
// revoked one by one.
struct SigningKey {
  std::string id;             // sent as keyid: 1 to 128 printable ASCII characters without quote and backslash
  std::string secret_base64;  // 16 to 256 bytes once decoded; 32 are usual. Empty: Config::sign has the secret
};

// Signs for a key whose secret the app keeps elsewhere (Android Keystore, Secure Enclave, a server). Puts the 32 bytes
// of HMAC-SHA256 over `base` into `signature`, or returns false when it cannot now: nothing is sent then, and it is
// asked again after a back-off. Threads: the worker's, or the one that calls Tracker::work(); it must not call the
// tracker. Blocks: sending, for as long as it runs.
using SignFunction = std::function<bool(std::string_view key_id, std::string_view base, std::string& signature)>;

// Gives the keys to sign with from now on: asked before the first request when Config::keys is empty, and when
// the endpoint knows none of those at hand. Empty: none now, and it is asked again after a back-off. Keys that cannot
// be used count as none and are logged. Threads and Blocks: as SignFunction.
using KeyFunction = std::function<std::vector<SigningKey>()>;

// granted: keep and send (the default). pending: keep, send nothing. denied: keep nothing; what waits is erased.
// Belongs to the queue directory and outlives the process.
enum class Consent : std::int32_t { granted = 0, pending = 1, denied = 2 };

// What is sent without a flush(): all, only what is critical, or nothing.
enum class Uploads : std::int32_t { all = 0, critical = 1, none = 2 };

// The settings, in the order in which a newcomer needs them: the first group is required, the second sends, and all
// others may stay as they are. SETTINGS.md has them as one table, with their names in C. tests/hosts/settings_test.py
// makes that table of this struct: the first sentence of a comment says what the setting is, "Range:" or "Form:" what
// open() accepts, "Empty:" or "0:" what these mean, and the initializer is the default. Anything else is answered
// bad_config, or with the code that is named.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): there are few of them, and people read them in this order
struct Config {
  // ## What is required

  // Names the app in locations (app://<app_id>/FEED). Form: [a-z0-9][a-z0-9.-]{0,127}. Required.
  std::string app_id;
  // Where sentences wait: a directory of the app's own, made when missing. It must not be synchronised or backed up
  // between devices. Several processes may share it.
  // Form: a path without NUL, of 460 bytes at most once it is absolute. Required.
  std::string queue_dir;

  // ## Where events go, and the keys

  // Where batches are sent; an empty path means /v1/events. Empty: sentences are kept, not sent.
  // Form: https://host[:port][/path]; otherwise bad_endpoint.
  std::string endpoint;
  // Allows plain http to a host that is not loopback; it is logged at every open(). Without it: plain_http.
  bool allow_plain_http = false;
  // The keys that may sign a request, the preferred one first; the next is tried when the endpoint does not know it. A
  // rotation needs two. Empty: requests are not signed, unless provide_keys gives keys.
  // Range: 8 keys at most; a key that cannot be used is bad_key.
  std::vector<SigningKey> keys;
  // Signs for keys whose secret is not in SigningKey. Empty: each key needs its secret.
  SignFunction sign;
  // Is asked for keys when there are none, or the endpoint knows none of them. Empty: `keys` has all there are.
  KeyFunction provide_keys;

  // ## Consent, privacy, and facts about the device

  // The consent of a new install, until Tracker::set_consent() is called. It is used once, for a queue_dir without any
  // of the library's files. Where there are files and the consent in them cannot be read any more, the consent is
  // pending instead until set_consent() is called, a log line says so, and the purposes must be set again, too.
  // Range: granted, pending or denied.
  Consent initial_consent = Consent::granted;
  // Members that are never kept, wherever they come from. A member is named with its part, like user.plan or location.y
  // (a parameter). A location that the app gives as a whole URL is not looked into.
  // Form: a part, a dot and a name; 256 in the three lists, and none that a sentence needs.
  std::vector<std::string> deny_members;
  // Members that are kept only as the 64 hexadecimal digits of HMAC-SHA256 with hash_key_base64, so that equal values
  // stay equal; user.id (not the anonymous one) and content.id may be among them.
  // Form: as deny_members.
  std::vector<std::string> hash_members;
  // Members that may be kept. If set, a member that no list names is dropped, except those that a sentence needs and
  // the library's own. Empty: all that are not denied.
  // Form: as deny_members.
  std::vector<std::string> allow_members;
  // The key for hash_members. Form: base64 of 16 to 256 bytes; required with hash_members.
  std::string hash_key_base64;
  // The share of users whose sentences are kept. It goes by a hash of the user's id, so it is always the same users.
  // Kept sentences have `user.sample_rate`, so that counts can be scaled; those of others are answered sampled_out.
  // Range: above 0 to 1.
  double sample_rate = 1;
  // Finds out os, model and locale where they are empty. Nothing else is collected.
  bool collect_device_facts = true;
  // The operating system, sent as `device.os`. Empty: found out, see collect_device_facts.
  std::string os;
  // The device's model, sent as `device.model`. Empty: found out, see collect_device_facts.
  std::string model;
  // The device's language and country, sent as `device.locale`. Empty: found out, see collect_device_facts.
  std::string locale;
  // The app's version, sent as `device.app_version`. Empty: none is sent.
  std::string app_version;
  // More members of `device` for every sentence: names and values. Form: as members of a sentence, 4 KiB in all.
  std::vector<std::pair<std::string, std::string>> device;

  // ## Sessions, and sentences of the library's own

  // Ends a session after so long without a sentence. Sentences of a session have `user.session` and
  // `user.session_ordinal`, which counts from 1 for each install and lane. A session goes on in the next process if
  // that comes in time, and ends when the known user changes or logs out. 0: no sessions; 30 minutes are usual.
  // Range: 0, or 1 s to 24 h.
  std::chrono::milliseconds session_timeout{0};
  // Ends a session after so long in the background, see Tracker::enter_background(). 0: as session_timeout.
  // Range: 0, or 1 s to 24 h.
  std::chrono::milliseconds session_background_timeout{0};
  // Tracks `yukha_identify` when identify() names a user who was anonymous until then. The sentence has the id before
  // as `user.anonymous_id`.
  bool track_identify = false;
  // Tracks what happened to the app, at open(): `yukha_first_open`; `yukha_update` when app_version is not the one of
  // last time, with `content.version` and `content.previous_version`; `yukha_restart` when the lane's last run ended
  // without close(), with `content.previous_run`.
  bool track_lifecycle = false;

  // ## When to upload

  // How long a batch that is not full may wait for more sentences before it is sent. Range: 100 ms to 1 h.
  std::chrono::milliseconds upload_interval{10'000};
  // How many sentences a batch has at most. Range: 1 to 500.
  std::size_t batch_lines_max = 500;
  // How many bytes a batch has at most, before compression. A body that gets no answer while smaller ones pass is
  // halved. Once 4 MiB of bodies were sent in vain since a delivery (1 MiB on a metered network), the smallest batch
  // goes first, halved until its body has at most 16 KiB (4 KiB), about every 48 minutes: 30 days of that are below 20
  // MiB (5 MiB).
  // Range: 33 KiB to 1,000,000 bytes.
  std::size_t batch_bytes_max = 1'000'000;
  // What is sent while the network is metered, see Tracker::set_network(). The strictest of the three that apply
  // counts; flush() sends everything all the same, unless the network is offline.
  // Range: all, critical or none.
  Uploads uploads_on_metered = Uploads::all;
  // What is sent while the battery is low, see Tracker::set_low_battery(). Range: all, critical or none.
  Uploads uploads_on_low_battery = Uploads::all;
  // What is sent while the app is in the background, see Tracker::enter_background(). Range: all, critical or none.
  Uploads uploads_in_background = Uploads::all;
  // Lets Tracker::enter_background() close the files and give up their lock, as a system wants that suspends apps. The
  // next call opens them again.
  bool suspend_in_background = false;
  // Does what the endpoint asks of its clients in an answer: to send nothing for up to a day, to leave up to a day
  // between two requests, to keep no events of some actions, or of some users by the rule of sample_rate. Such a policy
  // is in force for a week at most, across restarts. It changes neither the consent nor what is kept already, it shows
  // in the log and in Stats, and what it refuses is counted apart. Each process counts the distance between two
  // requests for itself, a new one from the policy's arrival. src/send/CONTRACT.md has its form.
  bool obey_policy = false;

  // ## Limits on disk

  // Names the lane that this tracker writes; each open tracker has one. Empty: a free lane of the directory is taken. A
  // lane that another tracker has is answered lane_held.
  // Form: [a-z0-9][a-z0-9_-]{0,31}, and not "directory" or "memory".
  std::string lane;
  // How much of the disk all lanes of the directory may use. When it is full, sentences in quarantine are given up
  // first, then the oldest ordinary ones, then critical ones; they count as evicted.
  // Range: 8 MiB to 64 GiB, and at least twice ring_bytes and 4 MiB more.
  std::uint64_t queue_bytes_max = 64ULL * 1024 * 1024;
  // How old a sentence may become before it is given up, and counted as evicted. The age is counted by a time that
  // three answers of the endpoint agreed on, ten minutes apart. Until they agreed for a thirtieth of this (an hour at
  // least), at most a batch an hour is given up.
  // Range: 1 h to 30 days.
  std::chrono::hours age_max{30 * 24};
  // The size of the ring that takes sentences before the worker writes them to the database; it is rounded up to whole
  // pages. An empty lane takes its ring and three steps of disk: one of free pages in the database and two of log, so
  // that a full disk does not keep what waits from leaving. A step is the largest of batch_bytes_max + 47 KiB, 2
  // ring_bytes and queue_bytes_max / 64, and at most 1 MiB. That is 3.6 MiB by default and 0.5 MiB with the least of
  // the three. The free pages are as many as when the lane was made.
  // Range: 64 KiB to 64 MiB.
  std::size_t ring_bytes = 512 * 1024;
  // The power-loss window: how long a kept sentence may stay unsynced. Range: 10 ms to 1 min.
  std::chrono::milliseconds sync_interval{1'000};
  // How long track() may wait when the ring is full, before it answers ring_full; games want 0. Range: 0 to 1 min.
  std::chrono::milliseconds ring_full_wait{0};

  // ## The network

  // The time for look-up, connection and TLS together (libcurl gives the look-up no deadline of its own). A transport
  // of the app's own finds the three deadlines in each request; the rest of this group is libcurl's.
  // Range: 1 s to 1 min.
  std::chrono::milliseconds connect_timeout{10'000};
  // Gives a request up after so long with next to nothing sent or received. It must be longer than the endpoint takes
  // to answer.
  // Range: 1 s to 5 min.
  std::chrono::milliseconds stall_timeout{30'000};
  // The time for a whole request. What is slower is given up and sent again. Range: 1 s to 10 min.
  std::chrono::milliseconds total_timeout{60'000};
  // A file with PEM certificates to trust instead of the system's. Certificates are always verified, and TLS is 1.2 at
  // least.
  // Form: a path of 2 KiB at most.
  std::string ca_file;
  // Public keys of which the endpoint must have one, besides a valid certificate. Add the next key's pin in time.
  // Form: sha256// and the base64 of the SHA-256 of a public key; 8 at most.
  std::vector<std::string> pins;
  // The proxy. Empty: as the environment says. Form: [http|https|socks5h]://[name:password@]host:port, 2 KiB at most.
  std::string proxy;
  // Hosts that are reached without the proxy; loopback always is.
  // Form: hosts separated by commas, * for all; 2 KiB at most.
  std::string no_proxy;
  // Brings requests to the endpoint. Empty: libcurl does.
  std::shared_ptr<HttpTransport> transport;

  // ## Threads and logging

  // Starts the worker's thread. Without it the host calls Tracker::work() where it suits.
  bool use_thread = true;
  // Gets each line of the log. Empty: nothing is logged and nothing is spent on it, unless log_lines_max keeps lines.
  LogFunction log;
  // How many of the latest lines of the log are kept for Tracker::take_log_lines(), for a host that is not to be
  // called. The oldest are dropped first.
  // Range: 0 to 10,000.
  std::size_t log_lines_max = 0;
  // Logs each sentence as a readable line, and each refusal with its cause, at LogLevel::debug. It is for a developer's
  // eyes: it says who did what, with the action's members.
  bool debug = false;
};

}  // namespace yukha

#endif  // YUKHA_CONFIG_HPP

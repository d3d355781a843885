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

// Gives the keys to sign with from now on: asked before the first request when Config::signing_keys is empty, and when
// the endpoint knows none of those at hand. Empty: none now, and it is asked again after a back-off. Keys that cannot
// be used count as none and are logged. Threads and Blocks: as SignFunction.
using KeyFunction = std::function<std::vector<SigningKey>()>;

// granted: keep and send (the default). pending: keep, send nothing. denied: keep nothing; what waits is erased.
// Belongs to the queue directory and outlives the process.
enum class Consent : std::int32_t { granted = 0, pending = 1, denied = 2 };

// What may be sent of itself; flush() sends whatever there is, unless the network is offline.
enum class Uploads : std::int32_t { all = 0, critical = 1, none = 2 };

struct Config {
  // Names the app in locations (app://<app_id>/FEED): [a-z0-9][a-z0-9.-]{0,127}. Required.
  std::string app_id;

  // Where sentences wait: a directory of the app's own, made when missing. It must not be synchronised or backed up
  // between devices. Required.
  std::string queue_dir;

  // One process writes one lane; a free one of the directory is taken when this is empty.
  // [a-z0-9][a-z0-9_-]{0,31} names one, and open() answers lane_held when another tracker has it.
  std::string lane;

  // Where batches go: https://host[:port][/path]; an empty path means /v1/events. Empty: sentences are kept, not sent.
  std::string endpoint;
  // Plain http is for loopback; anywhere else it must be asked for here, and is logged at every open().
  bool allow_plain_http = false;
  // The keys a request may be signed with, the preferred one first; the next is tried when the endpoint does not know
  // it. Two are what a rotation needs. At most 8; none: requests are not signed, unless `provide_signing_keys` has
  // some.
  std::vector<SigningKey> signing_keys;
  SignFunction sign;                 // for keys without a secret
  KeyFunction provide_signing_keys;  // empty: `keys` is all there is

  // The network. A transport of the app's own sees the three deadlines in each request; the rest is libcurl's.
  // Verification of certificates cannot be switched off, and TLS is 1.2 at least.
  std::string ca_file;  // PEM certificates to trust instead of the system's
  std::vector<std::string>
      pins;              // sha256//<base64 of the SHA-256 of a public key>: the endpoint must have one of
                         // these, besides a valid certificate. The next key's pin belongs here in time; 8 at most
  std::string proxy;     // [http|https|socks5h]://[name:password@]host:port; empty: as the environment says
  std::string no_proxy;  // hosts reached without it, separated by commas, * for all; loopback always is
  // Look-up, connection and TLS together (libcurl gives the look-up no deadline of its own). 1 s to 1 min.
  std::chrono::milliseconds connect_timeout{10'000};
  // How long next to nothing may come or go. It must be longer than the endpoint takes to answer. 1 s to 5 min.
  std::chrono::milliseconds stall_timeout{30'000};
  // The whole request. What is slower is given up and sent again. 1 s to 10 min.
  std::chrono::milliseconds total_timeout{60'000};

  // Facts about the device that go with every sentence (device.<name>). `os`, `model` and `locale` are found out when
  // left empty and `collect_device_facts` is on; `app_version` only the app can know. Nothing else is collected.
  bool collect_device_facts = true;
  std::string os;
  std::string model;
  std::string locale;
  std::string app_version;
  std::vector<std::pair<std::string, std::string>> device;  // more members of `device`, same rules as in a sentence

  // A session ends after so long without a sentence, or so long in the background (Tracker::enter_background; 0: as the
  // first). Its sentences have `user.session` and `user.session_ordinal`, which counts from 1 for each install and
  // lane; it goes on in the next process when that comes in time. A session also ends when a known user is another or
  // nobody. 0: no sessions. Otherwise 1 s to 24 h; 30 minutes are usual.
  std::chrono::milliseconds session_timeout{0};
  std::chrono::milliseconds session_background_timeout{0};

  // Sentences of the library's own, each tracked like the app's. identify() of somebody who was anonymous until then:
  // action `yukha_identify`, with the id before as `user.anonymous_id`.
  bool track_identify = false;
  // At open(): `yukha_first_open`; `yukha_update` when app_version is not the one of last time, with `content.version`
  // and `content.previous_version`; `yukha_restart` when the lane's last run ended without close(), with
  // `content.previous_run`.
  bool track_lifecycle = false;

  // What goes out while the app says so; the strictest of those that hold counts.
  Uploads uploads_on_metered = Uploads::all;      // Tracker::set_network
  Uploads uploads_on_low_battery = Uploads::all;  // Tracker::set_low_battery
  Uploads uploads_in_background = Uploads::all;   // Tracker::enter_background
  // Tracker::enter_background() then also closes the files and gives up their lock, as a system wants that suspends
  // apps; the next call takes them again.
  bool suspend_in_background = false;

  // Do what the endpoint asks of its clients in an answer: to send nothing for up to a day, to leave up to a day
  // between two requests, to keep no events of some actions, or of some users by the rule of `sample_rate`. It holds
  // for a week at most, across restarts, touches neither consent nor what is kept already, shows in the log and in
  // Stats, and what it has refused is counted apart. The distance between two requests is that of one process; a new
  // one counts it from the policy's arrival. src/send/CONTRACT.md has its form.
  bool obey_policy = false;

  // What a new install may do until Tracker::set_consent() is called. It counts once, for a queue_dir in which nothing
  // of the library's lies yet. Where something does and what was consented to cannot be read any more, the consent is
  // pending until it is called, whatever stands here, and a log line says so; what was said for a purpose is said again
  // then as well.
  Consent initial_consent = Consent::granted;

  // Members that may be kept, named like user.plan or location.y (a parameter), from wherever they come. deny: never.
  // hash: only as the 64 hexadecimal digits of HMAC-SHA256 with this key, so that the same values stay the same; also
  // user.id (not the anonymous one) and content.id. allow, unless it is empty: of those that are not named anywhere
  // here, none but what a sentence needs and the library writes. A URL that an app gives whole is not looked into.
  std::vector<std::string> deny_members;
  std::vector<std::string> hash_members;
  std::vector<std::string> allow_members;
  std::string hash_key_base64;  // 16 to 256 bytes

  // The share of users whose sentences are kept, above 0 and at most 1: by a hash of the user's id, so always the same
  // ones. Their sentences have `user.sample_rate`, so that counts can be scaled; those of others are `sampled_out`.
  double sample_rate = 1;

  // How long a full batch may be waited for before what there is goes out. 100 ms to 1 h.
  std::chrono::milliseconds upload_interval{10'000};
  // The power-loss window: how long a kept sentence may stay unsynced. 10 ms to 1 min.
  std::chrono::milliseconds sync_interval{1'000};
  // What track() may wait for when the ring is full, before it answers ring_full. 0 (games) to 1 min.
  std::chrono::milliseconds ring_full_wait{0};

  // A lane that is empty takes its ring and three steps: one of free pages in the database and two of log, so that a
  // full disk does not keep what waits from leaving. A step is the largest of batch_bytes_max + 47 KiB, 2 ring_bytes
  // and queue_bytes_max / 64, but never more than 1 MiB. All in all that is 3.6 MiB by default and 0.5 MiB with the
  // least of the three. The free pages are as many as when the lane was made.
  std::size_t ring_bytes = 512 * 1024;                  // 64 KiB to 64 MiB, rounded up to whole pages
  std::uint64_t queue_bytes_max = 64ULL * 1024 * 1024;  // 8 MiB to 64 GiB, all lanes; at least 2 rings and 4 MiB
  // 1 h to 30 days since the sentence was held, by a time that three answers of the endpoint agreed on, ten minutes
  // apart. Until they agreed for a thirtieth of this (an hour at least), at most a batch an hour goes.
  std::chrono::hours age_max{30 * 24};
  // Bodies that leave without an answer, while smaller ones pass, are halved. Once 4 MiB of bodies were sent in vain
  // since an acceptance (1 MiB while Tracker::set_network says metered), the smallest batch goes first, halved until
  // its body has at most 16 KiB (4 KiB), about every 48 minutes: 30 days of that are below 20 MiB (5 MiB).
  std::size_t batch_lines_max = 500;        // 1 to 500
  std::size_t batch_bytes_max = 1'000'000;  // 33 KiB to 1,000,000, before compression; see ring_bytes

  // false: no thread is started, and the host calls Tracker::work() where it suits.
  bool use_thread = true;

  // Each sentence as a readable line, and each refusal with its cause, at LogLevel::debug. For a developer's eyes: it
  // says who did what, with the action's members.
  bool debug = false;
  // How many of the latest lines of the log are kept for Tracker::take_log_lines(), for a host that is not to be
  // called: the oldest go first. 0 to 10,000.
  std::size_t log_lines_max = 0;

  LogFunction log;                           // empty: nothing is logged and nothing is spent on it
  std::shared_ptr<HttpTransport> transport;  // empty: libcurl
};

}  // namespace yukha

#endif  // YUKHA_CONFIG_HPP

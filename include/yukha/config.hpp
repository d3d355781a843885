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

// Called with one line of text without a line end. Never holds a secret.
// Threads: the app's and the worker's; it must not call the tracker. Blocks: the caller for as long as it runs.
using LogFunction = std::function<void(LogLevel level, std::string_view text)>;

// A shared secret that signs requests (RFC 9421, hmac-sha256). Inside an app it proves which app build sent a request,
// not which person: whoever has the app can read it.
struct SigningKey {
  std::string id;             // sent as keyid: 1 to 128 printable ASCII characters without quote and backslash
  std::string secret_base64;  // 16 to 256 bytes once decoded; 32 are usual
};

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
  // it.
  std::vector<SigningKey> keys;

  // Facts about the device that go with every sentence (device.<name>). `os`, `model` and `locale` are found out when
  // left empty and `collect_device_facts` is on; `app_version` only the app can know. Nothing else is collected.
  bool collect_device_facts = true;
  std::string os;
  std::string model;
  std::string locale;
  std::string app_version;
  std::vector<std::pair<std::string, std::string>> device;  // more members of `device`, same rules as in a sentence

  // How long a full batch may be waited for before what there is goes out. 100 ms to 1 h.
  std::chrono::milliseconds upload_interval{10'000};
  // The power-loss window: how long a kept sentence may stay unsynced. 10 ms to 1 min.
  std::chrono::milliseconds sync_interval{1'000};
  // What track() may wait for when the ring is full, before it answers ring_full. 0 (games) to 1 min.
  std::chrono::milliseconds ring_full_wait{0};

  std::size_t ring_bytes = 512 * 1024;                  // 64 KiB to 64 MiB, rounded up to whole pages
  std::uint64_t queue_bytes_max = 64ULL * 1024 * 1024;  // 8 MiB to 64 GiB, all lanes; at least 2 rings and 4 MiB
  std::chrono::hours age_max{30 * 24};                  // 1 h to 30 days since the sentence was held
  std::size_t batch_lines_max = 500;                    // 1 to 500
  std::size_t batch_bytes_max = 1'000'000;              // 33 KiB to 1,000,000, before compression

  // false: no thread is started, and the host calls Tracker::work() where it suits.
  bool use_thread = true;

  LogFunction log;                           // empty: nothing is logged and nothing is spent on it
  std::shared_ptr<HttpTransport> transport;  // empty: libcurl
};

}  // namespace yukha

#endif  // YUKHA_CONFIG_HPP

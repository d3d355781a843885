#include "core/check_config.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "compose/text.hpp"
#include "system/base64.hpp"

namespace yukha::detail {
namespace {

constexpr std::size_t page = 4096;

Status out_of_range(const char* setting, const char* range) {
  return {Code::bad_config, std::string(setting) + " must be " + range};
}

template <typename Value>
bool between(Value value, Value low, Value high) {
  return value >= low && value <= high;
}

bool is_lane_name(const std::string& name) {
  if (name.empty() || name.size() > 32 || name == "directory" || name == "memory") return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!word && (i == 0 || (c != '_' && c != '-'))) return false;
  }
  return true;
}

bool is_text_setting(const std::string& text) {
  return text.size() <= 2048 && std::none_of(text.begin(), text.end(), [](char c) { return c >= 0 && c < 0x20; });
}

Status check_names_and_times(const Config& config) {
  using std::chrono::hours;
  using std::chrono::milliseconds;
  using std::chrono::minutes;
  if (!compose::is_app_id(config.app_id)) return out_of_range("app_id", "[a-z0-9][a-z0-9.-]{0,127}");
  if (config.queue_dir.empty() || config.queue_dir.find('\0') != std::string::npos) {
    return out_of_range("queue_dir", "a path");
  }
  if (!config.lane.empty() && !is_lane_name(config.lane)) return out_of_range("lane", "[a-z0-9][a-z0-9_-]{0,31}");
  if (!between<milliseconds>(config.upload_interval, milliseconds(100), hours(1))) {
    return out_of_range("upload_interval", "100 ms to 1 h");
  }
  if (!between<milliseconds>(config.sync_interval, milliseconds(10), minutes(1))) {
    return out_of_range("sync_interval", "10 ms to 1 min");
  }
  for (const milliseconds timeout : {config.session_timeout, config.session_background_timeout}) {
    if (timeout.count() != 0 && !between<milliseconds>(timeout, std::chrono::seconds(1), hours(24))) {
      return out_of_range("session_timeout and session_background_timeout", "0, or 1 s to 24 h");
    }
  }
  if (!between<milliseconds>(config.ring_full_wait, milliseconds(0), minutes(1))) {
    return out_of_range("ring_full_wait", "0 to 1 min");
  }
  return {};
}

Status check_amounts(const Config& config) {
  using std::chrono::hours;
  if (!between<std::size_t>(config.ring_bytes, 64 << 10, 64 << 20))
    return out_of_range("ring_bytes", "64 KiB to 64 MiB");
  // What an empty lane takes, its log and reserve included, is half of the least.
  if (!between<std::uint64_t>(config.queue_bytes_max, 8ULL << 20, 64ULL << 30)) {
    return out_of_range("queue_bytes_max", "8 MiB to 64 GiB");
  }
  if (!(config.sample_rate > 0 && config.sample_rate <= 1)) return out_of_range("sample_rate", "above 0 and at most 1");
  for (const Uploads uploads :
       {config.uploads_on_metered, config.uploads_on_low_battery, config.uploads_in_background}) {
    if (!between(uploads, Uploads::all, Uploads::none)) return out_of_range("uploads", "all, critical or none");
  }
  if (!between(config.initial_consent, Consent::granted, Consent::denied))
    return out_of_range("initial_consent", "granted, pending or denied");
  if (config.log_lines_max > 10'000) return out_of_range("log_lines_max", "0 to 10,000");
  if (config.queue_bytes_max < 2 * config.ring_bytes + (4 << 20)) {
    return out_of_range("queue_bytes_max", "at least twice ring_bytes and 4 MiB");
  }
  if (!between<hours>(config.age_max, hours(1), hours(30 * 24))) return out_of_range("age_max", "1 h to 30 days");
  if (!between<std::size_t>(config.batch_lines_max, 1, 500)) return out_of_range("batch_lines_max", "1 to 500");
  if (!between<std::size_t>(config.batch_bytes_max, 33 << 10, 1'000'000)) {
    return out_of_range("batch_bytes_max", "33 KiB to 1,000,000");
  }
  return {};
}

Status check_network(const Config& config) {
  using std::chrono::milliseconds;
  using std::chrono::minutes;
  using std::chrono::seconds;
  if (!is_text_setting(config.ca_file)) return out_of_range("ca_file", "a path");
  if (!is_text_setting(config.proxy)) return out_of_range("proxy", "a URL");
  if (!is_text_setting(config.no_proxy)) return out_of_range("no_proxy", "hosts separated by commas");
  if (config.pins.size() > 8) return out_of_range("pins", "8 at most");
  for (const std::string& pin : config.pins) {
    const std::string before = "sha256//";
    std::string digest;
    if (pin.compare(0, before.size(), before) != 0 || !system::from_base64(pin.substr(before.size()), digest) ||
        digest.size() != 32) {
      return out_of_range("pins", "sha256// and the base64 of 32 bytes each");
    }
  }
  if (!between<milliseconds>(config.connect_timeout, seconds(1), minutes(1)))
    return out_of_range("connect_timeout", "1 s to 1 min");
  if (!between<milliseconds>(config.stall_timeout, seconds(1), minutes(5)))
    return out_of_range("stall_timeout", "1 s to 5 min");
  if (!between<milliseconds>(config.total_timeout, seconds(1), minutes(10)))
    return out_of_range("total_timeout", "1 s to 10 min");
  return {};
}

void fill_settings(const Config& config, pipeline::WorkerSettings& settings) {
  settings.sign = config.sign;
  settings.provide_keys = config.provide_keys;
  settings.connect_timeout = config.connect_timeout;
  settings.stall_timeout = config.stall_timeout;
  settings.total_timeout = config.total_timeout;
  settings.obeys_policy = config.obey_policy;
  settings.upload_interval_ms = config.upload_interval.count();
  settings.sync_interval_ms = config.sync_interval.count();
  settings.queue_bytes_max = config.queue_bytes_max;
  settings.age_max_ms = std::chrono::duration_cast<std::chrono::milliseconds>(config.age_max).count();
  // What a full disk must have room for: a batch with what stands beside it, or a full ring and the share of the queue
  // that an eviction takes. 1 MiB by default, 128 KiB with the least of each.
  constexpr std::size_t step_max = 1 << 20;
  constexpr std::size_t beside_a_batch = step_max - 1'000'000;
  const std::uint64_t step = std::max<std::uint64_t>(
      {config.batch_bytes_max + beside_a_batch, 2 * config.ring_bytes, config.queue_bytes_max / 64});
  settings.batches = {config.batch_lines_max, config.batch_bytes_max,
                      static_cast<std::size_t>(std::min<std::uint64_t>(step, step_max))};
  settings.lanes.directory = config.queue_dir;
  settings.lanes.ring_bytes = (config.ring_bytes + page - 1) / page * page;
  settings.lanes.batches = settings.batches;
}

}  // namespace

Status check_config(const Config& config, pipeline::WorkerSettings& settings) {
  if (Status status = check_names_and_times(config); !status) return status;
  if (Status status = check_amounts(config); !status) return status;
  if (Status status = send::decode_keys(config.keys, config.sign != nullptr, settings.keys); !status) return status;
  if (Status status = check_network(config); !status) return status;
  settings.sends = !config.endpoint.empty();
  if (settings.sends) {
    if (Status status = send::parse_endpoint(config.endpoint, config.allow_plain_http, settings.endpoint); !status)
      return status;
  }
  fill_settings(config, settings);
  return {};
}

}  // namespace yukha::detail

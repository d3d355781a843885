// The figures to reach, as the design's table has them.
#pragma once

namespace bench {

struct Goal {
  const char* name;  // of a row, up to its '/'
  double value;
  bool at_least = false;  // otherwise at most
};

constexpr Goal goals[] = {
    {"track_median_ns", 250},
    {"track_to_snprintf", 0.4},
    {"track_p99_us", 2},
    {"track_p999_us", 20},
    {"track_4_threads_p99_us", 10},
    {"track_now_and_then_p99_us", 15},
    {"track_now_and_then_p999_us", 50},
    {"client_cpu_to_deflate", 1.5},
    {"delivered_per_s", 200'000, true},
    {"disk_percent_of_json", 16},
    {"wire_percent_of_json", 14},
    {"idle_wake_ups", 0},
    {"idle_bytes_written", 0},
    {"trickle_fsyncs_to_sqlite", 0.5},
    {"trickle_bytes_to_sqlite", 0.5},
    {"trickle_wake_ups_to_sqlite", 0.5},
    {"trickle_requests_to_sqlite", 0.5},
    {"own_memory_mib", 3},
    {"library_kib", 375},
    {"open_with_a_million_ms", 50},
    {"close_idle_median_ms", 20},
    {"close_over_deadline_ms", 50},
};

}  // namespace bench

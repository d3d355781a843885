// Reads, maps, tracks, waits, reports.
#pragma once

#include <chrono>

#include "options.hpp"

namespace replay {

// The program's exit codes, as --help explains them.
enum Exit : int {
  exit_delivered = 0,
  exit_failed = 1,
  exit_unmapped = 2,
  exit_waiting = 3,
  exit_given_up = 4,
  exit_usage = 64,
};

int run(const Options& options, std::chrono::steady_clock::time_point began);

}  // namespace replay

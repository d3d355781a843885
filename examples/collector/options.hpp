// The command line.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "fault.hpp"
#include "lake.hpp"
#include "signature.hpp"

namespace collector {

struct Options {
  bool help = false;
  bool judge = false;  // judge lines from standard input instead of serving
  // 127.0.0.1 and, where the machine has it, ::1; or the one of --address.
  std::vector<std::string> addresses = {"127.0.0.1", "::1"};
  bool is_loopback = true;
  bool no_token = false;
  int port = -1;
  std::string lake;
  std::map<std::string, std::string> secrets_by_keyid;
  std::vector<PublicUrl> public_urls;
  std::string ready_file;
  std::vector<Fault> faults;
  std::uint64_t seed = 1;
  LakeLimits lake_limits;
  std::chrono::milliseconds lease{60'000};

  // Nothing is wrong when `error` stays empty.
  static Options parsed(const std::vector<std::string>& arguments, std::string* error);
};

extern const char kHelp[];

}  // namespace collector

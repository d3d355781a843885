// Misbehaviour on request: what real networks and endpoints do to a client, at a rate and from a seed.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "http_message.hpp"

namespace collector {

struct Fault {
  enum class Kind {
    kStatus,
    kSlow,
    kCutBefore,
    kCutAfter,
    kTooLarge,
    kReject,
    kPortal,
    kCrashBefore,
    kCrashBetween,
    kCrashAfter
  };
  Kind kind = Kind::kStatus;
  double rate = 1;
  int status = 0;
  std::chrono::milliseconds slow{0};
  std::uint64_t count = 0;  // bytes for kTooLarge, every how many lines for kReject
  std::string retry_after;
  std::string location;
  std::string body;

  // One `--fault` text, for example "status=503,rate=0.2,retry_after=2". Nothing, and a sentence in `error`, when it is
  // not one.
  static std::optional<Fault> parsed(std::string_view text, std::string* error);
  // One fault a line; empty lines do not count.
  static std::optional<std::vector<Fault>> all_parsed(std::string_view text, std::string* error);
};

// What happens to one request.
struct Weather {
  std::optional<HttpAnswer> answer;  // given in place of the endpoint's own, before anything is stored
  std::chrono::milliseconds slow{0};
  bool cut_before = false;
  bool cut_after = false;
  bool crash_before = false;
  bool crash_between = false;
  bool crash_after = false;
  std::uint64_t reject_every = 0;
};

// Threads: any. Blocks: never.
class FaultDeck {
 public:
  explicit FaultDeck(std::uint64_t seed) : dice_(seed) {}

  void set(std::vector<Fault> faults);
  Weather throw_dice(std::size_t body_bytes);
  // True for every Nth line asked about.
  bool is_nth_line(std::uint64_t every);

 private:
  std::mutex mutex_;
  std::mt19937_64 dice_;
  std::vector<Fault> faults_;
  std::uint64_t lines_ = 0;
};

}  // namespace collector

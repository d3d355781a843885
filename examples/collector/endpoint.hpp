// The endpoint of src/send/CONTRACT.md: one request in, one answer out.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "clock.hpp"
#include "fault.hpp"
#include "http_message.hpp"
#include "lake.hpp"
#include "sentence.hpp"
#include "signature.hpp"
#include "store.hpp"

namespace collector {

constexpr std::size_t kCompressedBytesMax = 1024 * 1024;    // CONTRACT.md, "The order of checks"
constexpr std::size_t kInflatedBytesMax = 4 * 1024 * 1024;  // CONTRACT.md, "The order of checks"
constexpr std::size_t kLinesMax = 500;                      // CONTRACT.md, "The request"

class Endpoint {
 public:
  Endpoint(SignatureVerifier verifier, Store* store, Lake* lake, FaultDeck* faults, Clock* clock,
           std::chrono::milliseconds lease)
      : verifier_(std::move(verifier)), store_(store), lake_(lake), faults_(faults), clock_(clock), lease_(lease) {}

  // POST /v1/events. Never throws: what went wrong inside is a 500, and nothing is stored then.
  // Threads: any. Blocks: for one disk write, or as long as a `slow` fault says.
  HttpAnswer take_events(const HttpRequest& request);

  // The counts, the stored and the refused, for people and tests.
  HttpAnswer show_all();
  HttpAnswer show_good(std::int64_t limit, std::int64_t offset);
  HttpAnswer show_bad(std::int64_t limit, std::int64_t offset);
  HttpAnswer reset();
  // `text` as on the command line, one fault a line; empty ends the misbehaviour.
  HttpAnswer set_faults(const std::string& text);
  // What the endpoint asks of its clients in every 200 from now on, a JSON object; empty asks for nothing any more.
  HttpAnswer set_policy(const std::string& json);
  HttpAnswer show_policy();
  // Unix milliseconds at which the endpoint's clock stands still; empty lets it run.
  HttpAnswer set_clock(const std::string& text);

  // Ends every wait of a `slow` fault, because the program ends.
  void hurry();

 private:
  struct Received;
  HttpAnswer judge_request(const HttpRequest& request);
  HttpAnswer judge_batch(const Received& received, const Weather& weather);
  void judge_lines(const Received& received, const Weather& weather, const std::optional<DoneBatch>& ancestor,
                   JudgedBatch* batch);
  void add_policy(std::string* body);
  void wait(std::chrono::milliseconds time);

  SignatureVerifier verifier_;
  SentenceJudge sentences_;
  Store* store_;
  Lake* lake_;
  FaultDeck* faults_;
  Clock* clock_;
  std::chrono::milliseconds lease_;

  std::mutex policy_mutex_;
  std::string policy_;  // of this process only; empty when there is none

  std::mutex hurry_mutex_;
  std::condition_variable hurried_;
  bool in_hurry_ = false;
};

}  // namespace collector

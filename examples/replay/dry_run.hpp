// What --dry-run prints: the sentences that would be sent, taken where they would leave.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>
#include <yukha/http_transport.hpp>

namespace replay {

// A network that goes nowhere and an endpoint that accepts everything. The sentences pass through a queue of their own
// as they always do, so that what is refused, and why, is the same as in a real run.
class DryRun : public yukha::HttpTransport {
 public:
  explicit DryRun(std::uint64_t sentences) : sentences_max_(sentences) {}
  ~DryRun() override;
  DryRun(const DryRun&) = delete;
  DryRun& operator=(const DryRun&) = delete;

  // A directory for the queue, gone with this. Throws std::runtime_error when it cannot be made.
  const std::string& folder();
  // A line of the library's log: each sentence as a person would say it.
  void hear(std::string_view text);
  // The first sentences on stdout, each as the line of JSON that would be sent and, unless `json_only`, in words.
  void print(bool json_only) const;

  void start(const yukha::HttpRequest& request) override;
  bool poll(std::chrono::milliseconds timeout, yukha::HttpAnswer& answer) override;
  void wake() override;
  void cancel() override;

 private:
  std::uint64_t sentences_max_;
  std::string folder_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool awake_ = false;
  bool is_asked_ = false;
  std::uint64_t accepted_ = 0;
  std::vector<std::string> lines_;
  std::vector<std::string> words_;
};

}  // namespace replay

// An endpoint in a process of its own, so that its work is not taken for the client's.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>

namespace bench {

// Answers every request that keeps the contract: the digest and the signature fit, the body is gzip, its lines are
// counted. The others get 400 and are counted bad.
class Sink {
 public:
  static constexpr const char* key_id = "bench";
  static constexpr const char* secret_base64 = "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U=";

  // `silent` takes connections and never answers.
  explicit Sink(bool silent = false);
  ~Sink();
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  std::string url() const;
  std::uint64_t requests() const noexcept { return shared_->requests; }
  std::uint64_t bad() const noexcept { return shared_->bad; }
  std::uint64_t lines() const noexcept { return shared_->lines; }
  std::uint64_t body_bytes() const noexcept { return shared_->body_bytes; }
  std::uint64_t line_bytes() const noexcept { return shared_->line_bytes; }

 private:
  struct Shared {
    std::atomic<std::uint64_t> requests, bad, lines, body_bytes, line_bytes;
  };
  void serve(int listener, bool silent) noexcept;
  bool check(const std::string& head, const std::string& body);

  Shared* shared_ = nullptr;
  int port_ = 0;
  pid_t process_ = -1;
};

}  // namespace bench

// A transport without a network: whoever has one takes the requests from here and brings the answers.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <yukha/http_transport.hpp>

#include "system/mutex.hpp"

namespace yukha::send {

// One request, on loan to the host. It outlives the transport, so that a late answer hits nothing.
struct PolledRequest {
  std::string url;
  std::vector<HttpHeader> headers;
  std::string body;
  std::string signature_base;  // what the host is to sign; empty: it is signed
  std::int64_t total_timeout_ms = 0;
  std::size_t answer_bytes_max = 0;
};

// Threads: start(), poll() and cancel() as HttpTransport says; everything else any.
class PolledTransport final : public HttpTransport {
 public:
  void start(const HttpRequest& request) override;
  bool poll(std::chrono::milliseconds timeout, HttpAnswer& answer) override;
  void wake() override;
  void cancel() override;

  // Keeps what the next request is to be signed over, and gives a signature that start() leaves out again.
  bool postpone_signing(std::string_view base, std::string& signature);
  // The request that nobody took yet, or nullptr after `wait`.
  std::shared_ptr<PolledRequest> take(std::chrono::milliseconds wait);
  // Whether somebody still waits for its answer.
  bool wanted(const PolledRequest& request);
  // False when nobody does.
  bool answer(const PolledRequest& request, HttpAnswer&& answer);
  // No request comes any more.
  void end();

 private:
  system::Mutex mutex_;
  system::Condition changed_;
  std::string base_;  // of the request that is being made; only the worker sees it
  std::shared_ptr<PolledRequest> running_ YUKHA_GUARDED_BY(mutex_);
  std::chrono::steady_clock::time_point give_up_ YUKHA_GUARDED_BY(mutex_);
  HttpAnswer answer_ YUKHA_GUARDED_BY(mutex_);
  bool taken_ YUKHA_GUARDED_BY(mutex_) = false;
  bool answered_ YUKHA_GUARDED_BY(mutex_) = false;
  bool woken_ YUKHA_GUARDED_BY(mutex_) = false;
  bool ended_ YUKHA_GUARDED_BY(mutex_) = false;
};

}  // namespace yukha::send

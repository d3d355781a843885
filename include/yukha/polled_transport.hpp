// A transport without a network: whoever has one takes the requests from here and brings the answers.
#ifndef YUKHA_POLLED_TRANSPORT_HPP
#define YUKHA_POLLED_TRANSPORT_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <yukha/http_transport.hpp>

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

namespace yukha {

// One request, on loan to the host. It may outlive transport and tracker: a late answer then hits nothing.
struct PolledRequest {
  std::string url;
  std::vector<HttpHeader> headers;
  std::string body;
  std::string signature_base;  // what the host is to sign; empty: it is signed
  std::chrono::milliseconds total_timeout{0};
  std::size_t answer_bytes_max = 0;
};

// For Config::transport, and Config::sign where the host signs. There is one request at a time; one that is not
// answered within its total_timeout is given up. Threads: any for take(), wanted(), answer() and end().
class PolledTransport final : public HttpTransport {
 public:
  PolledTransport();
  ~PolledTransport() override;
  PolledTransport(const PolledTransport&) = delete;
  PolledTransport& operator=(const PolledTransport&) = delete;

  // The request that nobody took yet, or nullptr after `wait` without one.
  // Blocks: up to wait.
  std::shared_ptr<PolledRequest> take(std::chrono::milliseconds wait);
  // Whether somebody still waits for its answer. Blocks: never.
  bool wanted(const PolledRequest& request) noexcept;
  // The answer whole: headers as "Name: value". Status 0 means that none came, or not all of it, and -1 that there was
  // no connection, so that nothing of the request left the device; the body then says why. Being offline under status 0
  // makes batches smaller and back-off longer. False when nobody waits for it any more. Blocks: never.
  bool answer(const PolledRequest& request, int status, const std::vector<std::string_view>& headers,
              std::string_view body);
  // No request comes any more; whoever waits in take() is let go. Blocks: never.
  void end() noexcept;

  // Keeps what the next request is to be signed over, for its signature_base; the Signature header is then left out of
  // it. It is a SignFunction but for the key's id.
  bool postpone_signing(std::string_view base, std::string& signature);

  void start(const HttpRequest& request) override;
  bool poll(std::chrono::milliseconds timeout, HttpAnswer& answer) override;
  void wake() override;
  void cancel() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace yukha

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif  // YUKHA_POLLED_TRANSPORT_HPP

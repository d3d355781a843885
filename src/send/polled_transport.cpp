#include "send/polled_transport.hpp"

#include <algorithm>
#include <utility>

namespace yukha::send {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using system::Lock;

void PolledTransport::start(const HttpRequest& request) {
  auto made = std::make_shared<PolledRequest>();
  made->url = request.url;
  made->headers = request.headers;
  made->body = request.body;
  made->total_timeout_ms = request.total_timeout.count();
  made->answer_bytes_max = request.answer_bytes_max;
  made->signature_base = std::exchange(base_, {});
  if (!made->signature_base.empty()) {
    const auto is_signature = [](const HttpHeader& header) { return header.name == "Signature"; };
    made->headers.erase(std::remove_if(made->headers.begin(), made->headers.end(), is_signature), made->headers.end());
  }
  Lock lock(mutex_);
  running_ = std::move(made);
  give_up_ = steady_clock::now() + request.total_timeout;
  taken_ = answered_ = false;
  changed_.notify_all();
}

bool PolledTransport::poll(milliseconds timeout, HttpAnswer& answer) {
  // An hour stands for "no limit": the worker looks around and comes back.
  const milliseconds most(3'600'000);
  const auto until = steady_clock::now() + (timeout.count() < 0 ? most : std::min(timeout, most));
  Lock lock(mutex_);
  while (true) {
    if (running_ && !answered_ && steady_clock::now() >= give_up_) {
      answer_ = {};
      answer_.error = taken_ ? "the host brought no answer in time" : "the host did not take the request in time";
      answered_ = true;
    }
    if (running_ && answered_) {
      answer = std::exchange(answer_, {});
      running_.reset();
      return true;
    }
    if (std::exchange(woken_, false)) return false;
    if (steady_clock::now() >= until) return false;
    changed_.wait_until(mutex_, running_ ? std::min(until, give_up_) : until);
  }
}

void PolledTransport::wake() {
  Lock lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

void PolledTransport::cancel() {
  Lock lock(mutex_);
  running_.reset();
}

bool PolledTransport::postpone_signing(std::string_view base, std::string& signature) {
  base_ = base;
  signature.assign(32, '\0');
  return true;
}

std::shared_ptr<PolledRequest> PolledTransport::take(milliseconds wait) {
  const auto until = steady_clock::now() + std::clamp(wait, milliseconds(0), milliseconds(3'600'000));
  Lock lock(mutex_);
  while (!ended_ && (!running_ || taken_ || answered_)) {
    if (steady_clock::now() >= until) return nullptr;
    changed_.wait_until(mutex_, until);
  }
  if (ended_) return nullptr;
  taken_ = true;
  return running_;
}

bool PolledTransport::wanted(const PolledRequest& request) {
  Lock lock(mutex_);
  return running_.get() == &request && !answered_;
}

bool PolledTransport::answer(const PolledRequest& request, HttpAnswer&& answer) {
  Lock lock(mutex_);
  if (running_.get() != &request || answered_) return false;
  answer_ = std::move(answer);
  answered_ = true;
  changed_.notify_all();
  return true;
}

void PolledTransport::end() {
  Lock lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

}  // namespace yukha::send

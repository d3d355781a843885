#include <yukha/polled_transport.hpp>

#include <algorithm>
#include <utility>

#include "send/verdict.hpp"
#include "system/mutex.hpp"

namespace yukha {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using system::Lock;

struct PolledTransport::State {
  std::string base;  // of the request that is being made; only the worker sees it
  system::Mutex mutex;
  system::Condition changed;
  std::shared_ptr<PolledRequest> running YUKHA_GUARDED_BY(mutex);
  steady_clock::time_point give_up YUKHA_GUARDED_BY(mutex);
  HttpAnswer answer YUKHA_GUARDED_BY(mutex);
  bool taken YUKHA_GUARDED_BY(mutex) = false;
  bool answered YUKHA_GUARDED_BY(mutex) = false;
  bool woken YUKHA_GUARDED_BY(mutex) = false;
  bool ended YUKHA_GUARDED_BY(mutex) = false;
};

PolledTransport::PolledTransport() : state_(std::make_unique<State>()) {}
PolledTransport::~PolledTransport() = default;

void PolledTransport::start(const HttpRequest& request) {
  auto made = std::make_shared<PolledRequest>();
  made->url = request.url;
  made->body = request.body;
  made->total_timeout = request.total_timeout;
  made->answer_bytes_max = request.answer_bytes_max;
  made->signature_base = std::exchange(state_->base, {});
  for (const HttpHeader& header : request.headers) {
    if (made->signature_base.empty() || header.name != "Signature") made->headers.push_back(header);
  }
  Lock lock(state_->mutex);
  state_->running = std::move(made);
  state_->give_up = steady_clock::now() + request.total_timeout;
  state_->taken = state_->answered = false;
  state_->changed.notify_all();
}

bool PolledTransport::poll(milliseconds timeout, HttpAnswer& answer) {
  // An hour stands for "no limit": the worker looks around and comes back.
  const milliseconds most(3'600'000);
  const auto until = steady_clock::now() + (timeout.count() < 0 ? most : std::min(timeout, most));
  State& state = *state_;
  Lock lock(state.mutex);
  while (true) {
    if (state.running && !state.answered && steady_clock::now() >= state.give_up) {
      state.answer = {};
      state.answer.error =
          state.taken ? "the host brought no answer in time" : "the host did not take the request in time";
      if (!state.taken) state.answer.body_bytes_sent = 0;
      state.answered = true;
    }
    if (state.running && state.answered) {
      answer = std::exchange(state.answer, {});
      state.running.reset();
      return true;
    }
    if (std::exchange(state.woken, false)) return false;
    if (steady_clock::now() >= until) return false;
    state.changed.wait_until(state.mutex, state.running ? std::min(until, state.give_up) : until);
  }
}

void PolledTransport::wake() {
  Lock lock(state_->mutex);
  state_->woken = true;
  state_->changed.notify_all();
}

void PolledTransport::cancel() {
  Lock lock(state_->mutex);
  state_->running.reset();
}

bool PolledTransport::postpone_signing(std::string_view base, std::string& signature) {
  state_->base = base;
  signature.assign(32, '\0');
  return true;
}

std::shared_ptr<PolledRequest> PolledTransport::take(milliseconds wait) {
  const auto until = steady_clock::now() + std::clamp(wait, milliseconds(0), milliseconds(3'600'000));
  State& state = *state_;
  Lock lock(state.mutex);
  while (!state.ended && (!state.running || state.taken || state.answered)) {
    if (steady_clock::now() >= until) return nullptr;
    state.changed.wait_until(state.mutex, until);
  }
  if (state.ended) return nullptr;
  state.taken = true;
  return state.running;
}

bool PolledTransport::wanted(const PolledRequest& request) noexcept {
  Lock lock(state_->mutex);
  return state_->running.get() == &request && !state_->answered;
}

bool PolledTransport::answer(const PolledRequest& request, int status, const std::vector<std::string_view>& headers,
                             std::string_view body) {
  constexpr std::size_t headers_max = 1000;
  constexpr std::size_t why_bytes_max = 300;
  HttpAnswer answer;
  std::size_t bytes = body.size();
  for (const std::string_view line : headers) bytes += line.size();
  if (bytes > request.answer_bytes_max || headers.size() > headers_max || status < -1 || status > 999) {
    answer.error = "the answer is too large, or none of HTTP";
  } else if (status <= 0) {
    if (status < 0) answer.body_bytes_sent = 0;
    answer.error = body.substr(0, why_bytes_max);
  } else {
    answer.status = status;
    answer.body = body;
    for (const std::string_view line : headers) {
      HttpHeader header;
      if (send::read_header(line, header)) answer.headers.push_back(std::move(header));
    }
  }
  Lock lock(state_->mutex);
  if (state_->running.get() != &request || state_->answered) return false;
  state_->answer = std::move(answer);
  state_->answered = true;
  state_->changed.notify_all();
  return true;
}

void PolledTransport::end() noexcept {
  Lock lock(state_->mutex);
  state_->ended = true;
  state_->changed.notify_all();
}

}  // namespace yukha

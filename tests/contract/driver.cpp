// Speaks the contract suite's part of ../hosts/PROTOCOL.md: time that passes when it is told to, and an endpoint whose
// answers come from standard input.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include <yukha/yukha.hpp>

#include "../hosts/cpp/words.hpp"
#include "../unit/support.hpp"
#include "core/core.hpp"

namespace {

using std::chrono::milliseconds;
using yukha::test::in_hex;
using yukha::test::Words;

// Holds the running request until somebody brings its answer, or its time is over.
class Transport final : public yukha::HttpTransport {
 public:
  // What a caller does who waits for `timeout`.
  using Wait = std::function<void(std::int64_t timeout_ms)>;

  Transport(yukha::system::Clock& clock, Wait wait) : clock_(clock), wait_(std::move(wait)) {}

  void start(const yukha::HttpRequest& request) override {
    ++started_;
    running_ = true;
    answer_.reset();
    request_ = request;
    body_ = std::string(request.body);
    until_ms_ = clock_.monotonic_ms() + request.total_timeout.count();
  }
  bool poll(milliseconds timeout, yukha::HttpAnswer& into) override {
    if (take(into)) return true;
    if (timeout.count() > 0) wait_(timeout.count());
    return take(into);
  }
  void wake() override {}
  void cancel() override { running_ = false; }

  bool answer(yukha::HttpAnswer answer) {
    if (!waits()) return false;
    answer_ = std::move(answer);
    return true;
  }
  bool waits() const { return running_ && !answer_; }
  std::uint64_t started() const { return started_; }

  std::string told() const {
    if (!waits()) return "none";
    std::string out = std::to_string(started_) + " " + in_hex(request_.url) + " " + in_hex(body_);
    for (const yukha::HttpHeader& header : request_.headers) {
      out += " " + in_hex(header.name) + " " + in_hex(header.value);
    }
    return out;
  }

 private:
  bool take(yukha::HttpAnswer& into) {
    if (!running_) return false;
    if (!answer_) {
      if (clock_.monotonic_ms() < until_ms_) return false;
      answer_.emplace().error = "the endpoint said nothing in time";
    }
    running_ = false;
    into = std::move(*answer_);
    answer_.reset();
    return true;
  }

  yukha::system::Clock& clock_;
  Wait wait_;
  std::uint64_t started_ = 0;
  bool running_ = false;
  yukha::HttpRequest request_;
  std::string body_;
  std::int64_t until_ms_ = 0;
  std::optional<yukha::HttpAnswer> answer_;
};

class Driver {
 public:
  void run() {
    std::string line;
    while (std::getline(std::cin, line)) say(obey(line));
  }

 private:
  static constexpr int turns_max = 10'000;  // without time passing; more would be a worker that never rests

  static void say(const std::string& reply) { std::cout << reply << std::endl; }

  std::string obey(const std::string& line) {
    const std::vector<std::string> words = yukha::test::split(line);
    Words given(words);
    const std::string& command = words[0];
    if (command == "seed") {
      dice_ = yukha::test::SeededDice(static_cast<std::uint64_t>(given.number(1)));
      return "0 ok";
    }
    if (command == "clock") {
      clock_.unix_at_zero = given.number(1) - clock_.monotonic;
      return "0 ok";
    }
    if (command == "version") return in_hex(YUKHA_VERSION);
    if (command == "open") return open(yukha::test::settings_in(words));
    if (!core_) return yukha::test::named(yukha::Code::not_open);
    if (command == "request") return transport_->told();
    if (command == "told") return told();
    if (command == "outcome") return outcome_;
    if (command == "answer") return answer(given);
    if (command == "no_answer") return no_answer(given);
    if (command == "advance") return advance(given.number(1));
    if (command == "begin") {
      event_.reset();
      event_.emplace(core_->event());
      return "0 ok";
    }
    if (command == "track" || yukha::test::is_part(command)) return part(command, given);
    if (command == "get_consent") return std::to_string(static_cast<std::int32_t>(core_->consent()));
    // These take the worker, which a flush or a close has.
    if (calling_) return "busy";
    if (command == "work") return work();
    if (command == "consent") {
      return yukha::test::named(core_->set_consent(static_cast<yukha::Consent>(given.number(1))));
    }
    if (command == "erase") return yukha::test::named(core_->erase());
    if (command == "flush") return call([&] { return core_->flush(milliseconds(given.number(1))); });
    if (command == "close") return call([&] { return core_->close(milliseconds(given.number(1))); });
    if (command == "free") {
      event_.reset();
      static_cast<void>(core_->close(milliseconds(0)));
      core_.reset();
      return "0 ok";
    }
    return "unknown";
  }

  std::string open(const yukha::test::Settings& settings) {
    if (core_) return yukha::test::named(yukha::Code::bad_argument);
    yukha::Config config = yukha::test::config_of(settings);
    transport_ = std::make_shared<Transport>(clock_, [this](std::int64_t timeout_ms) { wait(timeout_ms); });
    config.transport = transport_;
    config.use_thread = false;
    yukha::detail::Seams seams;
    seams.clock = &clock_;
    seams.dice = &dice_;
    core_.reset(yukha::detail::Core::open(config, seams));
    return yukha::test::named(core_->status());
  }

  std::string part(const std::string& command, Words& given) {
    if (!event_) return yukha::test::named(yukha::Code::bad_argument);
    if (command != "track") return yukha::test::named(yukha::test::put_part(command, given, *event_));
    const yukha::Status status = event_->track();
    event_.reset();
    return yukha::test::named(status);
  }

  std::string told() const {
    const yukha::Stats stats = core_->stats();
    std::string out;
    const auto number = [&out](const char* name, std::uint64_t value) {
      out += std::string(name) + " " + std::to_string(value) + " ";
    };
    number("accepted", stats.accepted);
    number("delivered", stats.delivered);
    number("waiting", stats.waiting);
    number("quarantined", stats.quarantined);
    number("evicted", stats.evicted);
    number("erased", stats.erased);
    number("lost", stats.lost);
    number("refused", stats.refused);
    number("refused_ring_full", stats.refused_ring_full);
    number("refused_consent", stats.refused_consent);
    number("refused_invalid", stats.refused_invalid);
    number("refused_closed", stats.refused_closed);
    number("refused_policy", stats.refused_policy);
    number("requests", stats.requests);
    number("failures", stats.failures);
    number("next_attempt_ms", static_cast<std::uint64_t>(stats.next_attempt_ms));
    number("policy_ms", static_cast<std::uint64_t>(stats.policy_ms));
    return out + "last_trouble " + in_hex(stats.last_trouble);
  }

  // --- answers and time ----------------------------------------------------------------------------------------------

  std::string answer(Words& given) {
    yukha::HttpAnswer answer;
    answer.status = static_cast<int>(given.number(1));
    answer.body = given.text(2);
    for (const yukha::Member& header : given.members(3)) {
      answer.headers.push_back({std::string(header.name), std::string(header.value)});
    }
    return bring(std::move(answer));
  }

  std::string no_answer(const Words& given) {
    yukha::HttpAnswer answer;
    answer.error = given.text(1);
    return bring(std::move(answer));
  }

  std::string bring(yukha::HttpAnswer answer) {
    if (!transport_->answer(std::move(answer))) return yukha::test::named(yukha::Code::bad_argument);
    if (calling_) {
      goes_on_ = true;
    } else {
      settle();
    }
    return "0 ok";
  }

  std::string work() {
    settle();
    return "0 ok";
  }

  // Runs the worker until it waits for time, an answer or a sentence; says how long it wants to wait.
  std::int64_t settle() {
    for (int turn = 0; turn < turns_max; ++turn) {
      const std::int64_t wait_ms = core_->work(milliseconds(0)).count();
      if (wait_ms != 0) return wait_ms;
    }
    return 1;
  }

  // Time passes until `ms` are over or a request begins. Says how much passed.
  std::string advance(std::int64_t ms) {
    advance_from_ms_ = clock_.monotonic;
    advance_until_ms_ = clock_.monotonic + std::max<std::int64_t>(ms, 0);
    started_before_ = transport_->started();
    if (calling_) {
      goes_on_ = true;
    } else {
      go_on();
    }
    return passed();
  }

  void go_on() {
    while (true) {
      const std::int64_t wait_ms = settle();
      if (time_is_over()) return;
      const std::int64_t left_ms = advance_until_ms_ - clock_.monotonic;
      clock_.monotonic += wait_ms < 0 ? left_ms : std::min(wait_ms, left_ms);
    }
  }

  bool time_is_over() const {
    return clock_.monotonic >= advance_until_ms_ || (transport_->started() != started_before_ && transport_->waits());
  }
  std::string passed() const { return std::to_string(clock_.monotonic - advance_from_ms_); }

  // --- calls that wait -----------------------------------------------------------------------------------------------

  // Such a call answers `waiting` as soon as it waits, and what is said then is obeyed from within its wait. A command
  // that lets it go on is answered when the call waits again, or is over.
  template <typename Call>
  std::string call(const Call& make) {
    calling_ = true;
    outcome_ = "waiting";
    owed_ = outcome_;
    advance_until_ms_ = clock_.monotonic;
    const std::string result = yukha::test::named(make());
    calling_ = false;
    const bool answered = owed_ != outcome_;
    outcome_ = result;
    if (!answered) return result;
    if (owed_ != "advance") return owed_;
    go_on();
    return passed();
  }

  void wait(std::int64_t timeout_ms) {
    if (time_is_over()) {
      say(owed_ == "advance" ? passed() : owed_);
      goes_on_ = false;
      while (!goes_on_) {
        std::string line;
        if (!std::getline(std::cin, line)) std::_Exit(0);
        const std::string reply = obey(line);
        if (!goes_on_) {
          say(reply);
          continue;
        }
        const bool advances = line.compare(0, 7, "advance") == 0;
        owed_ = advances ? "advance" : reply;
        if (!advances) advance_until_ms_ = clock_.monotonic;
      }
      if (owed_ != "advance") return;
    }
    clock_.monotonic += std::min(timeout_ms, advance_until_ms_ - clock_.monotonic);
  }

  yukha::test::StillClock clock_;
  yukha::test::SeededDice dice_{1};
  std::shared_ptr<Transport> transport_;
  std::unique_ptr<yukha::detail::Core> core_;
  std::optional<yukha::Event> event_;
  std::int64_t advance_from_ms_ = 0;
  std::int64_t advance_until_ms_ = 0;
  std::uint64_t started_before_ = 0;
  bool calling_ = false;  // a flush or a close runs
  bool goes_on_ = false;  // it may go on
  std::string owed_;      // the answer to the command that let it go on
  std::string outcome_ = "none";
};

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  Driver driver;
  driver.run();
}

// Hours of bad weather in virtual time: few requests, nothing in quarantine, everything delivered once.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>
#include <yukha/yukha.hpp>

#include "core/core.hpp"
#include "support.hpp"

using namespace yukha;
using namespace std::chrono_literals;
using test::FakeEndpoint;

namespace {

constexpr std::int64_t hour_ms = 3'600'000;

HttpAnswer plain(int status, std::vector<HttpHeader> headers = {}, std::string body = "") {
  HttpAnswer answer;
  answer.status = status;
  answer.headers = std::move(headers);
  answer.body = std::move(body);
  return answer;
}

// A device whose clock moves only while its worker waits, and an endpoint that counts what it took.
class Device {
 public:
  Device() : endpoint_(std::make_shared<FakeEndpoint>(&clock)) {
    Config config = test::sending_config(directory_, endpoint_);
    config.keys = {{"key", "c2VjcmV0c2VjcmV0c2VjcmV0"}};
    config.ring_full_wait = 1s;
    config.queue_bytes_max = 256 << 20;
    detail::Seams seams;
    seams.clock = &clock;
    seams.dice = &dice_;
    core_.reset(detail::Core::open(config, seams));
    REQUIRE(core_->status() == Code::ok);
    endpoint_->answer = [this](const FakeEndpoint::Request& request) { return handle(request); };
  }

  void track(std::size_t count) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string id = std::to_string(taken.size());
      if (core_->event().location("FEED").content(id).action("READ").track().good()) ++kept;
      taken.push_back(0);
    }
    REQUIRE(kept == count);
  }

  // Lets the worker run for that long, a new sentence a minute, at most until so many requests were made.
  void run(std::int64_t for_ms, std::size_t requests_max) {
    const std::int64_t until = clock.monotonic + for_ms;
    std::int64_t next_track = clock.monotonic + 60'000;
    while (clock.monotonic < until && requests < requests_max) {
      if (clock.monotonic >= next_track) {
        track(1);
        next_track += 60'000;
      }
      work(std::min(until, next_track) - clock.monotonic);
    }
  }

  // Until nothing waits, or for that long.
  void deliver(std::int64_t for_ms) {
    const std::int64_t until = clock.monotonic + for_ms;
    while (stats().waiting > 0 && clock.monotonic < until) work(until - clock.monotonic);
  }

  Stats stats() { return core_->stats(); }

  test::StillClock clock;
  // What the endpoint answers instead of taking the batch.
  std::function<HttpAnswer(const FakeEndpoint::Request&)> fault;
  std::size_t requests = 0;
  std::vector<int> taken;  // by sentence, how often the endpoint took it

 private:
  void work(std::int64_t budget_ms) {
    core_->work(std::chrono::milliseconds(budget_ms));
    // An hour's bodies need not be kept; the last may still be under way.
    if (endpoint_->requests.size() > 1)
      endpoint_->requests.erase(endpoint_->requests.begin(), endpoint_->requests.end() - 1);
  }

  HttpAnswer handle(const FakeEndpoint::Request& request) {
    ++requests;
    if (fault) {
      HttpAnswer answer = fault(request);
      if (answer.status != 200 || !answer.body.empty()) return answer;
    }
    for (const std::string& line : request.lines) {
      if (test::is_ledger_line(line)) continue;
      const std::string before = "\"content\":{\"id\":\"";
      ++taken.at(std::stoul(line.substr(line.find(before) + before.size())));
    }
    return test::all_accepted(request.lines.size());
  }

  test::TempDirectory directory_;
  test::SeededDice dice_{7};
  std::shared_ptr<FakeEndpoint> endpoint_;
  std::unique_ptr<detail::Core> core_;
};

}  // namespace

TEST_CASE("an hour of any bad answer costs few requests and no sentence" * doctest::test_suite("exhaustive")) {
  struct Outage {
    std::string name;
    std::function<HttpAnswer(Device&)> answer;
  };
  const Outage outages[] = {
      {"a bare 400", [](Device&) { return plain(400); }},
      {"413", [](Device&) { return plain(413); }},
      {"404", [](Device&) { return plain(404); }},
      {"a captive portal",
       [](Device&) {
         return plain(200, {{"content-type", "text/html"}}, "<html>Welcome</html>");
       }},
      {"500", [](Device&) { return plain(500); }},
      {"no answer, at once", [](Device&) { return plain(0); }},
      {"no answer within a minute",
       [](Device& device) {
         device.clock.monotonic += 60'000;
         return plain(0);
       }},
      {"401 signature", [](Device&) { return plain(401, {}, R"({"error":"signature"})"); }},
      {"401 key", [](Device&) { return plain(401, {}, R"({"error":"key"})"); }},
      {"401 clock", [](Device&) { return plain(401, {}, R"({"error":"clock"})"); }},
      {"403", [](Device&) { return plain(403); }},
      {"409", [](Device&) { return plain(409); }},
      {"409 with Retry-After",
       [](Device&) {
         return plain(409, {{"retry-after", "5"}});
       }},
      {"409 split", [](Device&) { return plain(409, {}, R"({"error":"split"})"); }},
      {"409 conflict", [](Device&) { return plain(409, {}, R"({"error":"conflict"})"); }},
      {"425", [](Device&) { return plain(425); }},
      {"429 with Retry-After",
       [](Device&) {
         return plain(429, {{"retry-after", "20"}});
       }},
      {"503 with Retry-After: 0",
       [](Device&) {
         return plain(503, {{"retry-after", "0"}});
       }},
      {"307 to itself",
       [](Device&) {
         return plain(307, {{"location", "/v1/events"}});
       }},
      {"400 and 413 in turn", [](Device& device) { return plain(device.requests % 2 == 0 ? 400 : 413); }},
      {"400 and 500 in turn", [](Device& device) { return plain(device.requests % 2 == 0 ? 400 : 500); }},
  };
  constexpr std::size_t waiting = 100'000;  // 200 batches
  constexpr std::size_t requests_max = 100;
  for (const Outage& outage : outages) {
    CAPTURE(outage.name);
    Device device;
    device.fault = [&](const FakeEndpoint::Request&) { return outage.answer(device); };
    device.track(waiting);
    REQUIRE(device.stats().waiting == waiting);
    device.run(hour_ms, 20 * requests_max);
    CHECK(device.requests <= requests_max);
    CHECK(device.stats().delivered == 0);
    CHECK(device.stats().quarantined == 0);
    MESSAGE(outage.name << ": " << device.requests << " requests in " << (device.clock.monotonic - 1'000'000) / 1000
                        << " s");

    device.fault = nullptr;
    device.deliver(3 * hour_ms);
    const Stats end = device.stats();
    CHECK(end.waiting == 0);
    CHECK(end.quarantined == 0);
    CHECK(end.evicted == 0);
    CHECK(end.delivered == device.taken.size());
    CHECK(std::all_of(device.taken.begin(), device.taken.end(), [](int times) { return times == 1; }));
  }
}

TEST_CASE("one sentence that the endpoint refuses without a word is found among 500, in few requests") {
  for (const std::size_t poison : {0, 1, 249, 250, 498, 499}) {
    CAPTURE(poison);
    Device device;
    const std::string mark = "\"content\":{\"id\":\"" + std::to_string(poison) + "\"}";
    device.fault = [&mark](const FakeEndpoint::Request& request) {
      for (const std::string& line : request.lines) {
        if (line.find(mark) != std::string::npos) return plain(400);
      }
      return plain(200);
    };
    device.track(500);
    device.deliver(24 * hour_ms);
    const Stats end = device.stats();
    CHECK(end.delivered == 499);
    CHECK(end.quarantined == 1);
    CHECK(end.waiting == 0);
    CHECK(device.requests <= 20);
    MESSAGE("sentence " << poison << ": " << device.requests << " requests, "
                        << (device.clock.monotonic - 1'000'000) / 1000 << " s");
    for (std::size_t i = 0; i < device.taken.size(); ++i) CHECK(device.taken[i] == (i == poison ? 0 : 1));
  }
}

TEST_CASE("what ends a back-off early does so at most once in 10 s, however long the worker slept before") {
  test::TempDirectory directory;
  test::StillClock clock;
  const auto endpoint = std::make_shared<FakeEndpoint>(&clock);
  endpoint->answer = [](const FakeEndpoint::Request&) { return plain(503, {{"retry-after", "3600"}}); };
  Config config = test::sending_config(directory, endpoint);
  config.keys = {{"key", "c2VjcmV0c2VjcmV0c2VjcmV0"}};
  config.suspend_in_background = true;
  detail::Seams seams;
  seams.clock = &clock;
  const std::unique_ptr<detail::Core> core(detail::Core::open(config, seams));
  REQUIRE(core->event().action("READ").track());
  CHECK(core->flush(1s) == Code::still_waiting);
  REQUIRE(endpoint->requests.size() == 1);
  const auto hasten = [&](int way) {
    if (way == 0) REQUIRE(core->set_network(Network::offline));
    if (way == 0) REQUIRE(core->set_network(Network::unmetered));
    if (way == 1) REQUIRE(core->set_keys(config.keys));
    if (way == 2) static_cast<void>(core->background(0ms));
    for (int i = 0; i < 3; ++i) core->work(100ms);
  };
  for (const int way : {0, 1, 2}) {
    CAPTURE(way);
    clock.monotonic += 50'000;
    core->work(0ms);
    clock.monotonic += 50'000;
    const std::size_t before = endpoint->requests.size();
    hasten(way);
    CHECK(core->flush(1s) == Code::still_waiting);
    CHECK(endpoint->requests.size() == before + 1);
  }
}

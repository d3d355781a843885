// A middlebox that resets large bodies stops nothing, and thirty days of any outage cost megabytes.
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
constexpr std::int64_t day_ms = 24 * hour_ms;

// Sentences that do not compress, so that 500 of them are a body of some 600 KB, and a network that counts bytes.
struct Device {
  Device() {
    config.queue_bytes_max = 64 << 20;
    config.ring_full_wait = 1s;
    endpoint->answer = [this](const FakeEndpoint::Request& request) {
      HttpAnswer answer = world(request);
      const auto size = static_cast<std::int64_t>(request.body.size());
      bytes += answer.status != 0 || answer.body_bytes_sent < 0 ? size : std::min(answer.body_bytes_sent, size);
      halved = halved || request.header("Idempotency-Key").find('.') != std::string::npos;
      largest = std::max(largest, size);
      if (answer.status == 200) {
        for (const std::string& line : request.lines) arrived += test::is_ledger_line(line) ? 0 : 1;
      }
      return answer;
    };
    open();
  }
  void open() {
    core.reset();
    detail::Seams seams;
    seams.clock = &clock;
    seams.dice = &dice;
    core.reset(detail::Core::open(config, seams));
    REQUIRE(core->status());
  }
  void track(int count) {
    for (int i = 0; i < count; ++i) {
      std::string text(1'600, ' ');
      for (char& c : text) c = static_cast<char>('0' + dice.below(64));
      std::replace(text.begin(), text.end(), '\\', '-');
      REQUIRE(
          core->event().content("card", {{"a", text.substr(0, 800)}, {"b", text.substr(800)}}).action("READ").track());
    }
  }
  void run(std::int64_t for_ms) {
    const std::int64_t until = clock.monotonic + for_ms;
    while (clock.monotonic < until) {
      core->work(std::chrono::milliseconds(until - clock.monotonic));
      if (endpoint->requests.size() > 1)
        endpoint->requests.erase(endpoint->requests.begin(), endpoint->requests.end() - 1);
      if (core->stats().waiting == 0) return;
    }
  }

  test::TempDirectory directory;
  test::StillClock clock;
  test::SeededDice dice{7};
  std::shared_ptr<FakeEndpoint> endpoint = std::make_shared<FakeEndpoint>(&clock);
  Config config = test::sending_config(directory, endpoint);
  std::unique_ptr<detail::Core> core;
  std::function<HttpAnswer(const FakeEndpoint::Request&)> world;
  std::int64_t bytes = 0;
  std::int64_t largest = 0;
  bool halved = false;
  std::size_t arrived = 0;
};

HttpAnswer no_answer(std::int64_t sent) {
  HttpAnswer answer;
  answer.error = "connection reset";
  answer.body_bytes_sent = sent;
  return answer;
}

std::function<HttpAnswer(const FakeEndpoint::Request&)> resets_above(std::size_t limit) {
  return [limit](const FakeEndpoint::Request& request) {
    return request.body.size() > limit ? no_answer(static_cast<std::int64_t>(limit))
                                       : test::all_accepted(request.lines.size());
  };
}

}  // namespace

TEST_CASE("where large bodies are reset all arrives in smaller ones, and few bytes go in vain") {
  for (const std::size_t limit : {std::size_t{300'000}, std::size_t{8'192}}) {
    CAPTURE(limit);
    Device device;
    device.world = resets_above(limit);
    device.track(2'000);
    device.run(2 * day_ms);
    CHECK(device.core->stats().waiting == 0);
    CHECK(device.core->stats().quarantined == 0);
    CHECK(device.arrived == 2'000);
    CHECK(device.bytes < 4 * 2'600'000);
    MESSAGE(device.bytes << " bytes, " << device.clock.monotonic / 1000 - 1000 << " s");
  }
}

TEST_CASE("the same for an app that lives for seconds") {
  Device device;
  device.world = resets_above(65'536);
  device.track(1'000);
  for (int life = 0; life < 2'000 && device.core->stats().waiting > 0; ++life) {
    device.run(5'000);
    device.clock.monotonic += 300'000;
    device.open();
  }
  CHECK(device.arrived == 1'000);
  CHECK(device.bytes < 4 * 1'300'000);
  MESSAGE(device.bytes << " bytes");
}

TEST_CASE("days without a connection send nothing and halve nothing") {
  Device device;
  device.world = [](const FakeEndpoint::Request&) { return no_answer(0); };
  device.track(600);
  device.run(2 * day_ms);
  CHECK(device.bytes == 0);
  device.world = resets_above(SIZE_MAX);
  device.run(2 * hour_ms);
  CHECK(device.arrived == 600);
  CHECK_FALSE(device.halved);
}

TEST_CASE("thirty days of bodies in vain cost megabytes, on a metered network fewer, and all arrives in the end") {
  HttpAnswer refusal;
  refusal.status = 503;
  for (const bool metered : {false, true}) {
    CAPTURE(metered);
    const bool silent = !metered;
    Device device;
    device.world = [&](const FakeEndpoint::Request&) { return silent ? no_answer(-1) : refusal; };
    REQUIRE(device.core->set_network(metered ? Network::metered : Network::unmetered));
    device.track(1'000);
    device.run(29 * day_ms);
    CHECK(device.bytes <= (metered ? 8 << 20 : 20 << 20));
    CHECK(device.bytes > 0);
    MESSAGE(device.bytes << " bytes in " << device.core->stats().requests << " requests");
    device.world = resets_above(SIZE_MAX);
    device.run(2 * hour_ms);
    CHECK(device.arrived == 1'000);
  }
}

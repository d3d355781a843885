// What dead processes left is delivered by whoever lives, lane after lane, and flush() waits for it.
#include <doctest/doctest.h>

#include <memory>
#include <set>
#include <string>
#include <yukha/yukha.hpp>

#include "core/core.hpp"
#include "life/support.hpp"
#include "support.hpp"

using namespace yukha;
using namespace std::chrono_literals;
using test::FakeEndpoint;
using test::Life;

namespace {

constexpr std::int64_t minute_ms = 60'000;

void track(detail::Core& core, int count, const char* type, Purpose purpose = Purpose::analytics) {
  for (int i = 0; i < count; ++i) REQUIRE(core.event().action(type).purpose(purpose).track());
}

// What a process leaves that ended without an endpoint; tests/guest kills some.
void leave_lane(Life& life, const std::string& name, int sentences, Purpose purpose = Purpose::analytics) {
  Config config = life.config;
  config.endpoint.clear();
  config.lane = name;
  detail::Seams seams;
  seams.clock = &life.clock;
  const std::unique_ptr<detail::Core> core(detail::Core::open(config, seams));
  REQUIRE(core->status());
  track(*core, sentences, name.c_str(), purpose);
}

void leave_dead_lanes(Life& life, int lanes, int sentences) {
  for (int i = 0; i < lanes; ++i) leave_lane(life, "dead-" + std::to_string(i), sentences);
}

std::size_t arrived(const Life& life, const std::string& type) {
  std::size_t count = 0;
  for (const std::string& line : life.endpoint->lines()) count += line.find("\"type\":\"" + type) != std::string::npos;
  return count;
}

// The steps that a thread would make, each when it is due and not before; at most until `until_ms`.
int sleep_and_wake(Life& life, std::int64_t until_ms) {
  int wakes = 0;
  while (true) {
    const auto wait = life.core->work(0ms).count();
    if (wait < 0 || life.clock.monotonic + wait > until_ms) return wakes;
    life.clock.monotonic += wait;
    ++wakes;
  }
}

HttpAnswer answered(int status, const char* after_s = nullptr) {
  HttpAnswer answer;
  answer.status = status;
  if (after_s != nullptr) answer.headers.push_back({"retry-after", after_s});
  return answer;
}

}  // namespace

TEST_CASE("dead lanes are delivered one after the other by a tracker that has nothing of its own, which then sleeps") {
  Life life;
  leave_dead_lanes(life, 15, 40);
  life.config.lane = "mine";
  life.open();
  static_cast<void>(sleep_and_wake(life, life.clock.monotonic + 1'000));
  CHECK(arrived(life, "dead-") == 15 * 40);
  CHECK(sleep_and_wake(life, life.clock.monotonic + 1'000 * minute_ms) == 0);
}

TEST_CASE("a flush is done when what waits in dead lanes has left as well, once each") {
  Life life;
  life.config.lane = "mine";
  life.open();
  CHECK(life.core->flush(1s) == Code::ok);
  // They died after the idle tracker last looked.
  leave_dead_lanes(life, 5, 1'200);
  bool down = true;
  life.endpoint->answer = [&](const FakeEndpoint::Request& request) {
    return down ? answered(503, "20") : test::all_accepted(request.lines.size());
  };
  CHECK(life.core->flush(1s) == Code::still_waiting);
  CHECK(arrived(life, "dead-") > 0);
  down = false;
  life.endpoint->requests.clear();
  CHECK(life.core->flush(60s) == Code::ok);
  CHECK(arrived(life, "dead-") == 5 * 1'200);
  const std::vector<std::string> lines = life.endpoint->lines();
  CHECK(std::set<std::string>(lines.begin(), lines.end()).size() == lines.size());
}

TEST_CASE("an endpoint's rest is over for dead lanes, too, and wakes whoever looks after them") {
  Life life;
  leave_dead_lanes(life, 3, 10);
  bool down = true;
  life.endpoint->answer = [&](const FakeEndpoint::Request& request) {
    return down ? answered(503, "600") : test::all_accepted(request.lines.size());
  };
  life.config.lane = "mine";
  life.open();
  static_cast<void>(sleep_and_wake(life, life.clock.monotonic + minute_ms));
  REQUIRE(life.endpoint->requests.size() == 1);
  down = false;
  life.endpoint->requests.clear();
  CHECK(sleep_and_wake(life, life.clock.monotonic + 30 * minute_ms) <= 10);
  CHECK(arrived(life, "dead-") == 3 * 10);
}

TEST_CASE("a dead lane of which nothing may leave hides no other, and no flush waits for a consent") {
  Life life;
  life.config.lane = "mine";
  life.open();
  const Purpose advertising = Purpose::advertising;
  REQUIRE(life.core->set_consent(Consent::pending, &advertising));
  leave_lane(life, "dead-0", 10, advertising);
  leave_lane(life, "last", 10);
  CHECK(life.core->flush(10s) == Code::ok);
  CHECK(arrived(life, "last") == 10);
  CHECK(arrived(life, "dead-") == 0);
  REQUIRE(life.core->set_consent(Consent::granted, &advertising));
  static_cast<void>(sleep_and_wake(life, life.clock.monotonic + 1'000));
  CHECK(arrived(life, "dead-") == 10);
}

TEST_CASE("a dead lane whose batch is answered busy hides no other, and is asked again in time") {
  Life life;
  leave_dead_lanes(life, 2, 10);
  bool busy = true;
  life.endpoint->answer = [&](const FakeEndpoint::Request& request) {
    // The library's own sentence may stand before the app's.
    const bool first = request.lines.back().find("\"type\":\"dead-0\"") != std::string::npos ||
                       request.lines.front().find("\"type\":\"dead-0\"") != std::string::npos;
    return busy && first ? answered(409, "100") : test::all_accepted(request.lines.size());
  };
  life.config.lane = "mine";
  life.open();
  static_cast<void>(sleep_and_wake(life, life.clock.monotonic + 1'000));
  REQUIRE(life.endpoint->requests.size() == 2);
  busy = false;
  life.endpoint->requests.clear();
  CHECK(life.core->flush(200s) == Code::ok);
  CHECK(arrived(life, "dead-0") == 10);
}

TEST_CASE("offline, a flush of nothing is done at once, and one with a dead lane is not") {
  Life life;
  life.config.lane = "mine";
  life.open();
  REQUIRE(life.core->set_network(Network::offline));
  const std::int64_t began_ms = life.clock.monotonic;
  CHECK(life.core->flush(10s) == Code::ok);
  CHECK(life.clock.monotonic == began_ms);
  leave_dead_lanes(life, 2, 10);
  CHECK(life.core->flush(1s) == Code::still_waiting);
  CHECK(life.endpoint->requests.empty());
  REQUIRE(life.core->set_network(Network::unmetered));
  static_cast<void>(sleep_and_wake(life, life.clock.monotonic + 1'000));
  CHECK(arrived(life, "dead-") == 2 * 10);
}

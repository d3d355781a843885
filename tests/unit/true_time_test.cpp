// Ages are counted by a time that several answers agreed on; one that is wrong costs nothing.
#include "send/true_time.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <yukha/yukha.hpp>

#include "core/core.hpp"
#include "support.hpp"

using namespace yukha;
using namespace std::chrono_literals;
using send::TrueTime;
using test::FakeEndpoint;

namespace {

constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t hour_ms = 60 * minute_ms;
constexpr std::int64_t day_ms = 24 * hour_ms;
constexpr std::int64_t true_ms = 1'779'421'920'000;

// Lives of one app, seconds long, with an advertising sentence that waits for a consent in some.
struct Stage {
  Stage() {
    config.age_max = 1h;
    config.keys = {{"key", "c2VjcmV0c2VjcmV0c2VjcmV0"}};
    endpoint->answer = [this](const FakeEndpoint::Request& request) {
      HttpAnswer answer = test::all_accepted(request.lines.size());
      return tells_time ? test::dated(answer, clock.unix_ms() + off_ms) : answer;
    };
  }
  // Returns what was evicted so far.
  std::uint64_t live(int waiting = 0, std::int64_t for_ms = 0) {
    detail::Seams seams;
    seams.clock = &clock;
    const std::unique_ptr<detail::Core> core(detail::Core::open(config, seams));
    REQUIRE(core->status());
    const Purpose advertising = Purpose::advertising;
    REQUIRE(core->set_consent(Consent::pending, &advertising));
    for (int i = 0; i < waiting; ++i) {
      REQUIRE(core->event().action("AD").purpose(advertising).track());
      core->work(0ms);
      clock.monotonic += 1'000;
      core->work(0ms);
    }
    const std::int64_t until = clock.monotonic + for_ms;
    do {
      REQUIRE(core->event().action("READ").track());
      REQUIRE(core->flush(1s));
      for (int i = 0; i < 3; ++i) core->work(0ms);
      if (for_ms > 0) clock.monotonic += 5 * minute_ms;
    } while (clock.monotonic < until);
    return core->stats().evicted;
  }
  void live_often(int times, std::int64_t apart_ms) {
    for (int i = 0; i < times; ++i) {
      live();
      clock.monotonic += apart_ms;
    }
  }

  test::TempDirectory directory;
  test::StillClock clock;
  std::shared_ptr<FakeEndpoint> endpoint = std::make_shared<FakeEndpoint>(&clock);
  Config config = test::sending_config(directory, endpoint);
  std::int64_t off_ms = 0;  // how wrong the endpoint's clock is
  bool tells_time = true;
};

}  // namespace

TEST_CASE("true time is what three answers agree on, ten minutes apart, in however many processes") {
  TrueTime time(30 * day_ms);
  CHECK(time.learn(true_ms, 1'000));
  CHECK_FALSE(time.learn(true_ms + 9 * minute_ms, 1'000 + 9 * minute_ms));
  CHECK(time.learn(true_ms + 11 * minute_ms, 1'000 + 11 * minute_ms));
  CHECK_FALSE(time.unix_ms(0));
  // The device is off for a day; its clock is two hours slow all the time.
  const std::string kept = time.keep(true_ms + 11 * minute_ms - 2 * hour_ms, 1'000 + 11 * minute_ms);
  TrueTime next(30 * day_ms);
  next.restore(kept, true_ms + day_ms - 2 * hour_ms, 500);
  CHECK(next.learn(true_ms + day_ms, 500));
  REQUIRE(next.unix_ms(1'500));
  CHECK(*next.unix_ms(1'500) == true_ms + day_ms + 1'000);
  CHECK(next.is_settled());
  // What was kept proves nothing until an answer agrees, and never against a clock that was set meanwhile.
  const std::string known = next.keep(true_ms + day_ms, 500);
  TrueTime later(30 * day_ms);
  later.restore(known, true_ms + 2 * day_ms, 700);
  CHECK_FALSE(later.unix_ms(700));
  CHECK_FALSE(later.learn(true_ms + 2 * day_ms - hour_ms, 700) == false);
  CHECK_FALSE(later.unix_ms(700));
  // A clock that stands still agrees with nothing.
  TrueTime standing(30 * day_ms);
  for (int i = 0; i < 20; ++i) standing.learn(true_ms, i * 11 * minute_ms);
  CHECK_FALSE(standing.unix_ms(0));
}

TEST_CASE("an answer that contradicts ends what is counted by age until others agree, and three replace it") {
  TrueTime time(30 * day_ms);
  for (int i = 0; i < 200; ++i) time.learn(true_ms + i * 11 * minute_ms, i * 11 * minute_ms);
  REQUIRE(time.is_settled());
  const std::int64_t now = 200 * 11 * minute_ms;
  CHECK(time.learn(true_ms + now + 365 * day_ms, now));
  CHECK_FALSE(time.unix_ms(now));
  CHECK(time.learn(true_ms + now + day_ms, now + day_ms));
  CHECK(*time.unix_ms(0) == true_ms);
  for (int i = 0; i < 3; ++i) time.learn(true_ms + now + day_ms - hour_ms, now + day_ms);
  CHECK_FALSE(time.unix_ms(0));
  CHECK_FALSE(time.is_settled());
}

TEST_CASE("whatever stands where true time is kept, nothing is believed that was not written") {
  for (const char* kept :
       {"", "x", "1", "1 3 4 5", "1 4 1 1 1", "1 0 1 1 1", "1 -3 1 1 1", "9223372036854775807 3 0 0 0",
        "0 3 -9223372036854775808 0 0", "0 3 0 0 99999999999999999999"}) {
    CAPTURE(kept);
    TrueTime time(day_ms);
    time.restore(kept, true_ms, 1'000);
    CHECK(time.learn(true_ms, 1'000));
    CHECK(time.keep(true_ms, 1'000) == "0 1 1779421920000 1779421920000 0");
  }
}

TEST_CASE("one wrong date evicts nothing, and an app that lives for seconds evicts by age all the same") {
  Stage stage;
  stage.live_often(8, 11 * minute_ms);
  CHECK(stage.live(5) == 0);
  stage.clock.monotonic += 30 * minute_ms;
  // Not even an hour old, and the endpoint is a year ahead for once.
  stage.off_ms = 365 * day_ms;
  CHECK(stage.live() == 0);
  stage.off_ms = 0;
  CHECK(stage.live() == 0);
  stage.clock.monotonic += 31 * minute_ms;
  CHECK(stage.live() == 5);
}

TEST_CASE("what a fresh lesson says costs little before it is contradicted") {
  Stage stage;
  stage.live_often(8, 11 * minute_ms);
  CHECK(stage.live(20) == 0);
  // From now on it is wrong, and says so each time.
  stage.off_ms = 365 * day_ms;
  CHECK(stage.live(0, 50 * minute_ms) <= 2);
  stage.off_ms = 0;
  const std::uint64_t evicted = stage.live(0, 5 * minute_ms);
  CHECK(evicted <= 2);
  CHECK(stage.live() == evicted);
}

TEST_CASE("a 401's date signs the request again and teaches ages nothing") {
  Stage stage;
  stage.live_often(8, 11 * minute_ms);
  CHECK(stage.live(5) == 0);
  const auto well = stage.endpoint->answer;
  stage.tells_time = false;
  bool refused = false;
  stage.endpoint->answer = [&](const FakeEndpoint::Request& request) {
    if (refused = !refused; !refused) return well(request);
    HttpAnswer answer;
    answer.status = 401;
    answer.body = R"({"error":"clock"})";
    return test::dated(answer, stage.clock.unix_ms() + 365 * day_ms);
  };
  const std::size_t before = stage.endpoint->requests.size();
  CHECK(stage.live(0, 45 * minute_ms) == 0);
  CHECK(stage.endpoint->requests.size() == before + 2 * 9);
}

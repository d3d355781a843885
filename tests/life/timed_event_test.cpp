// How long it took: scopes that end, pause, are cut off, or are never shown.
#include <yukha/timed_event.hpp>

#include <limits>
#include <thread>

#include "hold/sqlite.hpp"
#include "life/support.hpp"

using namespace yukha;
using namespace std::chrono_literals;
using test::json;
using test::Life;

namespace {

TimedEvent start(detail::Core& core, const char* type, const Viewability& viewability = {}) {
  Event event = core.event();
  event.location("FEED", {{"y", "3"}}).content("card", {{"type", "card"}}).action(type);
  return event.start(viewability);
}

}  // namespace

TEST_CASE("a scope's end is its sentence's time, and its duration is the monotonic clock's") {
  Life life;
  detail::Core& core = life.open();
  TimedEvent scope = start(core, "READ");
  REQUIRE(scope.status());
  life.clock.monotonic += 4'000;
  CHECK(scope.duration() == 4s);
  life.clock.unix_at_zero -= 5 * 365 * 86'400'000LL;  // years back, while it runs
  life.clock.monotonic += 6'000;
  REQUIRE(scope.end({{"depth", "0.8"}}));
  const json read = life.last("READ");
  CHECK(read["action"] == json{{"type", "READ"}, {"duration_ms", "10000"}, {"depth", "0.8"}});
  CHECK(read["location"] == "app://shop/FEED?y=3");
  CHECK(read["content"] == json{{"id", "card"}, {"type", "card"}});
  CHECK(read["time"].get<std::string>().substr(0, 4) == "2021");
  CHECK(scope.end() == Code::already_tracked);
  CHECK(core.stats().accepted == 1);
}

TEST_CASE("a scope ends with its object, and does not when it was cancelled or moved away") {
  Life life;
  detail::Core& core = life.open();
  {
    TimedEvent left = start(core, "LEFT");
    TimedEvent cancelled = start(core, "CANCELLED");
    cancelled.cancel();
    TimedEvent moved = std::move(left);
    life.clock.monotonic += 1'000;
  }
  CHECK(life.arrived().size() == 1);
  CHECK(life.last("LEFT")["action"]["duration_ms"] == "1000");
  CHECK(core.stats().refused == 0);
}

TEST_CASE("what is paused does not count") {
  Life life;
  detail::Core& core = life.open();
  TimedEvent scope = start(core, "PLAY");
  life.clock.monotonic += 1'000;
  scope.pause();
  scope.pause();
  life.clock.monotonic += 10'000;
  scope.resume();
  scope.resume();
  life.clock.monotonic += 2'000;
  REQUIRE(scope.end());
  CHECK(life.last("PLAY")["action"]["duration_ms"] == "3000");
}

TEST_CASE("an impression counts while enough of it is visible, and is told when that was for long enough") {
  Life life;
  detail::Core& core = life.open();
  TimedEvent seen = start(core, "SEEN", {0.5, 1s});
  TimedEvent glanced = start(core, "GLANCED", {0.5, 1s});
  life.clock.monotonic += 5'000;
  seen.set_visible_fraction(0.5);
  glanced.set_visible_fraction(0.49);
  life.clock.monotonic += 600;
  seen.set_visible_fraction(0.2);
  glanced.set_visible_fraction(1);
  life.clock.monotonic += 5'000;
  glanced.set_visible_fraction(std::numeric_limits<double>::quiet_NaN());
  seen.set_visible_fraction(0.9);
  life.clock.monotonic += 500;
  glanced.set_visible_fraction(-1);
  CHECK(glanced.duration() == 5s);
  REQUIRE(seen.end());
  CHECK(life.last("SEEN")["action"]["duration_ms"] == "1100");
  TimedEvent never = start(core, "NEVER", {0.5, 1s});
  life.clock.monotonic += 60'000;
  CHECK(never.end() == Code::too_short);
  glanced.cancel();
  CHECK(life.arrived().size() == 1);
}

TEST_CASE("what cannot begin says why, and counts as a refused sentence") {
  Life life;
  detail::Core& core = life.open();
  TimedEvent without = core.event().location("FEED").start();
  CHECK(without.status() == Code::missing_action);
  CHECK(without.end() == Code::missing_action);
  CHECK(without.end() == Code::already_tracked);
  CHECK(core.event().action("A", 5s).start().status() == Code::reserved_member);
  CHECK(core.event().action("A").at_unix_ms(0).start().status() == Code::bad_time);
  CHECK(core.event().action("A", {{"Bad", "1"}}).start().status() == Code::bad_member_name);
  CHECK(core.event().action("A").start({1.5, 0s}).status() == Code::bad_argument);
  CHECK(core.event().action("A").start({std::numeric_limits<double>::quiet_NaN(), 0s}).status() == Code::bad_argument);
  CHECK(core.event().action("A").start({0, -1s}).status() == Code::bad_argument);
  CHECK(core.stats().refused_invalid == 7);
  CHECK(Tracker().event().action("A").start().status() == Code::not_open);
  TimedEvent scope = start(core, "A");
  CHECK(scope.end({{"duration_ms", "5"}}) == Code::reserved_member);
  CHECK(core.stats().accepted == 0);
}

TEST_CASE("there is a limit to what may be open at a time") {
  Life life;
  detail::Core& core = life.open();
  std::vector<TimedEvent> open;
  for (int i = 0; i < 256; ++i) {
    open.push_back(start(core, "A"));
    REQUIRE(open.back().status());
  }
  CHECK(start(core, "B").status() == Code::too_many_timed_events);
  open.clear();
  CHECK(core.stats().accepted == 256);
  const std::string large(30'000, 'x');
  Status last;
  for (int i = 0; i < 60; ++i) {
    open.push_back(core.event().content(large).action("C").start());
    last = open.back().status();
  }
  CHECK(last == Code::too_many_timed_events);
  for (TimedEvent& scope : open) scope.cancel();
}

TEST_CASE("close() cuts off what is open, and denied consent or an erase cancels it") {
  Life life;
  detail::Core& core = life.open();
  {
    TimedEvent erased = start(core, "ERASED");
    REQUIRE(core.erase());
    CHECK(erased.end() == Code::already_tracked);
    TimedEvent denied = start(core, "DENIED");
    REQUIRE(core.set_consent(Consent::denied));
    CHECK(denied.end() == Code::already_tracked);
    CHECK(start(core, "REFUSED").status() == Code::consent_denied);
    REQUIRE(core.set_consent(Consent::granted));
    TimedEvent open = start(core, "OPEN");
    life.clock.monotonic += 7'000;
    REQUIRE(core.close(1s));
    CHECK(open.end() == Code::closed);
  }
  life.open();
  CHECK(life.arrived().size() == 1);
  CHECK(life.last("OPEN")["action"] == json{{"type", "OPEN"}, {"duration_ms", "7000"}, {"cut_off", "true"}});
  life.open();
  CHECK(life.arrived().size() == 1);
}

TEST_CASE("a crash cuts off what is open, once, with the duration known by then and the user of then") {
  Life life;
  life.config.session_timeout = 30min;
  test::killed_after([&life] {
    life.endpoint->silent = true;
    detail::Core& core = life.open();
    REQUIRE(core.identify("u_1", {{"plan", "free"}}));
    life.act("BEFORE");
    Event event = core.event();
    event.location("FEED", {{"y", "3"}}).content("card \"9\"").referral("CLICK").action("READ").critical();
    auto* const scope = new TimedEvent(event.start());
    auto* const unseen = new TimedEvent(start(core, "UNSEEN", {0.5, 1s}));
    REQUIRE((scope->status() && unseen->status()));
    for (int i = 0; i < 24; ++i) {
      life.clock.monotonic += 1'000;
      core.work(0ms);
    }
  });
  life.clock.monotonic += 60'000;
  detail::Core& core = life.open();
  CHECK(core.stats().accepted == 2);
  life.act("AFTER");
  const json read = life.last("READ");
  const json before = life.last("BEFORE");
  CHECK(read["user"] == before["user"]);
  CHECK(read["user"]["session_ordinal"] == "1");
  CHECK(read["location"] == "app://shop/FEED?y=3");
  CHECK(read["content"]["id"] == "card \"9\"");
  CHECK(read["referral"] == "CLICK");
  CHECK(read["action"]["cut_off"] == "true");
  const int duration = std::stoi(read["action"]["duration_ms"].get<std::string>());
  CHECK(duration > 10'000);
  CHECK(duration <= 24'000);
  CHECK(read["time"] > before["time"]);
  CHECK(read["device"].count("clock_offset_ms") == 0);
  CHECK(read["device"]["seq"] == "0000000001");
  CHECK(life.last("AFTER")["device"]["seq"] == "0000000002");
  CHECK(read["device"]["run"] == life.last("AFTER")["device"]["run"]);
  CHECK(life.arrived().size() == 3);
  life.open();
  CHECK(life.arrived().size() == 3);
  const Stats stats = life.core->stats();
  CHECK(stats.accepted == 3);
  CHECK(stats.delivered == 3);
  CHECK(stats.lost == 0);
}

TEST_CASE("what ended before a crash is not cut off as well, wherever the kill fell") {
  for (int late = 0; late < 3; ++late) {
    Life life;
    test::killed_after([&] {
      detail::Core& core = life.open();
      auto* const scope = new TimedEvent(start(core, "READ"));
      for (int i = 0; i < 12; ++i) {
        life.clock.monotonic += 1'000;
        core.work(0ms);
      }
      REQUIRE(scope->end());
      // In the ring; looked at, and not due yet; taken over.
      for (int i = 0; i < late; ++i) {
        life.clock.monotonic += i * 1'000;
        core.work(0ms);
      }
    });
    life.open();
    CHECK(life.arrived().size() == 1);
    CHECK(life.last("READ")["action"] == json{{"type", "READ"}, {"duration_ms", "12000"}});
    CHECK(life.core->stats().accepted == 1);
  }
}

TEST_CASE("a worker's thread keeps what is open, and sleeps when nothing is") {
  test::TempDirectory directory;
  Config config = test::plain_config(directory);
  config.use_thread = true;
  config.sync_interval = 50ms;
  test::killed_after([&] {
    auto* const tracker = new Tracker(Tracker::open(config));
    auto* const scope = new TimedEvent(tracker->event().action("READ").start());
    REQUIRE(scope->status());
    std::this_thread::sleep_for(1s);
  });
  Tracker tracker = Tracker::open(config);
  CHECK(tracker.stats().accepted == 1);
}

TEST_CASE("what comes into view after the worker slept is kept from then on") {
  Life life;
  test::killed_after([&life] {
    life.endpoint->silent = true;
    detail::Core& core = life.open();
    auto* const scope = new TimedEvent(start(core, "SEEN", {0.5, 5s}));
    for (int i = 0; i < 30; ++i) {
      life.clock.monotonic += 1'000;
      core.work(0ms);
    }
    CHECK(core.work(0ms) < 0ms);
    scope->set_visible_fraction(1);
    std::int64_t left = 8'000;
    while (left > 0) {
      // As a host without a thread does it: nothing before it is due.
      const std::int64_t wait = core.work(0ms).count();
      if (wait < 0) break;
      life.clock.monotonic += std::max<std::int64_t>(wait, 1);
      left -= std::max<std::int64_t>(wait, 1);
    }
  });
  life.open();
  const json seen = life.last("SEEN");
  CHECK(seen["action"]["cut_off"] == "true");
  CHECK(std::stoi(seen["action"]["duration_ms"].get<std::string>()) >= 5'000);
}

TEST_CASE("what was counted up to a pause is on the disk soon after it") {
  Life life;
  test::killed_after([&life] {
    life.endpoint->silent = true;
    detail::Core& core = life.open();
    auto* const paused = new TimedEvent(start(core, "PAUSED"));
    auto* const cancelled = new TimedEvent(start(core, "CANCELLED"));
    life.clock.monotonic += 1'500;
    core.work(0ms);
    life.clock.monotonic += 7'500;
    paused->pause();
    cancelled->cancel();
    core.work(0ms);
    life.clock.monotonic += 1'500;
    core.work(0ms);
  });
  life.open();
  CHECK(life.arrived().size() == 1);
  CHECK(life.last("PAUSED")["action"]["duration_ms"] == "9000");
}

TEST_CASE("rows of scopes that are not ours do no harm") {
  Life life;
  life.config.sample_rate = 1;
  life.open();
  REQUIRE(life.core->close(1s));
  life.core.reset();
  {
    hold::Database database;
    REQUIRE(database.open(life.directory / "lane-00.queue", nullptr, hold::Sharing::shared));
    REQUIRE(
        database.run("CREATE TABLE IF NOT EXISTS scope(tail TEXT PRIMARY KEY, sentence TEXT NOT NULL)"
                     " WITHOUT ROWID"));
    for (const char* row : {"('"
                            "12345678901234567890123456789012345678901234567890"
                            "', '{}')",
                            "('', '{}')", "('9d41-5f2b8c1e0a77', 'no JSON')",
                            "('9d41-5f2b8c1e0a78', '{\"action\":{\"type\":\"A\"},\"ninth\":1}')",
                            "('9d41-5f2b8c1e0a79', zeroblob(100000))",
                            "('9d41-5f2b8c1e0a7a', '{\"user\":{\"id\":\"u\"},\"action\":{\"type\":\"GOOD\"}}')"}) {
      REQUIRE(database.run((std::string("INSERT INTO scope VALUES") + row).c_str()));
    }
  }
  test::killed_after([&life] {
    life.endpoint->silent = true;
    life.open();
    life.act("IN_THE_RING");
  });
  life.open();
  CHECK(life.arrived().size() == 2);
  CHECK(life.last("GOOD")["user"]["id"] == "u");
}

TEST_CASE("a crash tells nothing of users outside of the sample") {
  Life life;
  life.config.sample_rate = 0.000001;
  test::killed_after([&life] {
    detail::Core& core = life.open();
    auto* const scope = new TimedEvent(start(core, "READ"));
    for (int i = 0; scope->status() && i < 12; ++i) {
      life.clock.monotonic += 1'000;
      core.work(0ms);
    }
  });
  life.open();
  CHECK(life.core->stats().accepted == 0);
}

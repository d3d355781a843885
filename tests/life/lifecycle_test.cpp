// Foreground and background, networks and batteries, and files that are given up and taken again.
#include <yukha/yukha.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <thread>

#include "life/support.hpp"

using namespace yukha;
using namespace std::chrono_literals;
using test::json;
using test::Life;

namespace {

// Lets the worker do what it would in so much time.
void pass(Life& life, std::chrono::milliseconds time) {
  const std::int64_t until = life.clock.monotonic + time.count();
  while (life.clock.monotonic < until) {
    life.core->work(0ms);
    life.clock.monotonic += 500;
  }
  life.core->work(0ms);
}

std::vector<std::string> types(const Life& life) {
  std::vector<std::string> all;
  for (const std::string& line : life.endpoint->lines()) all.push_back(json::parse(line)["action"]["type"]);
  return all;
}

}  // namespace

TEST_CASE("offline nothing is begun and nothing counts as an outage; back online it goes at once") {
  Life life;
  detail::Core& core = life.open();
  REQUIRE(core.set_network(Network::offline));
  life.act("A");
  pass(life, 60s);
  CHECK(core.flush(1s) == Code::still_waiting);
  CHECK(life.endpoint->requests.empty());
  CHECK(core.stats().failures == 0);
  REQUIRE(core.set_network(Network::unmetered));
  pass(life, 1s);
  CHECK(types(life) == std::vector<std::string>{"A"});
}

TEST_CASE("the network's return ends a back-off early, at most once in ten seconds") {
  Life life;
  detail::Core& core = life.open();
  life.endpoint->answer = [](const test::FakeEndpoint::Request&) {
    HttpAnswer answer;
    answer.status = 503;
    return answer;
  };
  life.act("A");
  pass(life, 20min);
  const std::size_t before = life.endpoint->requests.size();
  for (int i = 0; i < 20; ++i) {
    REQUIRE(core.set_network(Network::offline));
    REQUIRE(core.set_network(Network::metered));
    pass(life, 1s);
  }
  CHECK(life.endpoint->requests.size() > before);
  CHECK(life.endpoint->requests.size() <= before + 5);
}

TEST_CASE("on a metered network, a low battery or in the background what is allowed goes, and a flush all the same") {
  for (const int which : {0, 1, 2}) {
    Life life;
    Uploads& policy = which == 0   ? life.config.uploads_on_metered
                      : which == 1 ? life.config.uploads_on_low_battery
                                   : life.config.uploads_in_background;
    policy = Uploads::critical;
    detail::Core& core = life.open();
    const auto holds = [&](bool on) {
      if (which == 0) return core.set_network(on ? Network::metered : Network::unmetered);
      if (which == 1) return core.set_low_battery(on);
      return on ? core.background(0ms) : core.foreground();
    };
    static_cast<void>(holds(true));
    life.act("NORMAL");
    REQUIRE(core.event().action("CRITICAL").critical().track());
    pass(life, 60s);
    CHECK(types(life) == std::vector<std::string>{"CRITICAL"});
    REQUIRE(holds(false));
    pass(life, 60s);
    CHECK(types(life) == std::vector<std::string>{"CRITICAL", "NORMAL"});
    static_cast<void>(holds(true));
    life.act("LATER");
    CHECK(core.flush(60s) == Code::ok);
    CHECK(types(life).back() == "LATER");
  }
}

TEST_CASE("hints and policies outside of their ranges are refused") {
  Life life;
  detail::Core& core = life.open();
  CHECK(core.set_network(static_cast<Network>(7)) == Code::bad_argument);
  CHECK(core.set_network(static_cast<Network>(-1)) == Code::bad_argument);
  life.core.reset();
  life.config.uploads_on_metered = static_cast<Uploads>(3);
  CHECK(Tracker::open(life.config).status() == Code::bad_config);
}

TEST_CASE("background time does not count for scopes, and ends a session when it was long") {
  Life life;
  life.config.session_timeout = 30min;
  life.config.session_background_timeout = 5min;
  detail::Core& core = life.open();
  TimedEvent scope = core.event().action("READ").start();
  life.clock.monotonic += 10'000;
  CHECK(core.background(1s) == Code::ok);
  life.clock.monotonic += 60'000;
  CHECK(core.background(1s) == Code::ok);  // said twice
  life.clock.monotonic += 60'000;
  CHECK(scope.duration() == 10s);
  REQUIRE(core.foreground());
  life.clock.monotonic += 5'000;
  REQUIRE(scope.end());
  CHECK(life.last("READ")["action"]["duration_ms"] == "15000");
  CHECK(life.last("READ")["user"]["session_ordinal"] == "1");
  CHECK(core.background(1s) == Code::ok);
  life.clock.monotonic += 6 * 60'000;
  REQUIRE(core.foreground());
  life.act("BACK");
  CHECK(life.last("BACK")["user"]["session_ordinal"] == "2");
}

TEST_CASE("a suspended tracker holds no file and no lock, and the next call takes them again") {
  Life life;
  life.config.suspend_in_background = true;
  life.config.session_timeout = 30min;
  detail::Core& core = life.open();
  REQUIRE(core.identify("u_1", {}));
  life.act("A");
  CHECK(core.background(5s) == Code::ok);
  CHECK(types(life) == std::vector<std::string>{"A"});
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string path = std::filesystem::read_symlink(entry.path(), gone).string();
    CHECK(path.find(life.directory.path()) == std::string::npos);
  }
  {
    // Another process may have the lane meanwhile.
    Config other = life.config;
    other.lane = "lane-00";
    Tracker neighbour = Tracker::open(other);
    CHECK(neighbour.status() == Code::ok);
  }
  CHECK(core.stats().delivered == 1);
  CHECK(core.background(5s) == Code::ok);  // nothing more to do
  REQUIRE(core.foreground());
  REQUIRE(core.set_network(Network::unmetered));
  CHECK(core.work(0ms) == -1ms);
  life.act("B");
  const json a = life.last("A");
  const json b = life.last("B");
  CHECK(b["user"] == a["user"]);
  CHECK(b["device"]["run"] != a["device"]["run"]);
  CHECK(b["device"]["seq"] == "0000000001");
  const Stats stats = core.stats();
  CHECK(stats.accepted == 2);
  CHECK(stats.delivered == 2);
  CHECK(stats.requests >= 2);
}

TEST_CASE("a lane that another took while it was suspended is left to it") {
  Life life;
  life.config.suspend_in_background = true;
  detail::Core& core = life.open();
  TimedEvent scope = core.event().action("READ").start();
  life.clock.monotonic += 5'000;
  CHECK(core.background(5s) == Code::ok);
  Tracker neighbour = Tracker::open(life.config);
  REQUIRE(neighbour.status() == Code::ok);
  REQUIRE(neighbour.flush(10s));
  life.act("B");
  CHECK(life.last("READ")["action"]["cut_off"] == "true");
  CHECK(life.last("B")["action"]["type"] == "B");
  // Told by the neighbour, who could not know that it goes on.
  CHECK(scope.end() == Code::already_tracked);
  CHECK(life.arrived().size() == 2);
}

TEST_CASE("a named lane that another took is refused with the cause, and closing comes to an end") {
  Life life;
  life.config.suspend_in_background = true;
  life.config.lane = "main";
  detail::Core& core = life.open();
  TimedEvent scope = core.event().action("READ").start();
  life.clock.monotonic += 5'000;
  CHECK(core.background(0ms).good());
  {
    Tracker neighbour = Tracker::open(life.config);
    REQUIRE(neighbour.status() == Code::ok);
    CHECK(core.event().action("A").track() == Code::lane_held);
    CHECK(core.erase() == Code::lane_held);
    CHECK(core.close(1s) == Code::ok);
  }
  CHECK(core.event().action("B").track() == Code::closed);
  CHECK(core.stats().refused_closed == 1);
}

TEST_CASE("an app that is killed in the background is told of with what was counted in the foreground") {
  Life life;
  for (const bool suspends : {false, true}) {
    life.config.suspend_in_background = suspends;
    const std::string type = suspends ? "SUSPENDED" : "RUNNING";
    test::killed_after([&] {
      life.endpoint->silent = true;
      detail::Core& core = life.open();
      auto* const scope = new TimedEvent(core.event().action(type).start({0, 5s}));
      life.clock.monotonic += 1'500;
      core.work(0ms);
      life.clock.monotonic += 7'500;
      static_cast<void>(core.background(0ms));
      CHECK(scope->duration() == 9s);
      core.work(0ms);
      life.clock.monotonic += 1'500;
      core.work(0ms);
    });
    life.open();
    CHECK(life.last(type.c_str())["action"]["duration_ms"] == "9000");
    life.core.reset();
  }
}

TEST_CASE("a scope outlives a suspension, also after an erase") {
  Life life;
  life.config.suspend_in_background = true;
  detail::Core& core = life.open();
  REQUIRE(core.erase());
  TimedEvent scope = core.event().action("READ").start();
  life.clock.monotonic += 5'000;
  CHECK(core.background(5s) == Code::ok);
  life.clock.monotonic += 60'000;
  REQUIRE(core.foreground());
  life.act("B");
  life.clock.monotonic += 2'000;
  REQUIRE(scope.end());
  CHECK(life.last("READ")["action"] == json{{"type", "READ"}, {"duration_ms", "7000"}});
  CHECK(life.arrived().size() == 2);
}

TEST_CASE("what was killed while it was suspended is no crash, and cuts off what was open") {
  Life life;
  life.config.suspend_in_background = true;
  life.config.track_lifecycle = true;
  test::killed_after([&life] {
    detail::Core& core = life.open();
    auto* const scope = new TimedEvent(core.event().action("READ").start());
    life.clock.monotonic += 5'000;
    REQUIRE((scope->status() && core.background(0ms).good()));
  });
  life.open();
  std::vector<std::string> told;
  for (const json& one : life.arrived()) told.push_back(one["action"]["type"]);
  CHECK(told == std::vector<std::string>{"yukha_first_open", "READ"});
  CHECK(life.last("READ")["action"]["cut_off"] == "true");
}

TEST_CASE("a suspended tracker closes, erases and changes consent like any other") {
  Life life;
  life.config.suspend_in_background = true;
  detail::Core& core = life.open();
  life.act("A");
  REQUIRE(core.set_network(Network::offline));
  CHECK(core.background(0ms) == Code::still_waiting);
  REQUIRE(core.erase());
  CHECK(core.stats().erased == 1);
  life.act("B");
  CHECK(core.background(0ms) == Code::still_waiting);
  REQUIRE(core.set_consent(Consent::pending));
  CHECK(core.background(0ms) == Code::still_waiting);
  CHECK(core.consent() == Consent::pending);
  CHECK(core.close(1s) == Code::ok);
  CHECK(core.close(1s) == Code::ok);
  CHECK(core.event().action("C").track() == Code::closed);
  CHECK(core.background(0ms) == Code::closed);
  CHECK(core.foreground() == Code::closed);
  life.open();
  CHECK(life.core->stats().waiting == 1);
}

TEST_CASE("threads that track while the app goes to the background and back lose nothing") {
  test::TempDirectory directory;
  const auto endpoint = std::make_shared<test::FakeEndpoint>();
  Config config = test::sending_config(directory, endpoint);
  config.use_thread = true;
  config.suspend_in_background = true;
  config.session_timeout = 1h;
  std::uint64_t kept = 0;
  {
    Tracker tracker = Tracker::open(config);
    std::atomic<bool> over{false};
    std::atomic<std::uint64_t> count{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        while (!over) {
          if (tracker.event().action("READ").track() == Code::ok) ++count;
          TimedEvent scope = tracker.event().action("SCOPE").start();
          if (scope.end() == Code::ok) ++count;
          if (!tracker.set(Part::user, {{"cohort", "7"}})) break;
          std::this_thread::sleep_for(200us);
        }
      });
    }
    for (int i = 0; i < 30; ++i) {
      static_cast<void>(tracker.enter_background(20ms));
      std::this_thread::sleep_for(5ms);
      CHECK(tracker.enter_foreground());
      CHECK(tracker.set_network(i % 2 == 0 ? Network::metered : Network::unmetered));
      CHECK(tracker.set_low_battery(i % 3 == 0));
    }
    over = true;
    for (std::thread& thread : threads) thread.join();
    REQUIRE(tracker.flush(60s) == Code::ok);
    kept = count;
    CHECK(tracker.stats().accepted == kept);
    CHECK(tracker.stats().delivered == kept);
    REQUIRE(tracker.close(5s) == Code::ok);
  }
  CHECK(kept > 100);
  // A request that a suspension gave up comes again under its key.
  std::set<std::string> arrived;
  for (const std::string& line : endpoint->lines()) arrived.insert(json::parse(line)["id"]);
  CHECK(arrived.size() == kept);
}

TEST_CASE("the C interface has the same hints") {
  test::TempDirectory directory;
  yukha_config config = test::c_config(directory.path());
  config.suspend_in_background = 1;
  config.uploads_on_metered = YUKHA_UPLOADS_CRITICAL;
  yukha_tracker* tracker = yukha_open(&config, nullptr);
  CHECK(yukha_set_network(tracker, YUKHA_NETWORK_METERED) == YUKHA_OK);
  CHECK(yukha_set_network(tracker, 9) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_set_low_battery(tracker, 1) == YUKHA_OK);
  CHECK(yukha_enter_background(tracker, 0) == YUKHA_OK);
  CHECK(yukha_enter_foreground(tracker) == YUKHA_OK);
  CHECK(yukha_track_json(tracker, R"({"action":{"type":"READ"}})", 0) == YUKHA_OK);
  CHECK(yukha_enter_background(nullptr, 0) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_enter_foreground(nullptr) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_set_network(nullptr, 0) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_set_low_battery(nullptr, 0) == YUKHA_BAD_ARGUMENT);
  yukha_free(tracker);
}

TEST_CASE("consent that is changed a hundred times a second from many threads ends as the last one said") {
  test::TempDirectory directory;
  const auto endpoint = std::make_shared<test::FakeEndpoint>();
  Config config = test::sending_config(directory, endpoint);
  config.use_thread = true;
  Tracker tracker = Tracker::open(config);
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&tracker, &over, i] {
      constexpr Consent all[] = {Consent::granted, Consent::pending, Consent::denied};
      for (int turn = i; !over; ++turn) {
        static_cast<void>(tracker.set_consent(all[turn % 3]));
        static_cast<void>(tracker.event().action("READ").track());
        TimedEvent scope = tracker.event().action("SCOPE").start();
        std::this_thread::sleep_for(5ms);
      }
    });
  }
  std::this_thread::sleep_for(700ms);
  over = true;
  for (std::thread& thread : threads) thread.join();
  REQUIRE(tracker.set_consent(Consent::denied) == Code::ok);
  CHECK(tracker.event().action("AFTER").track() == Code::consent_denied);
  const Stats stats = tracker.stats();
  CHECK(stats.waiting == 0);
  CHECK(stats.accepted == stats.delivered + stats.erased);
  REQUIRE(tracker.set_consent(Consent::granted) == Code::ok);
  REQUIRE(tracker.event().action("GRANTED").track() == Code::ok);
  CHECK(tracker.flush(10s) == Code::ok);
}

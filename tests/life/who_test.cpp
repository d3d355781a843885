// Who it was, in which session, and what goes on every sentence.
#include <yukha/yukha.h>

#include "life/support.hpp"

using namespace yukha;
using namespace std::chrono_literals;
using test::json;
using test::Life;

TEST_CASE("what was set goes on every sentence of its part, behind the sentence's own and before the config's") {
  Life life;
  life.config.device = {{"model", "from-config"}, {"store", "alpha"}};
  detail::Core& core = life.open();
  REQUIRE(core.identify("u_1", {{"plan", "free"}, {"city", "Seoul"}}));
  REQUIRE(core.set(Part::user, {{"plan", "trial"}, {"cohort", "7"}}));
  REQUIRE(core.set(Part::device, {{"model", "from-set"}}));
  REQUIRE(core.set(Part::content, {{"catalogue", "spring"}}));
  REQUIRE(core.set(Part::action, {{"origin", "app"}}));
  REQUIRE(core.event()
              .user({{"cohort", "own"}})
              .content("card", {{"catalogue", "own"}})
              .action("FIRST", {{"depth", "1"}})
              .track());
  life.act("SECOND");
  REQUIRE(core.set(Part::user, {{"cohort", "8"}}));
  REQUIRE(core.unset(Part::user, "plan"));
  REQUIRE(core.unset(Part::content, "catalogue"));
  REQUIRE(core.unset(Part::device, "never_set"));
  life.act("THIRD");
  const json first = life.last("FIRST");
  CHECK(first["user"] == json{{"id", "u_1"}, {"city", "Seoul"}, {"plan", "trial"}, {"cohort", "own"}});
  CHECK(first["content"] == json{{"id", "card"}, {"catalogue", "own"}});
  CHECK(first["action"] == json{{"type", "FIRST"}, {"depth", "1"}, {"origin", "app"}});
  CHECK(first["device"]["model"] == "from-set");
  CHECK(first["device"]["store"] == "alpha");
  const json second = life.last("SECOND");
  CHECK(second["content"] == json{{"catalogue", "spring"}});
  CHECK(second["action"] == json{{"type", "SECOND"}, {"origin", "app"}});
  const json third = life.last("THIRD");
  CHECK(third["user"] == json{{"id", "u_1"}, {"plan", "free"}, {"city", "Seoul"}, {"cohort", "8"}});
  CHECK(third["content"] == json::object());
}

TEST_CASE("what cannot be set is refused with its cause and changes nothing") {
  Life life;
  detail::Core& core = life.open();
  REQUIRE(core.set(Part::user, {{"cohort", "7"}}));
  CHECK(core.set(Part::user, {{"cohort", "8"}, {"Bad", "1"}}) == Code::bad_member_name);
  CHECK(core.set(Part::user, {{"cohort", "8"}, {"cohort", "9"}}) == Code::repeated_member);
  CHECK(core.set(Part::user, {{"id", "u_2"}}) == Code::reserved_member);
  CHECK(core.set(Part::device, {{"seq", "1"}}) == Code::reserved_member);
  CHECK(core.set(Part::action, {{"duration_ms", "1"}}) == Code::reserved_member);
  CHECK(core.set(Part::location, {{"y", "3"}}) == Code::bad_argument);
  CHECK(core.set(Part::referral, {{"y", "3"}}) == Code::bad_argument);
  CHECK(core.set(static_cast<Part>(77), {{"y", "3"}}) == Code::bad_argument);
  CHECK(core.unset(static_cast<Part>(-1), "y") == Code::bad_argument);
  CHECK(core.set(Part::user, {{"cohort", std::string(10'000, 'x')}}) == Code::too_many_members);
  const std::string most(2000, 'x');
  REQUIRE(core.set(Part::content, {{"a", most}}));
  REQUIRE(core.set(Part::content, {{"b", most}}));
  CHECK(core.set(Part::content, {{"c", most}}) == Code::too_many_members);
  life.act("READ");
  const json read = life.last("READ");
  CHECK(read["user"]["cohort"] == "7");
  CHECK(read["content"].size() == 2);
}

TEST_CASE("an experiment is a member of the user until the user is another") {
  Life life;
  Tracker tracker = Tracker::open(life.config);
  REQUIRE(tracker.set_experiment("checkout", "B"));
  CHECK(tracker.set_experiment("Check out", "B") == Code::bad_member_name);
  CHECK(tracker.set_experiment(std::string(60, 'x'), "B") == Code::bad_member_name);
  REQUIRE(tracker.event().action("BUY").track());
  REQUIRE(tracker.reset());
  REQUIRE(tracker.event().action("LEFT").track());
  REQUIRE(tracker.flush(10s));
  const json bought = json::parse(life.endpoint->lines()[0]);
  CHECK(bought["user"]["experiment_checkout"] == "B");
  CHECK(json::parse(life.endpoint->lines()[1])["user"].size() == 1);
}

TEST_CASE("who was anonymous and gets a name is told once, as a sentence that knows both") {
  Life life;
  life.config.track_identify = true;
  detail::Core& core = life.open();
  life.act("BEFORE");
  const std::string anonymous = life.last("BEFORE")["user"]["id"];
  REQUIRE(core.identify("u_1", {{"plan", "free"}}));
  REQUIRE(core.identify("u_1", {}));
  REQUIRE(core.identify("u_2", {}));
  REQUIRE(core.reset());
  life.act("AFTER");
  const std::vector<json> all = life.arrived();
  REQUIRE(all.size() == 3);
  CHECK(all[1]["action"] == json{{"type", "yukha_identify"}});
  CHECK(all[1]["user"] == json{{"id", "u_1"}, {"plan", "free"}, {"anonymous_id", anonymous}});
  CHECK(all[2]["user"] == json{{"id", anonymous}});
  CHECK(core.stats().accepted == 3);
}

TEST_CASE("the C interface has the same words") {
  test::TempDirectory directory;
  yukha_config config = test::c_config(directory.path());
  config.endpoint = "http://127.0.0.1:9";
  config.own_transport = 1;
  config.session_timeout_ms = 60'000;
  config.track_identify = 1;
  config.track_lifecycle = 1;
  yukha_tracker* tracker = yukha_open(&config, nullptr);
  const yukha_member cohort = {"cohort", "7 and more", 1};
  CHECK(yukha_set(tracker, YUKHA_PART_USER, &cohort, 1) == YUKHA_OK);
  CHECK(yukha_set_experiment(tracker, "checkout", "B and more", 1) == YUKHA_OK);
  CHECK(yukha_identify(tracker, "u_1", 0, nullptr, 0) == YUKHA_OK);
  CHECK(yukha_unset(tracker, YUKHA_PART_USER, "cohort") == YUKHA_OK);
  CHECK(yukha_reset(tracker) == YUKHA_OK);
  CHECK(yukha_set(tracker, 2, &cohort, 1) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_set(tracker, YUKHA_PART_USER, nullptr, 1) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_unset(tracker, YUKHA_PART_USER, nullptr) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_set_experiment(tracker, "checkout", nullptr, 0) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_reset(nullptr) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_flush(tracker, 0) == YUKHA_STILL_WAITING);
  yukha_request* request = yukha_request_take(tracker, 0);
  REQUIRE(request != nullptr);
  size_t size = 0;
  const void* body = yukha_request_body(request, &size);
  std::string text;
  REQUIRE(send::gunzip({static_cast<const char*>(body), size}, 1 << 20, text));
  yukha_request_free(request);
  yukha_free(tracker);
  std::vector<std::string> lines;
  for (const std::string& line : test::split_lines(text)) {
    if (!test::is_ledger_line(line)) lines.push_back(line);
  }
  REQUIRE(lines.size() == 2);
  CHECK(json::parse(lines[0])["action"]["type"] == "yukha_first_open");
  const json met = json::parse(lines[1]);
  CHECK(met["action"]["type"] == "yukha_identify");
  CHECK(met["user"]["cohort"] == "7");
  CHECK(met["user"]["experiment_checkout"] == "B");
  CHECK(met["user"]["session_ordinal"] == "1");
}

// --- sessions --------------------------------------------------------------------------------------------------------

namespace {

std::string ordinal_of(const json& sentence) {
  return sentence["user"].value("session_ordinal", "none");
}

}  // namespace

TEST_CASE("without a timeout there are no sessions") {
  Life life;
  life.open();
  life.act("READ");
  CHECK(life.last("READ")["user"].size() == 1);
}

TEST_CASE("a session ends after its timeout, whatever the wall clock does meanwhile") {
  Life life;
  life.config.session_timeout = 30min;
  life.open();
  life.act("A");
  life.clock.monotonic += 29 * 60'000;
  life.act("B");
  constexpr std::int64_t years = 3 * 365 * 86'400'000LL;
  life.clock.unix_at_zero += years;
  life.act("C");
  life.clock.unix_at_zero -= 2 * years;
  life.act("D");
  life.clock.monotonic += 30 * 60'000;
  life.act("E");
  CHECK(ordinal_of(life.last("A")) == "1");
  CHECK(ordinal_of(life.last("D")) == "1");
  CHECK(ordinal_of(life.last("E")) == "2");
  const std::string session = life.last("A")["user"]["session"];
  CHECK(session.size() == 16);
  CHECK(life.last("B")["user"]["session"] == session);
  CHECK(life.last("D")["user"]["session"] == session);
  CHECK(life.last("E")["user"]["session"] != session);
}

TEST_CASE("a session goes on in the next process when that comes in time, and its number never comes twice") {
  Life life;
  life.config.session_timeout = 30min;
  life.open();
  life.act("A");
  const std::string session = life.last("A")["user"]["session"];
  life.clock.monotonic += 10 * 60'000;
  life.open();
  life.act("B");
  CHECK(life.last("B")["user"]["session"] == session);
  life.clock.monotonic += 31 * 60'000;
  life.open();
  life.act("C");
  CHECK(ordinal_of(life.last("C")) == "2");
  // A clock that was set back says nothing about how long it was.
  life.core.reset();
  life.clock.unix_at_zero -= 86'400'000;
  life.open();
  life.act("D");
  CHECK(ordinal_of(life.last("D")) == "3");
  // A ring of another size is another file; the numbers go on.
  life.core.reset();
  life.config.ring_bytes = 128 * 1024;
  life.open();
  life.act("E");
  CHECK(ordinal_of(life.last("E")) == "4");
  // Only an erase begins at one again, with a new install id.
  REQUIRE(life.core->erase());
  life.act("F");
  CHECK(ordinal_of(life.last("F")) == "1");
}

TEST_CASE("logging in goes on with the session, another user or nobody begins the next") {
  Life life;
  life.config.session_timeout = 30min;
  detail::Core& core = life.open();
  life.act("A");
  REQUIRE(core.identify("u_1", {}));
  life.act("B");
  REQUIRE(core.identify("u_1", {{"plan", "paid"}}));
  life.act("C");
  REQUIRE(core.identify("u_2", {}));
  life.act("D");
  REQUIRE(core.reset());
  life.act("E");
  CHECK(ordinal_of(life.last("C")) == "1");
  CHECK(ordinal_of(life.last("D")) == "2");
  CHECK(ordinal_of(life.last("E")) == "3");
}

TEST_CASE("an app that counts its own sessions is left to it") {
  Life life;
  life.config.session_timeout = 30min;
  detail::Core& core = life.open();
  REQUIRE(core.set(Part::user, {{"session", "mine"}}));
  life.act("A");
  REQUIRE(core.event().user({{"session", "this"}}).action("B").track());
  CHECK(life.last("A")["user"]["session"] == "mine");
  CHECK(life.last("B")["user"]["session"] == "this");
}

TEST_CASE("a timeout outside its range is a mistake of the config") {
  Life life;
  life.config.session_timeout = 500ms;
  CHECK(Tracker::open(life.config).status() == Code::bad_config);
  life.config.session_timeout = 0ms;
  life.config.session_background_timeout = 25h;
  CHECK(Tracker::open(life.config).status() == Code::bad_config);
}

// --- what the library tells of itself --------------------------------------------------------------------------------

TEST_CASE("the first opening, an update and a restart after a crash are told once each") {
  Life life;
  life.config.track_lifecycle = true;
  life.config.app_version = "1.0";
  life.open();
  life.open();
  CHECK(life.arrived().size() == 1);
  CHECK(life.last("yukha_first_open")["device"]["app_version"] == "1.0");
  life.core.reset();
  life.config.app_version = "1.1";
  life.open();
  life.open();
  const json update = life.last("yukha_update");
  CHECK(life.arrived().size() == 2);
  CHECK(update["content"] == json{{"version", "1.1"}, {"previous_version", "1.0"}});

  life.core.reset();
  test::killed_after([&life] {
    life.open();
    life.act("LAST");
  });
  life.open();
  const json restart = life.last("yukha_restart");
  CHECK(restart["content"] == json{{"previous_run", life.last("LAST")["device"]["run"]}});
  CHECK(restart["device"]["run"] != life.last("LAST")["device"]["run"]);
  life.open();
  CHECK(life.arrived().size() == 4);
}

TEST_CASE("a session goes on after a kill, with what the killed process began") {
  Life life;
  life.config.session_timeout = 30min;
  test::killed_after([&life] {
    life.open();
    life.act("A");
    life.clock.monotonic += 60 * 60'000;
    life.act("B");
  });
  life.clock.monotonic += 61 * 60'000;
  life.open();
  life.act("C");
  CHECK(ordinal_of(life.last("B")) == "2");
  CHECK(ordinal_of(life.last("C")) == "2");
  CHECK(life.last("B")["user"]["session"] == life.last("C")["user"]["session"]);
}

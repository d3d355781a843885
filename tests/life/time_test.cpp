// Honest time, and what a developer sees of it all.
#include <yukha/yukha.h>

#include "life/support.hpp"
#include "send/verdict.hpp"

using namespace yukha;
using namespace std::chrono_literals;
using test::json;
using test::Life;

namespace {

constexpr std::int64_t true_at_zero = 1'779'421'925'301 - 1'000'000;  // StillClock, when it is right

// The endpoint says what time it is.
void tell_time(Life& life) {
  life.endpoint->answer = [&life](const test::FakeEndpoint::Request& request) {
    HttpAnswer answer = test::all_accepted(request.lines.size());
    const std::time_t now = (true_at_zero + life.clock.monotonic) / 1000;
    char date[64];
    std::tm parts{};
    gmtime_r(&now, &parts);
    std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    answer.headers.push_back({"date", date});
    return answer;
  };
}

std::int64_t offset_of(const json& sentence) {
  return std::stoll(sentence["device"]["clock_offset_ms"].get<std::string>());
}

}  // namespace

TEST_CASE("a sentence says how far its clock is off once that is known, and no longer when the clock was set") {
  Life life;
  tell_time(life);
  life.clock.unix_at_zero = true_at_zero - 3'600'000;  // an hour slow
  detail::Core& core = life.open();
  life.act("UNKNOWN");
  CHECK(life.last("UNKNOWN")["device"].count("clock_offset_ms") == 0);
  life.act("KNOWN");
  REQUIRE(core.event().device({{"battery", "80"}}).action("KNOWN_TOO").track());
  REQUIRE(core.event().at_unix_ms(0).action("OWN").track());
  const json known = life.last("KNOWN");
  CHECK(std::abs(offset_of(known) - 3'600'000) <= 1'000);
  CHECK(std::abs(offset_of(life.last("KNOWN_TOO")) - 3'600'000) <= 1'000);
  CHECK(life.last("OWN")["device"]["clock_offset_ms"] == "0");
  // The user sets the clock, and the very next sentence is tracked before any worker could look.
  life.clock.monotonic += 100;
  life.act("STILL_KNOWN");
  life.clock.unix_at_zero = true_at_zero + 86'400'000;
  life.act("JUMPED");
  CHECK(life.last("STILL_KNOWN")["device"].count("clock_offset_ms") == 1);
  CHECK(life.last("JUMPED")["device"].count("clock_offset_ms") == 0);
  life.act("LEARNT");
  CHECK(std::abs(offset_of(life.last("LEARNT")) + 86'400'000) <= 1'000);
}

TEST_CASE("the order inside a run is that of seq, whatever the clock does") {
  Life life;
  life.open();
  std::string seq;
  for (int i = 0; i < 50; ++i) {
    life.clock.unix_at_zero += (i % 2 == 0 ? 1 : -1) * 86'400'000LL * 365 * i;
    life.act(("A" + std::to_string(i)).c_str());
    const json one = life.last(("A" + std::to_string(i)).c_str());
    CHECK(one["device"]["seq"].get<std::string>() > seq);
    seq = one["device"]["seq"];
  }
}

// --- what a developer sees -------------------------------------------------------------------------------------------

TEST_CASE("with debug each sentence is a line that can be read, and each refusal says why") {
  Life life;
  life.config.debug = true;
  life.config.model = "iPhone15,2";
  std::vector<std::string> said;
  life.config.log = [&said](LogLevel level, std::string_view text) {
    if (level == LogLevel::debug) said.emplace_back(text);
  };
  detail::Core& core = life.open();
  REQUIRE(core.identify("u_1842", {}));
  REQUIRE(
      core.event().location("FEED", {{"y", "3"}}).content("card_913").referral("CLICK").action("READ", 10s).track());
  REQUIRE(core.event().action("BUY", 49ms, {{"price", "9.5"}, {"currency", "KRW"}}).track());
  REQUIRE(core.event().location("FEED", {{"y", "3"}, {"tab", "2"}}).action("OPEN").track());
  REQUIRE(core.event().location("https://a.example/x?y=1").action("OPEN").track());
  REQUIRE(core.event().action("OPEN").track());
  CHECK(core.event().location("FEED").track() == Code::missing_action);
  REQUIRE(said.size() == 6);
  CHECK(said[0] == "u_1842 on iPhone15,2 in FEED at y=3 came by CLICK and READ card_913 for 10.0 s");
  CHECK(said[1] == "u_1842 on iPhone15,2 did BUY for 0.0 s with price=9.5, currency=KRW");
  CHECK(said[2] == "u_1842 on iPhone15,2 in FEED at y=3, tab=2 did OPEN");
  CHECK(said[3] == "u_1842 on iPhone15,2 in https://a.example/x?y=1 did OPEN");
  CHECK(said[4] == "u_1842 on iPhone15,2 did OPEN");
  CHECK(said[5].find("refused: a sentence needs an action") == 0);
}

TEST_CASE("the latest lines of the log can be fetched, and the oldest give way") {
  test::TempDirectory directory;
  Config config = test::plain_config(directory);
  config.debug = true;
  config.log_lines_max = 3;
  Tracker tracker = Tracker::open(config);
  for (const char* type : {"A", "B", "C", "D"}) REQUIRE(tracker.event().action(type).track());
  const std::vector<LogLine> notices = tracker.take_log_lines();
  REQUIRE(notices.size() == 3);
  CHECK(notices[0].level == LogLevel::debug);
  CHECK(notices[0].text.find("did B") != std::string::npos);
  CHECK(notices[2].text.find("did D") != std::string::npos);
  CHECK(tracker.take_log_lines().empty());
  config.log_lines_max = 10'001;
  CHECK(Tracker::open(config).status() == Code::bad_config);
}

TEST_CASE("a C host polls notices, durations and refusals by reason") {
  test::TempDirectory directory;
  yukha_config config = test::c_config(directory.path());
  config.debug = 1;
  config.log_lines_max = 10;
  config.no_device_facts = 1;
  config.deny_members = "user.email;user.phone";
  yukha_tracker* tracker = yukha_open(&config, nullptr);
  const yukha_member email = {"email", "a@b.c", 0};
  CHECK(yukha_identify(tracker, "u_1", 0, &email, 1) == YUKHA_OK);
  yukha_event* sentence = yukha_event_new(tracker);
  CHECK(yukha_event_action(sentence, "READ", 0, -1, nullptr, 0) == YUKHA_OK);
  yukha_timed_event* scope = yukha_timed_event_start(sentence, 0, 0);
  REQUIRE(scope != nullptr);
  yukha_timed_event_pause(scope);
  yukha_timed_event_resume(scope);
  yukha_timed_event_set_visible_fraction(scope, 1);
  CHECK(yukha_timed_event_duration_ms(scope) >= 0);
  CHECK(yukha_timed_event_end(scope, nullptr, 1) == YUKHA_BAD_ARGUMENT);
  const yukha_member depth = {"depth", "0.8", 0};
  CHECK(yukha_timed_event_end(scope, &depth, 1) == YUKHA_OK);
  CHECK(yukha_timed_event_end(scope, nullptr, 0) == YUKHA_ALREADY_TRACKED);
  yukha_timed_event_free(scope);
  CHECK(yukha_timed_event_start(sentence, 0, 0) == nullptr);  // without an action
  yukha_timed_event_free(nullptr);
  CHECK(yukha_timed_event_end(nullptr, nullptr, 0) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_timed_event_duration_ms(nullptr) == 0);
  int32_t level = 0;
  char text[200];
  CHECK(yukha_take_log_line(tracker, &level, text, sizeof text) > 0);
  CHECK(level == 4);
  CHECK(std::string(text).find("u_1 did READ for 0.0 s") == 0);
  CHECK(yukha_take_log_line(tracker, &level, text, sizeof text) > 0);
  CHECK(std::string(text).find("refused: ") == 0);
  CHECK(yukha_take_log_line(tracker, &level, text, sizeof text) == 0);
  yukha_stats stats;
  CHECK(yukha_get_stats(tracker, &stats, sizeof stats) == YUKHA_OK);
  CHECK(stats.accepted == 1);
  CHECK(stats.refused_invalid == 1);
  CHECK(stats.refused_sampled == 0);
  yukha_event_free(sentence);
  yukha_free(tracker);
}

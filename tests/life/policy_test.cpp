// What an endpoint asks of its clients: obeyed where the app allows it, bounded, ended by itself, and never at the cost
// of what is kept.
#include <chrono>
#include <string>
#include <vector>

#include "hold/sqlite.hpp"
#include "life/support.hpp"
#include "send/policy.hpp"
#include "system/json.hpp"

using namespace yukha;
using namespace std::chrono_literals;
using test::FakeEndpoint;
using test::json;
using test::Life;

namespace {

// An endpoint that adds its policy to every answer, while there is one.
struct Asked : Life {
  std::string policy;

  Asked() {
    config.obey_policy = true;
    config.log_lines_max = 100;
    endpoint->answer = [this](const FakeEndpoint::Request& request) {
      HttpAnswer answer = test::all_accepted(request.lines.size());
      if (!policy.empty()) answer.body.insert(answer.body.size() - 1, ",\"policy\":" + policy);
      return answer;
    };
  }
  // Opens, and hears it.
  void hear(const std::string& told) {
    policy = told;
    open();
    act("HEAR");
    REQUIRE(core->flush(60s) == Code::ok);
    policy.clear();
  }
  Status try_to(const char* action) { return core->event().action(action).track(); }
  void pass(std::int64_t ms) {
    const std::int64_t until = clock.monotonic + ms;
    while (clock.monotonic < until) core->work(std::chrono::milliseconds(until - clock.monotonic));
  }
  std::string notices() {
    std::string all;
    for (const LogLine& notice : core->notices()) all += notice.text + "\n";
    return all;
  }
};

std::optional<send::Policy> told(const std::string& text) {
  return send::Policy::told(system::read_json(text), 1'000);
}

}  // namespace

TEST_CASE("a policy is taken whole, in its ranges, or not at all") {
  const auto policy = told(
      R"({"for_s":604800,"pause_s":86400,"upload_interval_s":86400,"share_percent":0,"stop":["A","*"],"later":[1]})");
  REQUIRE(policy);
  CHECK(policy->text() == R"({"at":1000,"for_s":604800,"pause_s":86400,"upload_interval_s":86400,"share_percent":0,)"
                          R"("stop":["A","*"]})");
  const auto again = send::Policy::kept(policy->text());
  REQUIRE(again);
  CHECK(again->text() == policy->text());
  CHECK(told(R"({"for_s":0})"));
  std::string many = "\"a\"";
  for (int i = 0; i < 64; ++i) many += ",\"a\"";
  for (const std::string& bad : std::vector<std::string>{"[]",
                                                         "{}",
                                                         "null",
                                                         "\"x\"",
                                                         R"({"pause_s":1})",
                                                         R"({"for_s":604801})",
                                                         R"({"for_s":-1})",
                                                         R"({"for_s":1.5})",
                                                         R"({"for_s":"1"})",
                                                         R"({"for_s":99999999999999999999})",
                                                         R"({"for_s":604800,"pause_s":86401})",
                                                         R"({"for_s":10,"pause_s":11})",
                                                         R"({"for_s":10,"upload_interval_s":86401})",
                                                         R"({"for_s":10,"share_percent":101})",
                                                         R"({"for_s":10,"share_percent":true})",
                                                         R"({"for_s":10,"stop":"A"})",
                                                         R"({"for_s":10,"stop":[1]})",
                                                         R"({"for_s":10,"stop":[""]})",
                                                         R"({"for_s":10,"stop":["a\nb"]})",
                                                         R"({"for_s":10,"stop":[")" + std::string(65, 'a') + "\"]}",
                                                         R"({"for_s":10,"stop":[)" + many + "]}"}) {
    CAPTURE(bad);
    CHECK_FALSE(told(bad));
  }
  for (const char* bad : {"", "{}", "[1]", R"({"at":1})"}) CHECK_FALSE(send::Policy::kept(bad));
}

TEST_CASE("an action that the endpoint does not want is refused with a status and a count of its own, for as long") {
  Asked life;
  life.hear(R"({"for_s":600,"stop":["PING","quote\"d"]})");
  CHECK(life.notices().find(R"("stop":["PING","quote\"d"]})") != std::string::npos);
  CHECK(life.try_to("PING") == Code::stopped_by_policy);
  CHECK(life.try_to("quote\"d") == Code::stopped_by_policy);
  CHECK(life.try_to("PING2") == Code::ok);
  CHECK(life.core->stats().refused_policy == 2);
  CHECK(life.core->stats().refused == 2);
  CHECK(life.core->stats().policy_ms > 590'000);
  // The next process remembers it, and the count.
  life.clock.monotonic += 300'000;
  life.open();
  CHECK(life.try_to("PING") == Code::stopped_by_policy);
  CHECK(life.core->stats().refused_policy == 3);
  CHECK(life.core->stats().policy_ms <= 300'000);
  life.clock.monotonic += 301'000;
  CHECK(life.try_to("PING") == Code::ok);
  life.pass(1);
  CHECK(life.core->stats().policy_ms == 0);
  REQUIRE(life.core->flush(60s) == Code::ok);
  CHECK(life.core->stats().delivered == life.core->stats().accepted);
  life.clock.monotonic += 3'600'000;
  life.act("LATER");
  REQUIRE(life.core->flush(60s) == Code::ok);
  std::string ledger;
  for (const FakeEndpoint::Request& request : life.endpoint->requests) {
    for (const std::string& line : request.lines) ledger = test::is_ledger_line(line) ? line : ledger;
  }
  CHECK(json::parse(ledger)["content"]["refused_policy"] == "3");
}

TEST_CASE("all of them, and then none: what is kept already is sent, and consent stays what it is") {
  Asked life;
  life.open();
  life.act("KEPT");
  life.hear(R"({"for_s":600,"stop":["*"]})");
  CHECK(life.try_to("ANY") == Code::stopped_by_policy);
  CHECK(life.core->consent() == Consent::granted);
  CHECK(life.core->stats().waiting == 0);
  // A clock that is set back to before it came does not make it last.
  life.clock.unix_at_zero -= 3'600'000;
  life.open();
  CHECK(life.try_to("ANY") == Code::ok);
}

TEST_CASE("a later policy takes the place of the earlier one, and one without length ends it") {
  Asked life;
  life.hear(R"({"for_s":600,"stop":["A"]})");
  life.policy = R"({"for_s":600,"stop":["B"]})";
  life.act("HEAR");
  REQUIRE(life.core->flush(60s) == Code::ok);
  CHECK(life.try_to("A") == Code::ok);
  CHECK(life.try_to("B") == Code::stopped_by_policy);
  life.policy = R"({"for_s":0})";
  life.act("HEAR");
  REQUIRE(life.core->flush(60s) == Code::ok);
  CHECK(life.try_to("B") == Code::ok);
  CHECK(life.core->stats().policy_ms == 0);
}

TEST_CASE("a share of the users is the same share as the app's own sample, and says so") {
  Asked life;
  life.config.sample_rate = 0.5;
  life.policy = R"({"for_s":600,"share_percent":20})";
  const auto act_as = [&life](int user, const char* action) {
    return life.core->event().user({{"id", "u" + std::to_string(user)}}).action(action).track();
  };
  life.open();
  for (int i = 0; i < 20; ++i) static_cast<void>(act_as(i, "HEAR"));
  REQUIRE(life.core->flush(60s) == Code::ok);
  life.policy.clear();
  int kept = 0;
  int sampled_out = 0;
  int stopped = 0;
  for (int i = 0; i < 1'000; ++i) {
    const Status status = act_as(i, "A");
    kept += status == Code::ok ? 1 : 0;
    sampled_out += status == Code::sampled_out ? 1 : 0;
    stopped += status == Code::stopped_by_policy ? 1 : 0;
  }
  CHECK(kept + sampled_out + stopped == 1'000);
  CHECK(kept > 130);
  CHECK(kept < 270);
  CHECK(stopped > 220);
  CHECK(stopped < 380);
  CHECK(life.last("A")["user"]["sample_rate"] == "0.2");
  life.clock.monotonic += 600'000;
  for (int i = 0; i < 20; ++i) static_cast<void>(act_as(i, "B"));
  CHECK(life.last("B")["user"]["sample_rate"] == "0.5");
}

TEST_CASE("a pause sends nothing, not for a flush either, and ends") {
  Asked life;
  life.hear(R"({"for_s":600,"pause_s":300})");
  life.act("A");
  const std::size_t before = life.endpoint->requests.size();
  CHECK(life.core->flush(10s) == Code::still_waiting);
  CHECK(life.core->stats().next_attempt_ms > 200'000);
  REQUIRE(life.core->set_network(Network::offline));
  REQUIRE(life.core->set_network(Network::unmetered));
  life.open();
  life.pass(250'000);
  CHECK(life.endpoint->requests.size() == before);
  life.pass(100'000);
  CHECK(life.endpoint->requests.size() > before);
  CHECK(life.core->stats().waiting == 0);
}

TEST_CASE("uploads keep the distance that the endpoint asks for") {
  Asked life;
  life.hear(R"({"for_s":3600,"upload_interval_s":120})");
  std::vector<std::int64_t> at;
  life.endpoint->answer = [&](const FakeEndpoint::Request& request) {
    at.push_back(life.clock.monotonic);
    return test::all_accepted(request.lines.size());
  };
  for (int i = 0; i < 900; ++i) {
    life.act("A");
    life.pass(1'000);
  }
  REQUIRE(at.size() >= 6);
  for (std::size_t i = 1; i < at.size(); ++i) CHECK(at[i] - at[i - 1] >= 120'000);
  CHECK(at.size() <= 8);
}

TEST_CASE("nothing of it where the app does not allow it, or where it asks for too much") {
  Asked life;
  SUBCASE("not allowed") {
    life.config.obey_policy = false;
  }
  SUBCASE("too much") {}
  life.hear(life.config.obey_policy ? R"({"for_s":99999999,"stop":["*"]})" : R"({"for_s":600,"stop":["*"]})");
  CHECK(life.try_to("ANY") == Code::ok);
  CHECK(life.core->stats().policy_ms == 0);
  CHECK((life.notices().find("may not ask for") != std::string::npos) == life.config.obey_policy);
}

TEST_CASE("a lane of before there were policies gets its column, and keeps its counters") {
  Life life;
  life.open();
  life.act("A");
  CHECK_FALSE(life.core->event().track());
  life.core.reset();
  {
    hold::Database database;
    REQUIRE(database.open(life.directory / "lane-00.queue", nullptr, hold::Sharing::shared));
    REQUIRE(database.run("ALTER TABLE state DROP COLUMN refused_policy"));
    REQUIRE(database.run("PRAGMA user_version=1"));
    REQUIRE(database.run("PRAGMA wal_checkpoint(TRUNCATE)"));
  }
  life.open();
  CHECK(life.core->stats().accepted == 1);
  CHECK(life.core->stats().refused_invalid == 1);
  life.act("B");
  CHECK(life.arrived().size() >= 2);
}

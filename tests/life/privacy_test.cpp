// What may be kept: denied, hashed and allowed members, and the share of users that is.
#include <limits>

#include "life/support.hpp"
#include "system/crypto.hpp"

using namespace yukha;
using namespace std::chrono_literals;
using test::json;
using test::Life;

namespace {

constexpr const char* key = "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U=";

std::string hashed(std::string_view value) {
  std::string text;
  for (const unsigned char byte : system::hmac_sha256("sixteen bytes or more, please", value)) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", byte);
    text += digits;
  }
  return text;
}

}  // namespace

TEST_CASE("denied members are left out and hashed ones are hashed, from wherever they come") {
  Life life;
  life.config.device = {{"serial", "S1"}, {"carrier", "KT"}};
  life.config.deny_members = {"user.email", "device.serial", "location.q", "content.secret", "action.secret"};
  life.config.hash_members = {"user.id", "user.phone", "device.carrier", "content.id", "location.who"};
  life.config.hash_key_base64 = key;
  detail::Core& core = life.open();
  REQUIRE(core.identify("u_1", {{"email", "a@b.c"}, {"phone", "010"}, {"plan", "free"}}));
  REQUIRE(core.set(Part::content, {{"secret", "x"}, {"open", "y"}}));
  REQUIRE(core.event()
              .location("FEED", {{"q", "my illness"}, {"who", "me"}, {"y", "3"}})
              .content("card")
              .action("READ", {{"secret", "x"}, {"depth", "1"}})
              .track());
  Tracker tracker = Tracker::open([&life] {
    Config other = life.config;
    other.lane = "other";
    return other;
  }());
  REQUIRE(tracker.track_json(R"({"user":{"id":"u_2","email":"x"},"action":{"type":"JSON","secret":"x"}})"));
  REQUIRE(tracker.flush(10s));
  const json read = life.last("READ");
  CHECK(read["user"] == json{{"id", hashed("u_1")}, {"phone", hashed("010")}, {"plan", "free"}});
  CHECK(read["device"].count("serial") == 0);
  CHECK(read["device"]["carrier"] == hashed("KT"));
  CHECK(read["location"] == "app://shop/FEED?who=" + hashed("me") + "&y=3");
  CHECK(read["content"] == json{{"id", hashed("card")}, {"open", "y"}});
  CHECK(read["action"] == json{{"type", "READ"}, {"depth", "1"}});
  const json from_json = life.last("JSON");
  CHECK(from_json["user"] == json{{"id", hashed("u_2")}});
  CHECK(from_json["action"] == json{{"type", "JSON"}});
}

TEST_CASE("with a list of allowed members no other is kept, but for what a sentence needs and the library's own") {
  Life life;
  life.config.session_timeout = 30min;
  life.config.model = "M";
  life.config.os = "O";
  life.config.allow_members = {"user.plan", "location.y", "device.os"};
  detail::Core& core = life.open();
  REQUIRE(core.identify("u_1", {{"email", "a@b.c"}, {"plan", "free"}}));
  REQUIRE(core.event()
              .location("FEED", {{"q", "x"}, {"y", "3"}, {"userId", "x"}})
              .content("card", {{"type", "card"}})
              .action("READ", 5s, {{"depth", "1"}})
              .track());
  const json read = life.last("READ");
  CHECK(read["user"].size() == 4);
  CHECK(read["user"]["plan"] == "free");
  CHECK(read["location"] == "app://shop/FEED?y=3");
  CHECK(read["content"] == json{{"id", "card"}});
  CHECK(read["action"] == json{{"type", "READ"}, {"duration_ms", "5000"}});
  CHECK(read["device"]["os"] == "O");
  CHECK(read["device"].count("model") == 0);
  // A name that is none is a mistake, allowed or not.
  CHECK(core.event().action("READ", {{"Bad", "1"}}).track() == Code::bad_member_name);
}

TEST_CASE("a scope that a crash cut off is not hashed twice") {
  Life life;
  life.config.hash_members = {"user.id", "content.id"};
  life.config.hash_key_base64 = key;
  test::killed_after([&life] {
    detail::Core& core = life.open();
    REQUIRE(core.identify("u_1", {}));
    auto* const scope = new TimedEvent(core.event().content("card").action("READ").start());
    for (int i = 0; scope->status() && i < 12; ++i) {
      life.clock.monotonic += 1'000;
      core.work(0ms);
    }
  });
  life.open();
  const json read = life.last("READ");
  CHECK(read["user"]["id"] == hashed("u_1"));
  CHECK(read["content"]["id"] == hashed("card"));
}

TEST_CASE("rules that cannot be are a mistake of the config") {
  Life life;
  const auto status_with = [&life](const auto& change) {
    Config config = life.config;
    change(config);
    return Tracker::open(config).status().code();
  };
  for (const char* name : {"", "user", "user.", ".id", "user.Id", "owner.id", "referral.x", "user.id", "content.id",
                           "action.type", "action.duration_ms"}) {
    CHECK(status_with([name](Config& config) { config.deny_members = {name}; }) == Code::bad_config);
  }
  CHECK(status_with([](Config& config) { config.hash_members = {"action.type"}; }) == Code::bad_config);
  CHECK(status_with([](Config& config) { config.hash_members = {"user.id"}; }) == Code::bad_config);
  CHECK(status_with([](Config& config) {
          config.hash_members = {"user.id"};
          config.hash_key_base64 = "c2hvcnQ=";
        }) == Code::bad_config);
  CHECK(status_with([](Config& config) { config.deny_members.assign(300, "user.plan"); }) == Code::bad_config);
}

TEST_CASE("a sample has always the same users, says its rate, and counts those it leaves out") {
  Life life;
  life.config.sample_rate = 0.25;
  detail::Core& core = life.open();
  int kept = 0;
  for (int i = 0; i < 2'000; ++i) {
    const std::string user = "u_" + std::to_string(i);
    REQUIRE(core.identify(user, {}));
    const Status status = core.event().action("READ").track();
    kept += status == Code::ok ? 1 : 0;
    REQUIRE((status == Code::ok || status == Code::sampled_out));
    CHECK(status.good());
    CHECK(core.event().action("READ").track() == status.code());
    // The same user, said in the sentence itself.
    REQUIRE(core.identify("somebody else", {}));
    CHECK(core.event().user({{"id", user}}).action("READ").track() == status.code());
    if (i % 200 == 0) static_cast<void>(core.flush(60s));
  }
  CHECK(kept > 420);
  CHECK(kept < 580);
  for (const json& one : life.arrived()) REQUIRE(one["user"]["sample_rate"] == "0.25");
  const Stats stats = core.stats();
  CHECK(stats.accepted == static_cast<std::uint64_t>(3 * kept));
  CHECK(stats.refused_sampled == static_cast<std::uint64_t>(3 * (2'000 - kept)));
  CHECK(stats.refused == stats.refused_sampled);
  life.open();
  CHECK(life.core->stats().refused_sampled == stats.refused_sampled);
}

TEST_CASE("a rate of one keeps everybody and says nothing, others outside of their range are refused") {
  Life life;
  life.open();
  life.act("READ");
  CHECK(life.last("READ")["user"].size() == 1);
  life.core.reset();
  for (const double rate : {0.0, -0.5, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
    life.config.sample_rate = rate;
    CHECK(Tracker::open(life.config).status() == Code::bad_config);
  }
}

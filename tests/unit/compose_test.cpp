#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>
#include <yukha/yukha.hpp>

#include "compose/line.hpp"
#include "support.hpp"

using namespace yukha;
using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;
using test::TempDirectory;

namespace {

// A tracker whose sentences can be looked at as the endpoint gets them.
class Desk {
 public:
  explicit Desk(void (*change)(Config&) = nullptr) {
    Config config = test::sending_config(directory_, endpoint_);
    config.ring_bytes = 16 << 20;
    if (change != nullptr) change(config);
    tracker = Tracker::open(config);
    REQUIRE(tracker.status() == Code::ok);
  }
  // The lines tracked since the last call.
  std::vector<std::string> lines() {
    REQUIRE(tracker.flush(30s) == Code::ok);
    std::vector<std::string> lines = endpoint_->lines();
    endpoint_->requests.clear();
    return lines;
  }
  Json line() {
    const std::vector<std::string> all = lines();
    REQUIRE(all.size() == 1);
    return Json::parse(all[0]);
  }

 private:
  TempDirectory directory_;
  std::shared_ptr<test::FakeEndpoint> endpoint_ = std::make_shared<test::FakeEndpoint>();

 public:
  Tracker tracker;
};

// A tracker without endpoint, for refusals.
struct Refuser {
  Refuser() : tracker(Tracker::open(test::plain_config(directory))) { REQUIRE(tracker.status() == Code::ok); }
  TempDirectory directory;
  Tracker tracker;
};

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

const std::vector<std::string> eight = {"id", "time", "user", "device", "location", "content", "referral", "action"};

bool all_leaves_are_strings(const Json& line) {
  for (const auto& [key, value] : line.items()) {
    if (value.is_string()) continue;
    if (!value.is_object()) return false;
    for (const auto& [name, leaf] : value.items()) {
      if (!leaf.is_string()) return false;
    }
  }
  return true;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string location_of(const std::string& screen, Members parameters = {}) {
  Desk desk;
  REQUIRE(desk.tracker.event().location(screen, parameters).action("READ").track() == Code::ok);
  return desk.line()["location"];
}

}  // namespace

TEST_CASE("a sentence is the contract's line: eight keys in order, every leaf a string") {
  Desk desk([](Config& config) {
    config.os = "iOS 17.4";
    config.app_version = "3.2.1";
    config.device = {{"carrier", "x"}};
  });
  REQUIRE(desk.tracker.identify("u_1842", {{"session", "7"}}));
  REQUIRE(desk.tracker.event()
              .action("READ", 10s, {{"depth", "0.8"}})
              .referral("CLICK")
              .content("card_913", {{"type", "card"}})
              .location("FEED", {{"y", "3"}})
              .track() == Code::ok);
  const Json line = desk.line();
  CHECK(keys_of(line) == eight);
  CHECK(all_leaves_are_strings(line));
  CHECK(line["user"].dump() == R"({"id":"u_1842","session":"7"})");
  CHECK(keys_of(line["device"]) ==
        std::vector<std::string>{"id", "run", "seq", "sdk", "contract", "os", "app_version", "carrier"});
  CHECK(line["device"]["seq"] == "0000000001");
  CHECK(line["device"]["sdk"] == "yukha/" YUKHA_VERSION);
  CHECK(line["device"]["contract"] == "1");
  CHECK(line["device"]["run"].get<std::string>().size() == 16);
  CHECK(line["location"] == "app://shop/FEED?y=3");
  CHECK(line["content"].dump() == R"({"id":"card_913","type":"card"})");
  CHECK(line["referral"] == "CLICK");
  CHECK(line["action"].dump() == R"({"type":"READ","duration_ms":"10000","depth":"0.8"})");
  const std::string id = line["id"];
  CHECK(id.size() == 36);
  CHECK(id[14] == '7');
  CHECK(std::string("89ab").find(id[19]) != std::string::npos);
  const std::string time = line["time"];
  CHECK(time.size() == 24);
  CHECK(time.back() == 'Z');
}

TEST_CASE("parts that were not given are there and empty, and somebody anonymous did it") {
  Desk desk;
  REQUIRE(desk.tracker.event().action("OPEN").track());
  const Json line = desk.line();
  CHECK(keys_of(line) == eight);
  CHECK(line["location"] == "");
  CHECK(line["content"].dump() == "{}");
  CHECK(line["referral"] == "");
  CHECK(line["user"]["id"] == line["device"]["id"]);
  CHECK_FALSE(line["device"].contains("clock_offset_ms"));
}

TEST_CASE("sentences of a run are numbered from one without a gap, refusals take no number") {
  Desk desk;
  for (int i = 0; i < 20; ++i) {
    REQUIRE(desk.tracker.event().action("READ").track());
    CHECK_FALSE(desk.tracker.event().track());
    CHECK_FALSE(desk.tracker.event().action("READ").content("x", {{"Bad", ""}}).track());
  }
  const std::vector<std::string> lines = desk.lines();
  REQUIRE(lines.size() == 20);
  std::set<std::string> ids;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Json line = Json::parse(lines[i]);
    CHECK(std::stoull(line["device"]["seq"].get<std::string>()) == i + 1);
    ids.insert(line["id"].get<std::string>());
  }
  CHECK(ids.size() == 20);
}

TEST_CASE("a sentence's own members replace those that stand for all, for itself alone") {
  Desk desk([](Config& config) { config.os = "given"; });
  REQUIRE(desk.tracker.identify("u_1", {{"plan", "free"}, {"city", "Seoul"}}));
  REQUIRE(desk.tracker.event()
              .action("READ")
              .user({{"plan", "paid"}, {"id", "u_2"}, {"team", "red"}})
              .device({{"os", "other"}, {"battery", "80"}})
              .track());
  REQUIRE(desk.tracker.event().action("READ").track());
  REQUIRE(desk.tracker.identify(""));
  REQUIRE(desk.tracker.event().action("READ").track());
  const std::vector<std::string> lines = desk.lines();
  REQUIRE(lines.size() == 3);
  const Json changed = Json::parse(lines[0]);
  CHECK(changed["user"].dump() == R"({"id":"u_2","city":"Seoul","plan":"paid","team":"red"})");
  CHECK(changed["device"]["os"] == "other");
  CHECK(changed["device"]["battery"] == "80");
  const std::vector<std::string> device_keys = keys_of(changed["device"]);
  CHECK(std::count(device_keys.begin(), device_keys.end(), "os") == 1);
  CHECK(Json::parse(lines[1])["user"].dump() == R"({"id":"u_1","plan":"free","city":"Seoul"})");
  CHECK(Json::parse(lines[1])["device"]["os"] == "given");
  const Json anonymous = Json::parse(lines[2]);
  CHECK(keys_of(anonymous["user"]) == std::vector<std::string>{"id"});
  CHECK(anonymous["user"]["id"] == anonymous["device"]["id"]);
}

TEST_CASE("a time the app gives stands as given, and needs no correction") {
  Desk desk;
  REQUIRE(desk.tracker.event().action("READ").at_unix_ms(1'779'421'920'123).track());
  REQUIRE(desk.tracker.event().action("READ").at_unix_ms(-62'135'596'800'000).track());
  REQUIRE(desk.tracker.event().action("READ").at_unix_ms(253'402'300'799'999).track());
  REQUIRE(desk.tracker.event().action("READ").at(std::chrono::system_clock::time_point()).track());
  const char* expected[] = {"2026-05-22T03:52:00.123Z", "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z",
                            "1970-01-01T00:00:00.000Z"};
  const std::vector<std::string> lines = desk.lines();
  REQUIRE(lines.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    const Json line = Json::parse(lines[i]);
    CHECK(line["time"] == expected[i]);
    CHECK(line["device"]["clock_offset_ms"] == "0");
    // The id says when it was accepted, not when it happened.
    CHECK(line["id"].get<std::string>().substr(0, 3) >= "019");
  }
}

TEST_CASE("a screen becomes a URL of the app's, a caller's URL is kept") {
  CHECK(location_of("FEED") == "app://shop/FEED");
  CHECK(location_of("level/3 of 7", {{"a b", "c&d=e+f"}}) == "app://shop/level/3%20of%207?a%20b=c%26d%3De%2Bf");
  CHECK(location_of("", {{"y", "3"}}) == "app://shop/?y=3");
  CHECK(location_of("") == "");
  CHECK(location_of("why?#") == "app://shop/why%3F%23");
  CHECK(location_of("https://a.example/x?y=1#f") == "https://a.example/x?y=1#f");
  CHECK(location_of("https://a.example/a b") == "https://a.example/a%20b");
}

TEST_CASE("parameters join a URL's query, before its fragment") {
  CHECK(location_of("https://a.example/x", {{"y", "3"}}) == "https://a.example/x?y=3");
  CHECK(location_of("https://a.example/x?a=b", {{"y", "3"}, {"z", ""}}) == "https://a.example/x?a=b&y=3&z=");
  CHECK(location_of("https://a.example/x#top", {{"y", "3"}}) == "https://a.example/x?y=3#top");
  CHECK(location_of("https://a.example/x?a=b#top?no", {{"y", "3"}}) == "https://a.example/x?a=b&y=3#top?no");
}

TEST_CASE("a caller's fragment is kept with parameters as it is without") {
  for (const char* fragment : {"a%20b", "k=v&w=x", "/route/7", "\xED\x95\x9C", "a#b"}) {
    const std::string url = std::string("https://a.example/x#") + fragment;
    const std::string alone = location_of(url);
    const std::string joined = location_of(url, {{"y", "3"}});
    CHECK(joined == "https://a.example/x?y=3" + alone.substr(alone.find('#')));
  }
}

TEST_CASE("every naughty string comes out as it went in") {
  // Names other inputs than those that tests/make_inputs.py made.
  const char* const told = std::getenv("YUKHA_INPUTS");
  const std::string inputs = told != nullptr ? told : YUKHA_MADE_INPUTS;
  const Json strings = Json::parse(test::read_file(inputs + "/nasty/blns/blns.json"));
  REQUIRE(strings.size() > 500);
  Desk desk;
  for (const Json& one : strings) {
    const std::string nasty = one;
    REQUIRE(desk.tracker.event()
                .location("S", {{nasty, nasty}})
                .content(nasty, {{"text", nasty}})
                .referral(nasty)
                .user({{"note", nasty}})
                .device({{"note", nasty}})
                .action("READ", {{"note", nasty}})
                .track());
  }
  const std::vector<std::string> lines = desk.lines();
  REQUIRE(lines.size() == strings.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string nasty = strings[i];
    const Json line = Json::parse(lines[i]);
    CHECK(keys_of(line) == eight);
    CHECK(line["content"].value("id", "") == nasty);
    CHECK(line["content"]["text"] == nasty);
    CHECK(line["referral"] == nasty);
    CHECK(line["user"]["note"] == nasty);
    CHECK(line["device"]["note"] == nasty);
    CHECK(line["action"]["note"] == nasty);
    const std::string query = line["location"].get<std::string>().substr(std::string("app://shop/S?").size());
    const std::size_t equals = query.find('=');
    REQUIRE(equals != std::string::npos);
    CHECK(percent_decoded(query.substr(0, equals)) == nasty);
    CHECK(percent_decoded(query.substr(equals + 1)) == nasty);
  }
}

TEST_CASE("random bytes give a line that another reader takes, or a refusal") {
  test::SeededDice dice(20'260'522);
  Desk desk;
  const auto bytes = [&dice](std::size_t most) {
    std::string text(dice.below(most + 1), '\0');
    // One in four from a small alphabet, where escapes and URL marks meet often.
    const bool marks = dice.below(4) == 0;
    for (char& c : text) {
      c = marks ? "\"\\%#?&=/:[]@ \x01\xC3\xA9\xED\xA0"[dice.below(18)] : static_cast<char>(dice.next());
    }
    return text;
  };
  std::size_t kept = 0;
  std::size_t refused = 0;
  for (int round = 0; round < 3000; ++round) {
    const std::size_t most = round % 50 == 0 ? 20'000 : 60;
    std::string screen = bytes(most);
    if (dice.below(3) == 0) screen = "s://" + screen;
    const std::string name = dice.below(20) == 0 ? bytes(8) : "n" + std::to_string(dice.below(100));
    const std::string value = bytes(most);
    const Status status = desk.tracker.event()
                              .location(screen, {{bytes(10), bytes(most)}})
                              .content(bytes(most), {{name, value}})
                              .referral(bytes(most))
                              .user({{name, value}})
                              .action("x" + bytes(most), std::chrono::milliseconds(dice.next() >> 1))
                              .track();
    CHECK((status == Code::ok || status == Code::bad_member_name || status == Code::reserved_member ||
           status == Code::sentence_too_large || status == Code::bad_argument));
    ++(status ? kept : refused);
  }
  CHECK(refused > 0);
  const std::vector<std::string> lines = desk.lines();
  CHECK(lines.size() == kept);
  for (const std::string& text : lines) {
    CHECK(text.size() <= compose::line_bytes_max);
    const Json line = Json::parse(text, nullptr, false);
    REQUIRE(!line.is_discarded());
    CHECK(keys_of(line) == eight);
    CHECK(all_leaves_are_strings(line));
  }
}

TEST_CASE("a sentence may have 32 KiB to the byte") {
  Desk desk;
  REQUIRE(desk.tracker.event().action("READ").content("x").track());
  const std::size_t empty = desk.lines()[0].size() - 1;
  const std::size_t most = compose::line_bytes_max - empty;
  CHECK(desk.tracker.event().action("READ").content(std::string(most + 1, 'x')).track() == Code::sentence_too_large);
  REQUIRE(desk.tracker.event().action("READ").content(std::string(most, 'x')).track() == Code::ok);
  CHECK(desk.lines()[0].size() == compose::line_bytes_max);
  // What grows by being encoded counts as it is encoded.
  CHECK(desk.tracker.event().action("READ").content(std::string(most / 6 + 1, '\x01')).track() ==
        Code::sentence_too_large);
  CHECK(desk.tracker.event().action("READ").content(std::string(1 << 20, 'x')).track() == Code::sentence_too_large);
  CHECK(desk.tracker.event().action("READ").location(std::string(1 << 20, ' ')).track() == Code::sentence_too_large);
}

TEST_CASE("names outside the contract are refused by name") {
  Refuser refuser;
  Tracker& tracker = refuser.tracker;
  for (const char* name : {"", "A", "1a", "_a", "a-b", "a.b", "\xC3\xA4"}) {
    const Status status = tracker.event().action("READ").content("c", {{name, "v"}}).track();
    CHECK(status == Code::bad_member_name);
    CHECK(status.detail() == std::string("content.") + name);
  }
  CHECK(tracker.event().action("READ", {{std::string(65, 'a'), ""}}).track() == Code::bad_member_name);
  CHECK(tracker.event().action("READ").user({{"A", ""}}).track() == Code::bad_member_name);
  CHECK(tracker.event().action("READ").device({{"A", ""}}).track() == Code::bad_member_name);
  CHECK(tracker.identify("u", {{"A", ""}}) == Code::bad_member_name);
  CHECK(tracker.stats().refused_invalid == 10);
  CHECK(tracker.stats().refused == 10);
  CHECK(tracker.stats().accepted == 0);
}

TEST_CASE("members that are the library's own are refused by name") {
  Refuser refuser;
  Tracker& tracker = refuser.tracker;
  for (const char* name : {"id", "run", "seq", "sdk", "contract", "clock_offset_ms"}) {
    const Status status = tracker.event().action("READ").device({{name, "v"}}).track();
    CHECK(status == Code::reserved_member);
    CHECK(status.detail() == std::string("device.") + name);
  }
  CHECK(tracker.event().action("READ").content("c", {{"id", "v"}}).track() == Code::reserved_member);
  CHECK(tracker.event().action("READ", {{"type", "v"}}).track() == Code::reserved_member);
  CHECK(tracker.event().action("READ", {{"duration_ms", "v"}}).track() == Code::reserved_member);
  CHECK(tracker.identify("u", {{"id", "v"}}) == Code::reserved_member);
}

TEST_CASE("the same part or member twice is refused by name") {
  Refuser refuser;
  Tracker& tracker = refuser.tracker;
  const auto refused = [](Event&& event) {
    const Status status = event.track();
    CHECK(status == Code::repeated_member);
    return status.detail();
  };
  CHECK(refused(tracker.event().action("A").action("B")) == "action.type");
  CHECK(refused(tracker.event().action("A").location("B").location("C")) == "location");
  CHECK(refused(tracker.event().action("A").location("").location("C")) == "location");
  CHECK(refused(tracker.event().action("A").referral("B").referral("C")) == "referral");
  CHECK(refused(tracker.event().action("A").content("B").content("C")) == "content.id");
  CHECK(refused(tracker.event().action("A").user({{"a", ""}, {"a", ""}})) == "user.a");
  CHECK(refused(tracker.event().action("A").device({{"a", ""}}).device({{"a", ""}})) == "device.a");
  const Status status = tracker.identify("u", {{"plan", "a"}, {"plan", "b"}});
  CHECK(status == Code::repeated_member);
  CHECK(status.detail() == "user.plan");
}

TEST_CASE("what is no sentence is refused with its cause") {
  Refuser refuser;
  Tracker& tracker = refuser.tracker;
  CHECK(tracker.event().track() == Code::missing_action);
  CHECK(tracker.event().content("c").track() == Code::missing_action);
  CHECK(tracker.event().action("").track() == Code::missing_action);
  CHECK(tracker.event().action("A", -1ms).track() == Code::bad_time);
  CHECK(tracker.event().action("A").at_unix_ms(-62'135'596'800'001).track() == Code::bad_time);
  CHECK(tracker.event().action("A").at_unix_ms(253'402'300'800'000).track() == Code::bad_time);
  CHECK(tracker.event().action("A").at_unix_ms(std::numeric_limits<std::int64_t>::min()).track() == Code::bad_time);
  CHECK(tracker.event().action("A").user({{"id", ""}}).track() == Code::bad_argument);
  CHECK(tracker.identify(std::string(3000, 'x')) == Code::too_many_members);
  CHECK(tracker.identify("u", {{"a", std::string(5000, 'x')}}) == Code::too_many_members);
  CHECK(tracker.set_consent(static_cast<Consent>(7)) == Code::bad_argument);
}

TEST_CASE("a sentence is tracked once, and a moved-from builder is empty") {
  Refuser refuser;
  Event first = refuser.tracker.event().action("A");
  CHECK(first.track() == Code::ok);
  CHECK(first.track() == Code::already_tracked);
  Event second = refuser.tracker.event().action("B").content(std::string(4000, 'x'));
  Event third = std::move(second);
  CHECK(second.track() == Code::already_tracked);  // NOLINT(bugprone-use-after-move)
  CHECK(third.track() == Code::ok);
  CHECK(refuser.tracker.stats().accepted == 2);
}

TEST_CASE("a view of nothing is an empty text") {
  Refuser refuser;
  const std::string_view nothing;
  Event event = refuser.tracker.event().action("A").user({{"plan", nothing}}).content("c", {{"title", nothing}});
  CHECK(event.track() == Code::ok);
  CHECK(refuser.tracker.event().action(nothing).track() == Code::missing_action);
}

TEST_CASE("the first mistake is remembered, and later calls do nothing") {
  Refuser refuser;
  Event event = refuser.tracker.event();
  event.action("A").content("c", {{"Bad", ""}}).referral("r").at_unix_ms(std::numeric_limits<std::int64_t>::max());
  CHECK(event.status() == Code::bad_member_name);
  CHECK(event.track() == Code::bad_member_name);
}

TEST_CASE("a full ring refuses, counts it, and takes sentences again once the worker ran") {
  const TempDirectory directory;
  Config config = test::plain_config(directory);
  config.ring_bytes = 64 << 10;
  Tracker tracker = Tracker::open(config);
  Status status;
  std::uint64_t kept = 0;
  while ((status = tracker.event().action("A").content(std::string(1000, 'x')).track()) == Code::ok) ++kept;
  CHECK(status == Code::ring_full);
  CHECK(kept > 20);
  CHECK(tracker.stats().refused_ring_full == 1);
  tracker.work(0ms);
  CHECK(tracker.event().action("A").track() == Code::ok);
  CHECK(tracker.stats().waiting == kept + 1);
}

TEST_CASE("a builder of no tracker answers not_open") {
  Tracker nobody;
  CHECK(nobody.event().action("A").track() == Code::not_open);
  CHECK(nobody.track_json(R"({"action":{"type":"A"}})") == Code::not_open);
  CHECK(nobody.status() == Code::not_open);
  const TempDirectory directory;
  Tracker first = Tracker::open(test::plain_config(directory));
  const Tracker second = std::move(first);
  CHECK(first.event().location("S").action("A").track() == Code::not_open);  // NOLINT(bugprone-use-after-move)
  CHECK(second.status() == Code::ok);
}

TEST_CASE("every code has a name and a sentence of its own") {
  std::set<std::string> names;
  std::set<std::string> messages;
  int count = 0;
  for (int number = -40; number <= 5; ++number) {
    const std::string name = code_name(static_cast<Code>(number));
    if (name == "unknown") continue;
    ++count;
    names.insert(name);
    messages.insert(Status(static_cast<Code>(number)).message());
    CHECK(Status(static_cast<Code>(number)).good() == (number >= 0));
  }
  CHECK(count == 33);
  CHECK(names.size() == 33);
  CHECK(messages.size() == 33);
}

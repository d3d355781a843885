// What an app can say about delivery: keys, signing, quarantine, a transport of its own.
#include <doctest/doctest.h>
#include <yukha/yukha.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>
#include <yukha/yukha.hpp>

#include "core/core.hpp"
#include "hold/sqlite.hpp"
#include "support.hpp"
#include "system/base64.hpp"
#include "system/crypto.hpp"

using namespace yukha;
using namespace std::chrono_literals;
using nlohmann::json;
using test::FakeEndpoint;
using test::StillClock;
using test::TempDirectory;

namespace {

const char* const secret_a = "c2VjcmV0IGEsIHNpeHRlZW4gYnl0ZXM=";
const char* const secret_b = "c2VjcmV0IGIsIHNpeHRlZW4gYnl0ZXM=";

std::string bytes_of(const system::Sha256& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string key_id(const FakeEndpoint::Request& request) {
  const std::string input = request.header("Signature-Input");
  const std::size_t at = input.find("keyid=\"");
  return at == std::string::npos ? "" : input.substr(at + 7, input.find('"', at + 7) - at - 7);
}

HttpAnswer answered(int status, const std::string& body = "") {
  HttpAnswer answer;
  answer.status = status;
  answer.body = body;
  return answer;
}

// Knows these keys alone.
std::function<HttpAnswer(const FakeEndpoint::Request&)> knows(const std::string& known) {
  return [known](const FakeEndpoint::Request& request) {
    if (key_id(request) == known) return test::all_accepted(request.lines.size());
    return answered(401, R"({"error":"key"})");
  };
}

// Rejects every sentence whose content says so.
HttpAnswer rejects_bad(const FakeEndpoint::Request& request) {
  json answer = {{"accepted", 0}, {"rejected", json::array()}};
  int accepted = 0;
  for (std::size_t i = 0; i < request.lines.size(); ++i) {
    if (request.lines[i].find("\"bad\"") == std::string::npos) {
      ++accepted;
    } else {
      answer["rejected"].push_back({{"line", i + 1}, {"id", ""}, {"reason", "not \"good\""}});
    }
  }
  answer["accepted"] = accepted;
  return answered(200, answer.dump());
}

void track(Tracker& tracker, const char* content) {
  REQUIRE(tracker.event().content(content).action("READ").track().good());
}

// A tracker on virtual time.
struct Stage {
  TempDirectory directory;
  StillClock clock;
  std::shared_ptr<FakeEndpoint> endpoint = std::make_shared<FakeEndpoint>(&clock);
  Config config = test::sending_config(directory, endpoint);

  std::unique_ptr<detail::Core> open() {
    detail::Seams seams;
    seams.clock = &clock;
    std::unique_ptr<detail::Core> core(detail::Core::open(config, seams));
    REQUIRE(core->status() == Code::ok);
    return core;
  }
  void pass(detail::Core& core, std::int64_t ms) {
    const std::int64_t until = clock.monotonic + ms;
    while (clock.monotonic < until) static_cast<void>(core.work(std::chrono::milliseconds(until - clock.monotonic)));
  }
};

void track(detail::Core& core) {
  REQUIRE(core.event().content("c").action("READ").track() == Code::ok);
}

}  // namespace

// --- keys ------------------------------------------------------------------------------------------------------------

TEST_CASE("with two keys the one the endpoint knows is found at once, and remembered") {
  const TempDirectory directory;
  const auto endpoint = std::make_shared<FakeEndpoint>();
  endpoint->answer = knows("new");
  Config config = test::sending_config(directory, endpoint);
  config.keys = {{"old", secret_a}, {"new", secret_b}};
  Tracker tracker = Tracker::open(config);
  track(tracker, "1");
  CHECK(tracker.flush(5s) == Code::ok);
  track(tracker, "2");
  CHECK(tracker.flush(5s) == Code::ok);
  REQUIRE(endpoint->requests.size() == 3);
  CHECK(key_id(endpoint->requests[0]) == "old");
  CHECK(key_id(endpoint->requests[1]) == "new");
  CHECK(endpoint->requests[1].body == endpoint->requests[0].body);
  CHECK(key_id(endpoint->requests[2]) == "new");
}

TEST_CASE("an app that signs itself is given key and base, and its signature is sent") {
  const TempDirectory directory;
  const auto endpoint = std::make_shared<FakeEndpoint>();
  Config config = test::sending_config(directory, endpoint);
  config.keys = {{"in the keystore", ""}};
  std::string given_base;
  config.sign = [&](std::string_view id, std::string_view base, std::string& signature) {
    CHECK(id == "in the keystore");
    given_base = base;
    signature = bytes_of(system::hmac_sha256("what the keystore has", base));
    return true;
  };
  Tracker tracker = Tracker::open(config);
  track(tracker, "1");
  CHECK(tracker.flush(5s) == Code::ok);
  REQUIRE(endpoint->requests.size() == 1);
  const auto& request = endpoint->requests[0];
  CHECK(given_base.find("\"idempotency-key\": " + request.header("Idempotency-Key")) != std::string::npos);
  const std::string expected = system::to_base64(bytes_of(system::hmac_sha256("what the keystore has", given_base)));
  CHECK(request.header("Signature") == "yukha=:" + expected + ":");
}

TEST_CASE("an app that does not sign, throws or answers nonsense sends nothing, loses nothing and is asked rarely") {
  void (*const refusals[])(std::string&) = {
      [](std::string&) {},
      [](std::string& signature) { signature = "short"; },
      [](std::string&) { throw 7; },
  };
  for (const auto& refusal : refusals) {
    Stage stage;
    int asked = 0;
    bool signs = false;
    stage.config.keys = {{"k", ""}};
    stage.config.sign = [&](std::string_view, std::string_view, std::string& signature) {
      ++asked;
      if (signs) {
        signature.assign(32, 's');
        return true;
      }
      refusal(signature);
      return !signature.empty();
    };
    const auto core = stage.open();
    track(*core);
    stage.pass(*core, 60'000);
    CHECK(stage.endpoint->requests.empty());
    CHECK(asked >= 2);
    CHECK(asked <= 20);
    CHECK(core->stats().last_trouble.find("k") != std::string::npos);
    CHECK(core->stats().waiting == 1);
    signs = true;
    stage.pass(*core, 400'000);
    CHECK(core->stats().delivered == 1);
    CHECK(stage.endpoint->requests.size() == 1);
  }
}

TEST_CASE("an app that has its keys later is asked for them, and nothing leaves unsigned") {
  Stage stage;
  std::vector<SigningKey> keys;
  int asked = 0;
  stage.config.provide_keys = [&] {
    ++asked;
    return keys;
  };
  const auto core = stage.open();
  track(*core);
  stage.pass(*core, 60'000);
  CHECK(stage.endpoint->requests.empty());
  CHECK(core->stats().last_trouble == "the app gave no key to sign with");
  CHECK(asked <= 20);
  keys = {{"mine", "not base64"}};
  stage.pass(*core, 60'000);
  CHECK(stage.endpoint->requests.empty());
  keys = {{"mine", secret_a}};
  stage.pass(*core, 600'000);
  REQUIRE(stage.endpoint->requests.size() == 1);
  CHECK(key_id(stage.endpoint->requests[0]) == "mine");
  CHECK(core->stats().delivered == 1);
}

TEST_CASE("when the endpoint knows no key at hand the app is asked once, and a new key is used at once") {
  Stage stage;
  stage.endpoint->answer = knows("second");
  int asked = 0;
  std::vector<SigningKey> keys = {{"first", secret_a}};
  stage.config.keys = keys;
  stage.config.provide_keys = [&] {
    ++asked;
    return keys;
  };
  const auto core = stage.open();
  track(*core);
  stage.pass(*core, 30'000);
  CHECK(asked >= 1);
  CHECK(core->stats().delivered == 0);
  CHECK(core->stats().next_attempt_ms <= 3'600'000);
  const std::size_t before = stage.endpoint->requests.size();
  keys = {{"second", secret_b}};
  stage.pass(*core, 7'200'000);
  CHECK(core->stats().delivered == 1);
  REQUIRE(stage.endpoint->requests.size() == before + 2);
  CHECK(key_id(stage.endpoint->requests[before]) == "first");
  CHECK(key_id(stage.endpoint->requests[before + 1]) == "second");
}

TEST_CASE("keys that the app changes end the rest that the old ones caused, and bad ones change nothing") {
  Stage stage;
  stage.endpoint->answer = knows("second");
  stage.config.keys = {{"first", secret_a}};
  const auto core = stage.open();
  track(*core);
  stage.pass(*core, 20'000);
  CHECK(core->stats().delivered == 0);
  CHECK(core->set_keys({{"second", "%%%"}}) == Code::bad_key);
  CHECK(core->set_keys({{"second", ""}}) == Code::bad_key);
  CHECK(core->set_keys(std::vector<SigningKey>(9, {"second", secret_b})) == Code::bad_config);
  stage.pass(*core, 1'000);
  CHECK(core->stats().delivered == 0);
  REQUIRE(core->set_keys({{"second", secret_b}}) == Code::ok);
  stage.pass(*core, 1'000);
  CHECK(core->stats().delivered == 1);
  REQUIRE(core->close(1s) == Code::ok);
  CHECK(core->set_keys({{"second", secret_b}}) == Code::closed);
}

TEST_CASE("a key that was replaced signs nothing any more, whatever is given up and begun anew") {
  for (const bool given : {false, true}) {
    CAPTURE(given);
    Stage stage;
    stage.endpoint->answer = knows("second");
    stage.config.suspend_in_background = true;
    stage.config.keys = {{"revoked", secret_a}};
    if (given) stage.config.provide_keys = [] { return std::vector<SigningKey>{{"second", secret_b}}; };
    const auto core = stage.open();
    if (!given) REQUIRE(core->set_keys({{"second", secret_b}}) == Code::ok);
    track(*core);
    static_cast<void>(core->flush(60s));
    REQUIRE(core->stats().delivered == 1);
    stage.config.provide_keys = nullptr;
    stage.endpoint->requests.clear();
    for (int i = 0; i < 2; ++i) {
      REQUIRE(core->background(1s).good());
      track(*core);
      static_cast<void>(core->flush(60s));
    }
    CHECK(core->stats().delivered == 3);
    for (const auto& request : stage.endpoint->requests) {
      CHECK(request.header("Signature-Input").find("revoked") == std::string::npos);
    }
  }
}

#if defined(__linux__)
namespace {

char byte_of_secret(std::size_t i) {
  return static_cast<char>(0x81 ^ (i * 37 + i / 3));
}

// How often it lies in this process's memory; nothing that is written down here is it.
int copies_of_secret(std::size_t size) {
  int copies = 0;
  std::ifstream maps("/proc/self/maps");
  std::ifstream memory("/proc/self/mem", std::ios::binary);
  std::vector<char> piece;
  for (std::string line; std::getline(maps, line);) {
    unsigned long long begin = 0;
    unsigned long long end = 0;
    char rights[5] = {};
    if (std::sscanf(line.c_str(), "%llx-%llx %4s", &begin, &end, rights) != 3 || rights[1] != 'w') continue;
    if (end - begin > (256ULL << 20)) continue;  // a sanitizer's shadow
    piece.resize(end - begin);
    memory.clear();
    memory.seekg(static_cast<std::streamoff>(begin));
    memory.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    const auto got = static_cast<std::size_t>(memory.gcount());
    for (std::size_t at = 0; at + size <= got; ++at) {
      std::size_t same = 0;
      while (same < size && piece[at + same] == byte_of_secret(same)) ++same;
      if (same < size) continue;
      ++copies;
      piece[at] = 0;
    }
    std::fill(piece.begin(), piece.end(), '\0');
  }
  return copies;
}

}  // namespace

TEST_CASE("no secret stays in memory once it was replaced, or its tracker is gone") {
  constexpr std::size_t size = 33;  // of every length's end: base64 has none here
  const auto key = [] {
    std::string secret(size, '\0');
    for (std::size_t i = 0; i < size; ++i) secret[i] = byte_of_secret(i);
    SigningKey one{"k", system::to_base64(secret)};
    system::cleanse(secret);
    return one;
  }();
  REQUIRE(copies_of_secret(size) == 0);
  Stage stage;
  stage.endpoint->answer = knows("k");
  stage.config.suspend_in_background = true;
  stage.config.keys = {key};
  auto core = stage.open();
  track(*core);
  static_cast<void>(core->flush(60s));
  REQUIRE(core->stats().delivered == 1);
  CHECK(copies_of_secret(size) > 0);
  REQUIRE(core->set_keys({{"second", secret_b}}) == Code::ok);
  CHECK(copies_of_secret(size) == 0);
  REQUIRE(core->set_keys({key}) == Code::ok);
  REQUIRE(core->background(1s).good());
  track(*core);
  static_cast<void>(core->flush(60s));
  CHECK(core->stats().delivered == 2);
  CHECK(copies_of_secret(size) > 0);
  core.reset();
  CHECK(copies_of_secret(size) == 0);
}
#endif

TEST_CASE("an app that changes its keys all the time does not make a flood of it") {
  Stage stage;
  stage.endpoint->answer = knows("none of them");
  const auto core = stage.open();
  track(*core);
  for (int i = 0; i < 600; ++i) {
    REQUIRE(core->set_keys({{"k" + std::to_string(i), secret_a}}) == Code::ok);
    stage.pass(*core, 100);
  }
  CHECK(stage.endpoint->requests.size() <= 15);
}

TEST_CASE("what the endpoint asks for comes before the jitter, so that a fleet that was told the same second spreads") {
  system::DiceCup dice(system::system_dice());
  std::int64_t least = INT64_MAX;
  std::int64_t most = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t wait = send::rest_after(6, dice, send::usual_backoff, 60'000);
    least = std::min(least, wait);
    most = std::max(most, wait);
  }
  CHECK(least >= 60'000);
  CHECK(least < 65'000);
  CHECK(most <= 60'000 + 32'000);
  CHECK(most > 60'000 + 30'000);
  CHECK(send::rest_after(20, dice, send::long_backoff, 3'600'000) == 3'600'000);
}

TEST_CASE("the date of an answer that accepts nothing evicts nothing, however late it says it is") {
  Stage stage;
  const auto core = stage.open();
  const auto accepts_on = [&](const char* date) {
    stage.endpoint->answer = [date](const FakeEndpoint::Request& request) {
      HttpAnswer answer = test::all_accepted(request.lines.size());
      answer.headers.push_back({"date", date});
      return answer;
    };
  };
  const auto evicted_after_a_while = [&] {
    track(*core);
    stage.pass(*core, 3'600'000);
    return core->stats().evicted;
  };
  accepts_on("Sat, 21 Nov 2026 12:00:00 GMT");
  CHECK(evicted_after_a_while() == 0);
  CHECK(core->stats().delivered == 1);
  stage.endpoint->answer = [](const FakeEndpoint::Request&) {
    HttpAnswer answer = answered(503);
    answer.headers.push_back({"date", "Wed, 21 Nov 2096 12:00:00 GMT"});
    return answer;
  };
  CHECK(evicted_after_a_while() == 0);
  CHECK(evicted_after_a_while() == 0);
  // Nor does an endpoint whose clock is set while this process lives.
  accepts_on("Wed, 21 Nov 2096 12:00:00 GMT");
  CHECK(evicted_after_a_while() == 0);
  CHECK(core->stats().delivered == 4);
}

TEST_CASE("a second key is not tried while another process was asked to leave the endpoint in peace") {
  Stage stage;
  stage.config.keys = {{"old", secret_a}, {"new", secret_b}};
  const auto throttled = stage.open();
  const auto polled = std::make_shared<PolledTransport>();
  stage.config.transport = polled;
  const auto waiting = stage.open();
  track(*waiting);
  static_cast<void>(waiting->flush(0ms));
  for (int i = 0; i < 10; ++i) static_cast<void>(waiting->work(0ms));
  const auto request = polled->take(0ms);
  REQUIRE(request != nullptr);
  std::int64_t peace_until = 0;
  stage.endpoint->answer = [&](const FakeEndpoint::Request&) {
    peace_until = stage.clock.monotonic + 60'000;
    HttpAnswer answer = answered(429);
    answer.headers.push_back({"retry-after", "60"});
    return answer;
  };
  track(*throttled);
  stage.pass(*throttled, 20'000);
  REQUIRE(stage.endpoint->requests.size() == 1);
  REQUIRE(polled->answer(*request, 401, {}, R"({"error":"key"})"));
  std::shared_ptr<PolledRequest> next;
  while (next == nullptr && stage.clock.monotonic < peace_until + 600'000) {
    stage.clock.monotonic += 500;
    static_cast<void>(waiting->work(0ms));
    next = polled->take(0ms);
  }
  REQUIRE(next != nullptr);
  CHECK(stage.clock.monotonic >= peace_until);
  // On this clock close() has all the time to wait for an answer.
  CHECK(polled->answer(*next, 500, {}, ""));
}

TEST_CASE("a batch whose key brought other lines gets another key, and copies of it get the same one") {
  Stage stage;
  std::unique_ptr<detail::Core> core = stage.open();
  track(*core);
  REQUIRE(core->flush(1h) == Code::ok);
  stage.endpoint->requests.clear();
  const std::vector<FakeEndpoint::Request>& requests = stage.endpoint->requests;
  int status = 409;
  stage.endpoint->answer = [&status](const FakeEndpoint::Request& request) {
    return status == 200 ? test::all_accepted(request.lines.size()) : answered(status, R"({"error":"conflict"})");
  };
  track(*core);
  stage.pass(*core, 15'000);
  REQUIRE(requests.size() >= 2);
  CHECK(requests[1].body == requests[0].body);
  const std::string first = requests[0].header("Idempotency-Key");
  const std::string second = requests[1].header("Idempotency-Key");
  CHECK(second == "\"" + test::renewed_key(first, requests[0].lines) + "\"");
  // What is refused again leaves at back-off pace, under a key that nobody can foretell.
  stage.pass(*core, 3'600'000);
  REQUIRE(requests.size() > 5);
  CHECK(requests.size() < 60);
  std::set<std::string> keys;
  for (const FakeEndpoint::Request& request : requests) keys.insert(request.header("Idempotency-Key"));
  CHECK(keys.size() == requests.size());
  CHECK(requests[2].header("Idempotency-Key")[15] == '4');
  // The key is on the disk before it leaves.
  status = 503;
  stage.pass(*core, 600'000);
  const std::string last = requests.back().header("Idempotency-Key");
  CHECK(keys.count(last) == 0);
  core.reset();
  stage.endpoint->requests.clear();
  status = 200;
  core = stage.open();
  stage.pass(*core, 600'000);
  REQUIRE_FALSE(requests.empty());
  CHECK(requests[0].header("Idempotency-Key") == last);
  CHECK(core->stats().delivered == 2);
  CHECK(core->stats().waiting == 0);
}

TEST_CASE("a key brings the same lines for ever, also when a suspect is too large for the endpoint") {
  Stage stage;
  std::map<std::string, std::string> lines_of;
  std::size_t goods = 0;
  std::size_t lines_max = 32;
  stage.endpoint->answer = [&](const FakeEndpoint::Request& request) {
    std::string all;
    for (const std::string& line : request.lines) all += line + "\n";
    const std::string key = request.header("Idempotency-Key");
    const auto [before, is_new] = lines_of.emplace(key, all);
    CHECK_MESSAGE(before->second == all, key, " came with other lines");
    const auto is_bad = [](const std::string& line) { return line.find("\"bad\"") != std::string::npos; };
    if (request.lines.size() > lines_max) return answered(413);
    if (std::any_of(request.lines.begin(), request.lines.end(), is_bad)) {
      // Smaller ones from now on: a proxy on the way was configured anew.
      lines_max = std::min<std::size_t>(lines_max, 4);
      return answered(400);
    }
    for (const std::string& line : request.lines) goods += line.find("\"good\"") != std::string::npos;
    return test::all_accepted(request.lines.size());
  };
  const auto core = stage.open();
  for (int i = 0; i < 16; ++i)
    REQUIRE(core->event().content(i == 3 || i == 6 ? "bad" : "good").action("READ").track() == Code::ok);
  // Sentences that stand alone are asked again directly after an acceptance.
  for (int hour = 0; hour < 24; ++hour) {
    stage.pass(*core, 3'600'000);
    REQUIRE(core->event().content("good").action("READ").track() == Code::ok);
  }
  stage.pass(*core, 3'600'000);
  CHECK(goods == 14 + 24);
  CHECK(core->stats().quarantined == 2);
  CHECK(core->stats().waiting == 0);
}

TEST_CASE("a host says that nothing left the device, and what it did not take has not left") {
  PolledTransport polled;
  HttpRequest asked;
  asked.total_timeout = 0ms;
  HttpAnswer answer;
  polled.start(asked);
  REQUIRE(polled.poll(0ms, answer));
  CHECK(answer.body_bytes_sent == 0);
  asked.total_timeout = 60'000ms;
  for (const int status : {0, -1, -2}) {
    CAPTURE(status);
    polled.start(asked);
    const auto request = polled.take(0ms);
    REQUIRE(request != nullptr);
    REQUIRE(polled.answer(*request, status, {}, "no route"));
    REQUIRE(polled.poll(0ms, answer));
    CHECK(answer.status == 0);
    CHECK((answer.error == "no route") == (status != -2));
    CHECK(answer.body_bytes_sent == (status == -1 ? 0 : -1));
  }
}

TEST_CASE("what the endpoint asked for holds also while the directory cannot be told of it" *
          doctest::test_suite("exhaustive")) {
  Stage stage;
  const auto core = stage.open();
  const auto beside = stage.open();
  // It has been told of an outage before, and of its end.
  stage.endpoint->answer = [](const FakeEndpoint::Request&) { return answered(503); };
  track(*core);
  stage.pass(*core, 12'000);
  stage.endpoint->answer = nullptr;
  stage.pass(*core, 120'000);
  REQUIRE(core->stats().delivered == 1);
  const std::size_t before = stage.endpoint->requests.size();
  {
    // Another process has the directory's database for longer than anybody waits for it.
    hold::Database other;
    stage.endpoint->answer = [&](const FakeEndpoint::Request&) {
      REQUIRE(other.open(stage.directory / "directory.db", nullptr, hold::Sharing::exclusive));
      REQUIRE(other.run("BEGIN EXCLUSIVE"));
      HttpAnswer answer = answered(429);
      answer.headers.push_back({"retry-after", "60"});
      return answer;
    };
    track(*core);
    for (int i = 0; i < 100 && core->stats().failures == 0; ++i) static_cast<void>(core->work(1s));
    REQUIRE(core->stats().failures == 1);
  }
  REQUIRE(stage.endpoint->requests.size() == before + 1);
  stage.endpoint->answer = nullptr;
  stage.pass(*core, 5'000);
  // By now it is written down, for the other one to know.
  track(*beside);
  stage.pass(*beside, 45'000);
  stage.pass(*core, 5'000);
  CHECK(stage.endpoint->requests.size() == before + 1);
  stage.pass(*core, 60'000);
  CHECK(stage.endpoint->requests.size() == before + 2);
}

TEST_CASE("a batch does not wait for what the endpoint asked of one that is gone") {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    const TempDirectory directory;
    StillClock clock;
    test::SeededDice dice(seed);
    const auto endpoint = std::make_shared<FakeEndpoint>(&clock);
    endpoint->answer = [](const FakeEndpoint::Request& request) {
      for (const std::string& line : request.lines) {
        if (line.find("\"bad\"") != std::string::npos) return answered(400);
      }
      return test::all_accepted(request.lines.size());
    };
    detail::Seams seams;
    seams.clock = &clock;
    seams.dice = &dice;
    const std::unique_ptr<detail::Core> core(detail::Core::open(test::sending_config(directory, endpoint), seams));
    const auto keep = [&core](const char* content) {
      REQUIRE(core->event().content(content).action("READ").critical().track() == Code::ok);
    };
    keep("first");  // and with it the library's own
    CHECK(core->flush(30s) == Code::ok);
    // Alone it is refused, and held back; between two others that are accepted it is set aside. The database gives its
    // number to the next.
    keep("bad");
    keep("good");
    CHECK(core->flush(30s) == Code::ok);
    CHECK(core->stats().quarantined == 1);
    const std::int64_t began = clock.monotonic;
    keep("next");
    for (int i = 0; i < 3 && core->stats().delivered < 3; ++i) core->work(1s);
    CHECK(core->stats().delivered == 3);
    CHECK(clock.monotonic - began <= 3'000);
  }
}

TEST_CASE("a request carries the config's deadlines, and a flush at its deadline says what went wrong") {
  const TempDirectory directory;
  const auto endpoint = std::make_shared<FakeEndpoint>();
  endpoint->answer = [](const FakeEndpoint::Request&) { return answered(503); };
  Config config = test::sending_config(directory, endpoint);
  config.connect_timeout = 2s;
  config.stall_timeout = 3s;
  config.total_timeout = 4s;
  Tracker tracker = Tracker::open(config);
  track(tracker, "1");
  const Status status = tracker.flush(100ms);
  CHECK(status == Code::still_waiting);
  CHECK(status.message().find("HTTP 503") != std::string::npos);
  REQUIRE_FALSE(endpoint->requests.empty());
  CHECK(endpoint->requests[0].head.connect_timeout == 2s);
  CHECK(endpoint->requests[0].head.stall_timeout == 3s);
  CHECK(endpoint->requests[0].head.total_timeout == 4s);
}

// --- the quarantine --------------------------------------------------------------------------------------------------

TEST_CASE("what is in quarantine can be read, sent again and erased, and the ledger follows") {
  const TempDirectory directory;
  const auto endpoint = std::make_shared<FakeEndpoint>();
  endpoint->answer = rejects_bad;
  const Config config = test::sending_config(directory, endpoint);
  std::string rejected;
  {
    Tracker tracker = Tracker::open(config);
    for (int i = 0; i < 3; ++i) {
      track(tracker, "good");
      track(tracker, "bad");
    }
    CHECK(tracker.flush(5s) == Code::ok);
    CHECK(tracker.stats().quarantined == 3);
    REQUIRE(tracker.quarantined().size() == 3);
    rejected = tracker.quarantined()[0].sentence;
  }
  Tracker tracker = Tracker::open(config);
  std::vector<Quarantined> all = tracker.quarantined();
  REQUIRE(all.size() == 3);
  CHECK(all[0].sentence == rejected);
  CHECK(all[0].reason == "not \"good\"");
  CHECK(json::parse(all[0].sentence)["content"]["id"] == "bad");
  CHECK(tracker.quarantined(all[0].number, 1).at(0).number == all[1].number);
  CHECK(tracker.quarantined(all[2].number).empty());
  CHECK(tracker.quarantined(UINT64_MAX).empty());
  CHECK(tracker.quarantined(0, 0).empty());

  CHECK(tracker.resend_quarantined(all[2].number + 1) == Code::bad_argument);
  CHECK(tracker.erase_quarantined(UINT64_MAX) == Code::bad_argument);
  CHECK(tracker.stats().quarantined == 3);

  CHECK(tracker.erase_quarantined(all[1].number) == Code::ok);
  CHECK(tracker.erase_quarantined(all[1].number) == Code::bad_argument);
  CHECK(tracker.stats().erased == 1);

  // Still refused: it comes back. Mended: it arrives, byte for byte.
  CHECK(tracker.resend_quarantined(all[0].number) == Code::ok);
  CHECK(tracker.stats().waiting == 1);
  CHECK(tracker.flush(5s) == Code::ok);
  CHECK(tracker.stats().quarantined == 2);
  endpoint->answer = nullptr;
  CHECK(tracker.resend_quarantined() == Code::ok);
  CHECK(tracker.flush(5s) == Code::ok);
  CHECK(endpoint->requests.back().lines.size() == 2);
  CHECK(std::count(endpoint->requests.back().lines.begin(), endpoint->requests.back().lines.end(), rejected) == 1);
  const Stats stats = tracker.stats();
  CHECK(stats.quarantined == 0);
  CHECK(stats.delivered == 5);
  CHECK(stats.accepted == 6);
  CHECK(stats.waiting == 0);
  CHECK(tracker.resend_quarantined() == Code::ok);
  CHECK(tracker.erase_quarantined() == Code::ok);
  CHECK(tracker.close() == Code::ok);
  CHECK(tracker.quarantined().empty());
  CHECK(tracker.resend_quarantined() == Code::closed);
}

TEST_CASE("what is sent again has a key of its own each time, or the endpoint would answer as before") {
  const TempDirectory directory;
  const auto endpoint = std::make_shared<FakeEndpoint>();
  endpoint->answer = rejects_bad;
  Tracker tracker = Tracker::open(test::sending_config(directory, endpoint));
  track(tracker, "bad");
  std::set<std::string> keys;
  CHECK(tracker.flush(5s) == Code::ok);
  for (int i = 0; i < 3; ++i) {
    CHECK(tracker.resend_quarantined() == Code::ok);
    CHECK(tracker.flush(5s) == Code::ok);
  }
  for (const auto& request : endpoint->requests) keys.insert(request.header("Idempotency-Key"));
  CHECK(keys.size() == endpoint->requests.size());
  CHECK(keys.size() == 4);
}

// --- a transport of the host's own, in C -----------------------------------------------------------------------------

namespace {

struct Host {
  TempDirectory directory;
  std::string path = directory.path();
  yukha_config config;
  yukha_tracker* tracker = nullptr;
  yukha_event* sentence = nullptr;

  Host() {
    yukha_config_init(&config, sizeof config);
    config.app_id = "shop";
    config.queue_dir = path.c_str();
    config.endpoint = "https://collect.example.com";
    config.key_id = "k";
    config.key_secret_base64 = secret_a;
    config.own_transport = 1;
    config.no_device_facts = 1;
  }
  ~Host() {
    yukha_event_free(sentence);
    yukha_free(tracker);
  }
  void open() {
    yukha_result result = YUKHA_OK;
    tracker = yukha_open(&config, &result);
    REQUIRE(result == YUKHA_OK);
    sentence = yukha_event_new(tracker);
  }
  void track() {
    REQUIRE(yukha_event_action(sentence, "READ", 0, -1, nullptr, 0) == YUKHA_OK);
    REQUIRE(yukha_event_track(sentence) == YUKHA_OK);
  }
  std::uint64_t delivered() {
    yukha_stats stats;
    REQUIRE(yukha_get_stats(tracker, &stats, sizeof stats) == YUKHA_OK);
    return stats.delivered;
  }
};

std::string header_of(const yukha_request* request, const std::string& name) {
  for (size_t i = 0; yukha_request_header(request, i) != nullptr; ++i) {
    const std::string line = yukha_request_header(request, i);
    if (line.rfind(name + ": ", 0) == 0) return line.substr(name.size() + 2);
  }
  return "";
}

yukha_result accept(yukha_request* request) {
  size_t size = 0;
  const void* body = yukha_request_body(request, &size);
  std::string text;
  REQUIRE(send::gunzip({static_cast<const char*>(body), size}, 4 << 20, text));
  const std::string answer = test::all_accepted(test::split_lines(text).size()).body;
  const char* const headers[] = {"Content-Type: application/json", "Date: Fri, 22 May 2026 03:52:05 GMT"};
  return yukha_request_answer(request, 200, headers, 2, answer.data(), answer.size());
}

}  // namespace

TEST_CASE("a C host takes requests and brings answers, from any thread") {
  Host host;
  host.open();
  CHECK(yukha_request_take(host.tracker, 0) == nullptr);
  host.track();
  std::thread network([&host] {
    yukha_request* request = yukha_request_take(host.tracker, 10'000);
    REQUIRE(request != nullptr);
    CHECK(std::string(yukha_request_url(request)) == "https://collect.example.com/v1/events");
    CHECK(header_of(request, "Content-Encoding") == "gzip");
    CHECK(header_of(request, "Signature").rfind("yukha=:", 0) == 0);
    CHECK(yukha_request_signature_base(request) == nullptr);
    CHECK(yukha_request_timeout_ms(request) == 60'000);
    CHECK(yukha_request_wanted(request) == 1);
    CHECK(yukha_request_take(host.tracker, 0) == nullptr);
    CHECK(accept(request) == YUKHA_OK);
    CHECK(accept(request) == YUKHA_CLOSED);
    yukha_request_free(request);
  });
  CHECK(yukha_flush(host.tracker, 10'000) == YUKHA_OK);
  network.join();
  CHECK(host.delivered() == 1);
}

TEST_CASE("a C host whose key has no secret signs each request itself") {
  Host host;
  host.config.key_secret_base64 = nullptr;
  host.open();
  host.track();
  std::thread network([&host] {
    yukha_request* request = yukha_request_take(host.tracker, 10'000);
    REQUIRE(request != nullptr);
    CHECK(header_of(request, "Signature").empty());
    CHECK(header_of(request, "Signature-Input").find("keyid=\"k\"") != std::string::npos);
    REQUIRE(yukha_request_signature_base(request) != nullptr);
    const std::string base = yukha_request_signature_base(request);
    CHECK(base.rfind("\"@method\": POST\n", 0) == 0);
    CHECK(base.find("\"@signature-params\": " + header_of(request, "Signature-Input").substr(6)) != std::string::npos);
    CHECK(accept(request) == YUKHA_OK);
    yukha_request_free(request);
  });
  CHECK(yukha_flush(host.tracker, 10'000) == YUKHA_OK);
  network.join();
}

TEST_CASE("a request that a C host gives up, or answers with nonsense, is no answer, and nothing is lost") {
  Host host;
  host.open();
  host.track();
  std::thread network([&host] {
    const std::string large(2'000'000, 'x');
    const char* const headers[] = {"Retry-After: 0", "no header at all", ": empty name"};
    for (int i = 0; i < 5; ++i) {
      yukha_request* request = yukha_request_take(host.tracker, 30'000);
      REQUIRE(request != nullptr);
      if (i == 1) CHECK(yukha_request_answer(request, 200, headers, 3, large.data(), large.size()) == YUKHA_OK);
      if (i == 2) CHECK(yukha_request_answer(request, -5, nullptr, 0, nullptr, 0) == YUKHA_OK);
      if (i == 3) {
        CHECK(yukha_request_answer(request, 200, nullptr, 1, nullptr, 0) == YUKHA_BAD_ARGUMENT);
        CHECK(yukha_request_answer(request, 200, nullptr, 0, nullptr, 1) == YUKHA_BAD_ARGUMENT);
        CHECK(yukha_request_answer(request, 0, headers, 3, "no route", 8) == YUKHA_OK);
      }
      if (i == 4) CHECK(accept(request) == YUKHA_OK);
      yukha_request_free(request);
    }
  });
  while (yukha_flush(host.tracker, 30'000) == YUKHA_STILL_WAITING) {
  }
  network.join();
  CHECK(host.delivered() == 1);
}

TEST_CASE("a request may outlive its tracker, and whoever waits for one is let go") {
  Host host;
  host.open();
  host.track();
  yukha_request* request = nullptr;
  std::thread network([&] { request = yukha_request_take(host.tracker, 10'000); });
  CHECK(yukha_flush(host.tracker, 100) == YUKHA_STILL_WAITING);
  network.join();
  REQUIRE(request != nullptr);
  CHECK(yukha_close(host.tracker, 50) == YUKHA_CUT_SHORT);
  CHECK(yukha_request_wanted(request) == 0);
  yukha_event_free(host.sentence);
  host.sentence = nullptr;
  yukha_free(host.tracker);
  host.tracker = nullptr;
  CHECK(yukha_request_wanted(request) == 0);
  CHECK(accept(request) == YUKHA_CLOSED);
  yukha_request_free(request);
}

TEST_CASE("nulls around requests are answered, and a tracker without a transport of the host's own has none") {
  CHECK(yukha_request_take(nullptr, 0) == nullptr);
  CHECK(yukha_request_url(nullptr) == nullptr);
  CHECK(yukha_request_header(nullptr, 0) == nullptr);
  size_t size = 7;
  CHECK(yukha_request_body(nullptr, &size) == nullptr);
  CHECK(size == 0);
  CHECK(yukha_request_timeout_ms(nullptr) == 0);
  CHECK(yukha_request_signature_base(nullptr) == nullptr);
  CHECK(yukha_request_wanted(nullptr) == 0);
  CHECK(yukha_request_answer(nullptr, 200, nullptr, 0, nullptr, 0) == YUKHA_BAD_ARGUMENT);
  yukha_request_free(nullptr);
  Host host;
  host.config.own_transport = 0;
  host.config.endpoint = nullptr;
  host.open();
  CHECK(yukha_request_take(host.tracker, 0) == nullptr);
  char text[4] = "xyz";
  std::uint64_t number = 0;
  CHECK(yukha_quarantined(host.tracker, &number, text, sizeof text, nullptr, 0) == 0);
  CHECK(text[0] == '\0');
  CHECK(yukha_quarantined(host.tracker, nullptr, nullptr, 0, nullptr, 0) == 0);
  CHECK(yukha_resend_quarantined(host.tracker, 5) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_erase_quarantined(nullptr, 0) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_set_signing_keys(host.tracker, nullptr, 1) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_last_trouble(host.tracker, text, sizeof text) == 0);
  CHECK(yukha_last_trouble(nullptr, nullptr, 0) == 0);
}

TEST_CASE("a C host reads the quarantine as JSON, and has all the settings of delivery") {
  Host host;
  const yukha_key keys[] = {{"old", secret_b}};
  const yukha_member device[] = {{"store", "kr", 0}};
  host.config.keys = keys;
  host.config.key_count = 1;
  host.config.device = device;
  host.config.device_count = 1;
  host.config.pins =
      "sha256//X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=;sha256//RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=";
  host.config.proxy = "http://proxy.example.com:3128";
  host.config.total_timeout_ms = 5000;
  host.open();
  host.track();
  std::thread network([&host] {
    for (const char* const id : {"\"k\"", "\"old\""}) {
      yukha_request* request = yukha_request_take(host.tracker, 10'000);
      REQUIRE(request != nullptr);
      CHECK(yukha_request_timeout_ms(request) == 5000);
      CHECK(header_of(request, "Signature-Input").find(id) != std::string::npos);
      // The library's own first sentence about the ledger is good.
      const std::string body = std::string(id) == "\"k\""
                                   ? R"({"error":"key"})"
                                   : R"({"accepted":1,"rejected":[{"line":2,"id":"","reason":"a\"b"}]})";
      CHECK(yukha_request_answer(request, body[2] == 'e' ? 401 : 200, nullptr, 0, body.data(), body.size()) ==
            YUKHA_OK);
      yukha_request_free(request);
    }
  });
  const yukha_result flushed = yukha_flush(host.tracker, 10'000);
  network.join();
  CHECK(flushed == YUKHA_OK);
  char reason[8];
  std::uint64_t number = 0;
  std::string text(yukha_quarantined(host.tracker, &number, nullptr, 0, nullptr, 0) + 1, '\0');
  REQUIRE(text.size() > 1);
  number = 0;
  REQUIRE(yukha_quarantined(host.tracker, &number, text.data(), text.size(), reason, sizeof reason) == text.size() - 1);
  text.pop_back();
  const json one = json::parse(text);
  CHECK(std::string(reason) == "a\"b");
  CHECK(one["device"]["store"] == "kr");
  CHECK(yukha_quarantined(host.tracker, &number, nullptr, 0, nullptr, 0) == 0);
  CHECK(yukha_erase_quarantined(host.tracker, number) == YUKHA_OK);
}

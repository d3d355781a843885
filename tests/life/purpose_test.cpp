// Consent to each purpose, and what stands on it: the advertising id.
#include <yukha/timed_event.hpp>

#include <algorithm>
#include <filesystem>
#include <set>

#include "hold/consents.hpp"
#include "life/scanner.hpp"
#include "system/device.hpp"

using namespace yukha;
using namespace std::chrono_literals;
using test::fill;
using test::json;
using test::Life;
using test::Markers;
using test::Scanner;

namespace {

constexpr Purpose analytics = Purpose::analytics;
constexpr Purpose advertising = Purpose::advertising;
constexpr Purpose personalization = Purpose::personalization;

Status act_for(detail::Core& core, Purpose purpose, const char* type) {
  return core.event().action(type).purpose(purpose).track();
}

void say(detail::Core& core, Purpose purpose, Consent consent) {
  REQUIRE(core.set_consent(consent, &purpose));
}

// The purposes of each request's lines that are the app's.
std::vector<std::set<std::string>> purposes_sent(const Life& life) {
  std::vector<std::set<std::string>> all;
  for (const test::FakeEndpoint::Request& request : life.endpoint->requests) {
    std::set<std::string> of_one;
    for (const std::string& line : request.lines) {
      const json user = json::parse(line)["user"];
      of_one.insert(user.value("purpose", "analytics"));
    }
    all.push_back(of_one);
  }
  return all;
}

}  // namespace

TEST_CASE("analytics begins granted, the other purposes denied") {
  Life life;
  detail::Core& core = life.open();
  CHECK(core.consent(&analytics) == Consent::granted);
  CHECK(core.consent(&advertising) == Consent::denied);
  CHECK(core.consent(&personalization) == Consent::denied);
  CHECK(act_for(core, analytics, "READ") == Code::ok);
  CHECK(act_for(core, advertising, "SEEN") == Code::consent_denied);
  CHECK(act_for(core, personalization, "LIKED") == Code::consent_denied);
  CHECK(core.stats().refused_consent == 2);
  CHECK(life.arrived().size() == 1);
  CHECK_FALSE(life.last("READ")["user"].contains("purpose"));
}

TEST_CASE("what a purpose waits for is kept, sent when it is granted, and never in a batch with another's") {
  Life life;
  detail::Core* core = &life.open();
  say(*core, advertising, Consent::pending);
  say(*core, personalization, Consent::granted);
  for (int i = 0; i < 1'200; ++i) {
    REQUIRE(act_for(*core, advertising, "SEEN"));
    if (i % 3 == 0) REQUIRE(act_for(*core, personalization, "LIKED"));
    if (i % 4 == 0) life.act("READ");
    if (i % 50 == 0) core->work(0ms);
  }
  // A flush does not wait for what only its purpose keeps here.
  REQUIRE(core->flush(60s));
  CHECK(core->stats().delivered == 700);
  CHECK(core->stats().waiting == 1'200);
  static_cast<void>(core->close(0ms));
  core = &life.open();
  CHECK(core->consent(&advertising) == Consent::pending);
  REQUIRE(core->flush(60s));
  CHECK(core->stats().waiting == 1'200);
  say(*core, advertising, Consent::granted);
  REQUIRE(core->flush(60s));
  CHECK(core->stats().delivered == 1'900);
  std::set<std::string> seen;
  for (const std::set<std::string>& of_one : purposes_sent(life)) {
    CHECK(of_one.size() == 1);
    seen.insert(of_one.begin(), of_one.end());
  }
  CHECK(seen == std::set<std::string>{"analytics", "advertising", "personalization"});
  CHECK(life.last("SEEN")["user"]["purpose"] == "advertising");
}

TEST_CASE("a purpose that is denied loses what waits of it, wherever it lies, and the others lose nothing") {
  Life life;
  detail::Core* core = &life.open();
  say(*core, advertising, Consent::granted);
  const Markers gone = Markers::random();
  const Markers stays = Markers::random();
  fill(life, stays);
  fill(life, gone, advertising);
  Scanner scanner(gone.all());
  Scanner others(stays.all());
  const std::size_t others_before = others.found_in(life.directory.path()).size();
  REQUIRE(scanner.found_in(life.directory.path()).size() == 4);

  say(*core, advertising, Consent::denied);
  CHECK(scanner.found_in(life.directory.path()).empty());
  CHECK(others_before == 4);
  CHECK(others.found_in(life.directory.path()).count(stays.batch) == 1);
  const Stats stats = core->stats();
  CHECK(stats.accepted == 160);
  CHECK(stats.erased == 80);
  CHECK(stats.quarantined == 80);  // as the second fill() had the endpoint refuse all it could get
  CHECK(stats.waiting == 0);
  static_cast<void>(core->close(0ms));
  core = &life.open();
  CHECK(core->stats().erased == 80);
  CHECK(core->stats().quarantined == 80);
  life.endpoint->answer = nullptr;
  REQUIRE(core->resend_quarantined(0));
  REQUIRE(core->flush(60s));
  CHECK(core->stats().delivered == 80);
  CHECK(core->stats().waiting == 0);
}

TEST_CASE("a denial that a kill cut off is finished by the next opening, wherever the kill fell") {
  const Markers markers = Markers::random();
  test::killed_at_each_operation(
      [&](Life& life) {
        say(*life.core, advertising, Consent::granted);
        fill(life, markers, advertising);
      },
      [](detail::Core& core) { say(core, advertising, Consent::denied); },
      [&](detail::Core& core, const std::string& directory) {
        core.work(0ms);
        // Before the denial was on the disk nothing happened.
        const bool denied = core.consent(&advertising) == Consent::denied;
        CHECK(Scanner(markers.all()).found_in(directory).empty() == denied);
        CHECK(core.stats().accepted == 80);
        CHECK(core.stats().erased == (denied ? 80 : 0));
      });
}

TEST_CASE("a denial reaches the lanes of other processes, also those that nobody holds") {
  Life mine;
  Life other;
  other.config.queue_dir = mine.config.queue_dir;
  detail::Core& core = mine.open();
  detail::Core& held = other.open();
  say(core, advertising, Consent::pending);
  held.work(0ms);
  REQUIRE(act_for(held, advertising, "HELD"));
  {
    Life left;
    left.config.queue_dir = mine.config.queue_dir;
    detail::Core& leaves = left.open();
    REQUIRE(act_for(leaves, advertising, "LEFT"));
    left.act("STAYS");
    static_cast<void>(leaves.close(0ms));
  }
  say(core, advertising, Consent::denied);
  mine.clock.monotonic += 1'000;
  core.work(0ms);
  other.clock.monotonic += 1'000;
  held.work(0ms);
  CHECK(held.stats().erased == 1);
  CHECK(act_for(held, advertising, "AFTER") == Code::consent_denied);
  say(core, advertising, Consent::granted);
  mine.clock.monotonic += 120'000;
  REQUIRE(core.flush(60s));
  std::set<std::string> types;
  for (const std::string& line : mine.endpoint->lines()) types.insert(json::parse(line)["action"]["type"]);
  CHECK(types == std::set<std::string>{"STAYS"});
}

TEST_CASE("what was kept between two looks of the worker is denied all the same") {
  Life life;
  detail::Core& core = life.open();
  core.work(0ms);
  say(core, advertising, Consent::pending);
  REQUIRE(act_for(core, advertising, "SEEN"));
  say(core, advertising, Consent::denied);
  CHECK(core.stats().erased == 1);
  CHECK(Scanner({"SEEN"}).found_in(life.directory.path()).empty());
}

TEST_CASE("a denial ends also in a lane that another process's erase just began anew") {
  Life mine;
  Life other;
  other.config.queue_dir = mine.config.queue_dir;
  detail::Core& core = mine.open();
  detail::Core& erases = other.open();
  say(core, advertising, Consent::granted);
  for (int i = 0; i < 100; ++i) REQUIRE(act_for(core, advertising, "SEEN"));
  core.work(0ms);
  REQUIRE(erases.erase());
  say(core, advertising, Consent::denied);
  CHECK(core.stats().erased == 100);
  CHECK(act_for(core, advertising, "SEEN") == Code::consent_denied);
  mine.act("READ");
  REQUIRE(core.flush(60s));
}

TEST_CASE("a denial takes what another lane holds out of its files, also when nothing but the default is left") {
  Life mine;
  Life other;
  other.config.queue_dir = mine.config.queue_dir;
  const Markers markers = Markers::random();
  {
    detail::Core& leaves = other.open();
    say(leaves, advertising, Consent::granted);
    fill(other, markers, advertising);
    static_cast<void>(leaves.close(0ms));
  }
  mine.config.endpoint.clear();
  mine.config.lane = "mine";
  detail::Core& core = mine.open();
  Scanner scanner(markers.all());
  REQUIRE(scanner.found_in(mine.directory.path()).size() == 4);
  say(core, advertising, Consent::denied);
  core.work(0ms);
  CHECK(scanner.found_in(mine.directory.path()).empty());
}

TEST_CASE("a scope that a drain let go before the denial was carried out leaves no bytes either") {
  Life life;
  detail::Core& core = life.open();
  say(core, advertising, Consent::granted);
  Event event = core.event();
  event.content("scope-marker").action("SEEN").purpose(advertising);
  TimedEvent scope = event.start();
  for (int i = 0; i < 3; ++i) {
    life.clock.monotonic += 2'000;
    core.work(0ms);
  }
  Scanner scanner({"scope-marker"});
  REQUIRE_FALSE(scanner.found_in(life.directory.path()).empty());
  life.act("READ");
  say(core, advertising, Consent::denied);
  CHECK(scanner.found_in(life.directory.path()).empty());
  CHECK(scope.end() == Code::already_tracked);
}

TEST_CASE("a stream of one purpose's sentences does not keep another's from leaving") {
  Life life;
  life.config.upload_interval = 100ms;
  detail::Core& core = life.open();
  say(core, advertising, Consent::granted);
  REQUIRE(core.flush(60s));
  life.endpoint->silent = true;
  for (int turn = 0; turn < 20; ++turn) {
    // Each answer takes three intervals, in which analytics gets something new to send.
    for (int i = 0; i < 3; ++i) {
      if (turn == 2 && i == 0) REQUIRE(act_for(core, advertising, "SEEN"));
      life.act("READ");
      life.clock.monotonic += 1'200;
      core.work(0ms);
    }
    life.endpoint->silent = false;
    core.work(0ms);
    life.endpoint->silent = true;
  }
  const auto sent = purposes_sent(life);
  const auto first = std::find(sent.begin(), sent.end(), std::set<std::string>{"advertising"});
  CHECK(first - sent.begin() < 8);
}

TEST_CASE("consents survive being written as one number, and what is unknown waits for all purposes") {
  using hold::Consents;
  for (int all = 0; all < 3; ++all) {
    for (int one = 0; one < 27; ++one) {
      Consents consents;
      consents.all = static_cast<Consent>(all);
      for (int i = 0, rest = one; i < hold::purpose_count; ++i, rest /= 3)
        consents.purposes[i] = static_cast<Consent>(rest % 3);
      consents.asked = one % 2 != 0;
      CHECK(Consents::unpacked(consents.packed()) == consents);
    }
    // As a directory from before there were purposes has it.
    CHECK(Consents::unpacked(all).all == static_cast<Consent>(all));
    CHECK(Consents::unpacked(all).purposes[0] == Consent::granted);
    CHECK(Consents::unpacked(all).purposes[1] == Consent::denied);
  }
  for (const std::int64_t unknown : {std::int64_t{-1}, std::int64_t{512}, INT64_MAX, INT64_MIN}) {
    const Consents consents = Consents::unpacked(unknown);
    CHECK(consents.all == Consent::pending);
    for (const Consent one : consents.purposes) CHECK(one == Consent::pending);
  }
}

TEST_CASE("analytics may be denied by itself, and the consent to everything goes before each") {
  Life life;
  detail::Core& core = life.open();
  say(core, advertising, Consent::granted);
  say(core, analytics, Consent::denied);
  CHECK(act_for(core, analytics, "READ") == Code::consent_denied);
  REQUIRE(act_for(core, advertising, "SEEN"));
  REQUIRE(core.set_consent(Consent::pending));
  REQUIRE(act_for(core, advertising, "SEEN"));
  CHECK(core.flush(1s) == Code::still_waiting);
  CHECK(core.stats().waiting == 2);
  REQUIRE(core.set_consent(Consent::granted));
  CHECK(core.consent(&advertising) == Consent::granted);
  CHECK(core.consent(&analytics) == Consent::denied);
  CHECK(life.arrived().size() == 2);
  REQUIRE(act_for(core, advertising, "SEEN"));
  REQUIRE(core.set_consent(Consent::denied));
  CHECK(act_for(core, advertising, "SEEN") == Code::consent_denied);
  CHECK(core.stats().erased == 1);
  // Not even a sentence about the ledger, which is analytics.
  for (const std::set<std::string>& of_one : purposes_sent(life)) CHECK(of_one == std::set<std::string>{"advertising"});
}

TEST_CASE("what one purpose holds back changes nothing about when another's sentences leave") {
  Life life;
  life.config.upload_interval = 10s;
  detail::Core& core = life.open();
  say(core, advertising, Consent::pending);
  REQUIRE(act_for(core, advertising, "SEEN"));
  for (int i = 0; i < 60; ++i) {
    life.act("READ");
    life.clock.monotonic += 500;
    for (int step = 0; step < 4; ++step) core.work(0ms);
  }
  CHECK(life.endpoint->requests.size() >= 2);
  CHECK(life.endpoint->requests.size() <= 4);  // 30 s, and never sooner for what waits
}

TEST_CASE("a denial cancels the request that carries what is denied, and no other") {
  Life life;
  detail::Core& core = life.open();
  say(core, advertising, Consent::granted);
  life.endpoint->silent = true;
  REQUIRE(act_for(core, advertising, "SEEN"));
  CHECK(core.flush(1s) == Code::still_waiting);
  say(core, advertising, Consent::denied);
  life.endpoint->silent = false;
  life.act("READ");
  REQUIRE(core.flush(60s));
  CHECK(core.stats().delivered == 1);
  CHECK(core.stats().erased == 1);
}

TEST_CASE("an advertising id stands in sentences for advertising alone") {
  Life life;
  detail::Core& core = life.open();
  CHECK(core.event().action("X").device({{"ad_id", "mine"}}).track() == Code::reserved_member);
  CHECK(core.set(Part::device, {{"ad_id", "mine"}}) == Code::reserved_member);
  CHECK(core.event().action("X").user({{"purpose", "advertising"}}).track() == Code::reserved_member);
  CHECK(core.set(Part::user, {{"purpose", "advertising"}}) == Code::reserved_member);
  REQUIRE(core.set_ad_id("38400000-8cf0-11bd-b23e-10b96e40000d"));
  CHECK(core.set_ad_id(std::string(2'049, 'x')) == Code::too_many_members);
  say(core, advertising, Consent::granted);
  say(core, personalization, Consent::granted);
  life.act("READ");
  REQUIRE(act_for(core, personalization, "LIKED"));
  REQUIRE(core.event().action("SEEN").device({{"battery", "low"}}).purpose(advertising).at_unix_ms(1).track());
  CHECK_FALSE(life.last("READ")["device"].contains("ad_id"));
  CHECK_FALSE(life.last("LIKED")["device"].contains("ad_id"));
  CHECK(life.last("SEEN")["device"]["ad_id"] == "38400000-8cf0-11bd-b23e-10b96e40000d");
  CHECK(life.last("SEEN")["device"]["battery"] == "low");
  REQUIRE(core.set_ad_id("\"quoted\" \xff"));
  REQUIRE(act_for(core, advertising, "QUOTED"));
  CHECK(life.last("QUOTED")["device"]["ad_id"] == "\"quoted\" \xEF\xBF\xBD");
  REQUIRE(core.set_ad_id(""));
  REQUIRE(act_for(core, advertising, "NONE"));
  CHECK_FALSE(life.last("NONE")["device"].contains("ad_id"));
  REQUIRE(core.set_ad_id(std::string(2'048, '\x01')));  // each of them six bytes on the line
  REQUIRE(act_for(core, advertising, "LONG"));
  CHECK(life.last("LONG")["device"]["ad_id"] == std::string(2'048, '\x01'));
}

TEST_CASE("the rules for members hold for an advertising id, too") {
  for (const bool denied : {true, false}) {
    Life life;
    if (denied) life.config.deny_members = {"device.ad_id"};
    if (!denied) life.config.hash_members = {"device.ad_id"};
    if (!denied) life.config.hash_key_base64 = "c2VjcmV0IGEsIHNpeHRlZW4gYnl0ZXM=";
    detail::Core& core = life.open();
    say(core, advertising, Consent::granted);
    REQUIRE(core.set_ad_id("38400000"));
    REQUIRE(act_for(core, advertising, "SEEN"));
    const json device = life.last("SEEN")["device"];
    CHECK(device.contains("ad_id") != denied);
    if (!denied) CHECK(device["ad_id"] != "38400000");
  }
}

TEST_CASE("a scope keeps its purpose over a crash, and a denial cancels it") {
  Life life;
  test::killed_after([&life] {
    detail::Core& core = life.open();
    say(core, advertising, Consent::granted);
    say(core, personalization, Consent::granted);
    Event seen = core.event();
    seen.action("SEEN").purpose(advertising);
    Event liked = core.event();
    liked.action("LIKED").purpose(personalization);
    const TimedEvent scope = seen.start();
    const TimedEvent other = liked.start();
    life.clock.monotonic += 2'000;
    core.work(0ms);
    _exit(0);
  });
  detail::Core& core = life.open();
  CHECK(life.last("SEEN")["user"]["purpose"] == "advertising");
  CHECK(life.last("LIKED")["user"]["purpose"] == "personalization");

  Event event = core.event();
  event.action("AGAIN").purpose(advertising);
  TimedEvent again = event.start();
  Event read = core.event();
  read.action("READ");
  TimedEvent stays = read.start();
  life.clock.monotonic += 2'000;
  core.work(0ms);
  say(core, advertising, Consent::denied);
  CHECK(again.end() == Code::already_tracked);
  REQUIRE(stays.end());
  CHECK(Scanner({"AGAIN"}).found_in(life.directory.path()).empty());
}

TEST_CASE("what an earlier process could not take after a denial is taken by the next") {
  Life life;
  detail::Core& core = life.open();
  say(core, advertising, Consent::granted);
  fill(life, Markers::random(), advertising);
  static_cast<void>(core.close(0ms));
  // As if the process died between the two.
  {
    hold::Directory directory;
    REQUIRE(
        directory.open(system::system_files(), life.config.queue_dir, system::system_dice(), system::platform_id()));
    REQUIRE(directory.set_consent(&advertising, Consent::denied));
  }
  detail::Core& again = life.open();
  again.work(0ms);
  CHECK(again.stats().erased == 80);
  CHECK(again.stats().waiting == 0);
}

TEST_CASE("what is no purpose or no consent is answered") {
  Life life;
  detail::Core& core = life.open();
  const Purpose none = static_cast<Purpose>(3);
  CHECK(core.set_consent(Consent::granted, &none) == Code::bad_argument);
  CHECK(core.set_consent(static_cast<Consent>(3), &advertising) == Code::bad_argument);
  CHECK(core.consent(&none) == Consent::pending);
  CHECK(core.event().action("X").purpose(none).track() == Code::bad_argument);
  CHECK(core.event().action("X").purpose(static_cast<Purpose>(-1)).track() == Code::bad_argument);
  CHECK(core.stats().refused_invalid == 2);
}

TEST_CASE("a C host and JSON have the same words for purposes") {
  test::TempDirectory directory;
  yukha_config config = test::c_config(directory.path());
  yukha_tracker* tracker = yukha_open(&config, nullptr);
  CHECK(yukha_get_purpose_consent(tracker, YUKHA_ADVERTISING) == YUKHA_DENIED);
  CHECK(yukha_set_purpose_consent(tracker, YUKHA_ADVERTISING, YUKHA_PENDING) == YUKHA_OK);
  CHECK(yukha_get_purpose_consent(tracker, YUKHA_ADVERTISING) == YUKHA_PENDING);
  CHECK(yukha_set_purpose_consent(tracker, 7, YUKHA_PENDING) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_set_purpose_consent(nullptr, YUKHA_ADVERTISING, YUKHA_PENDING) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_set_advertising_id(tracker, "38400000", 0) == YUKHA_OK);
  CHECK(yukha_set_advertising_id(tracker, nullptr, 0) == YUKHA_BAD_ARGUMENT);
  yukha_event* sentence = yukha_event_new(tracker);
  yukha_event_action(sentence, "SEEN", 0, -1, nullptr, 0);
  CHECK(yukha_event_purpose(sentence, YUKHA_ADVERTISING) == YUKHA_OK);
  CHECK(yukha_event_track(sentence) == YUKHA_OK);
  yukha_event_action(sentence, "SEEN", 0, -1, nullptr, 0);
  CHECK(yukha_event_purpose(sentence, 9) == YUKHA_BAD_ARGUMENT);
  CHECK(yukha_event_track(sentence) == YUKHA_BAD_ARGUMENT);
  yukha_event_free(sentence);
  const auto tracked = [tracker](const char* text) { return yukha_track_json(tracker, text, 0); };
  CHECK(tracked(R"({"action":{"type":"SEEN"},"purpose":"advertising"})") == YUKHA_OK);
  CHECK(tracked(R"({"action":{"type":"READ"},"purpose":"analytics"})") == YUKHA_OK);
  CHECK(tracked(R"({"action":{"type":"LIKED"},"purpose":"personalization"})") == YUKHA_CONSENT_DENIED);
  CHECK(tracked(R"({"action":{"type":"X"},"purpose":"sales"})") == YUKHA_NOT_A_SENTENCE);
  CHECK(tracked(R"({"action":{"type":"X"},"purpose":1})") == YUKHA_NOT_A_SENTENCE);
  yukha_stats stats;
  yukha_get_stats(tracker, &stats, sizeof stats);
  CHECK(stats.accepted == 3);
  CHECK(stats.refused_consent == 1);
  CHECK(yukha_set_purpose_consent(tracker, YUKHA_ADVERTISING, YUKHA_DENIED) == YUKHA_OK);
  yukha_get_stats(tracker, &stats, sizeof stats);
  CHECK(stats.erased == 2);
  yukha_close(tracker, 0);
  yukha_free(tracker);
}

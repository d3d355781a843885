// What stands between an app's thread and the ring, each part alone.
#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string>

#include "compose/parts.hpp"
#include "intake/clock_note.hpp"
#include "intake/intake.hpp"
#include "intake/sampling.hpp"
#include "intake/session.hpp"
#include "support.hpp"

using namespace yukha;
using detail::ClockNote;
using detail::Intake;
using detail::Sampling;
using detail::Session;

namespace {

constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t now_ms = 1'000'000;
constexpr std::int64_t unix_ms = 1'779'421'925'301;

std::string sentence(const char* action, const char* user = nullptr) {
  std::string parts;
  if (user != nullptr) compose::append_entry(parts, Part::user, "id", user);
  compose::append_entry(parts, Part::action, "type", action);
  return parts;
}

bool leaves_out(const Sampling& sampling, const std::string& parts) {
  return sampling.leaves_out(parts.data(), parts.size());
}

bool stops(const Sampling& sampling, const std::string& parts) {
  return sampling.stops(parts.data(), parts.size());
}

// An intake before a ring in memory.
struct Gate {
  Gate() {
    lanes.ring_bytes = 64 << 10;
    REQUIRE(directory.open(files, temp.path(), dice, "here"));
    lane = std::make_unique<hold::Lane>(files, dice, directory, lanes);
    REQUIRE(lane->open_in_memory("0000000000000001") == Code::ok);
    system::Lock lock(intake.mutex);
    intake.write_to(*lane);
    intake.read_directory({});
    intake.begin_run();
  }
  Intake::Appended append(const std::string& parts, const Status& problem = {}, Purpose purpose = Purpose::analytics) {
    Intake::Offer offer{problem, {hold::Priority::normal, purpose}, {}, nullptr, &seen};
    offer.sentence.parts = parts.data();
    offer.sentence.parts_size = parts.size();
    offer.sentence.purpose = purpose;
    return intake.append(offer);
  }

  test::StillClock clock;
  test::SeededDice dice{7};
  test::FilesUnder files;
  test::TempDirectory temp;
  hold::LaneSettings lanes;
  hold::Directory directory;
  std::unique_ptr<hold::Lane> lane;
  Intake intake{directory, clock, dice, {}};
  std::string seen;
};

}  // namespace

TEST_CASE("a session ends after a pause, and is noted once a second") {
  Session session(30 * minute_ms, 0);
  CHECK_FALSE(session.go_on({}, unix_ms, now_ms));
  CHECK(session.begins(now_ms));
  CHECK(session.take(now_ms));
  CHECK_FALSE(session.begins(now_ms));
  CHECK_FALSE(session.take(now_ms + 999));
  CHECK(session.take(now_ms + 1'000));
  CHECK_FALSE(session.begins(now_ms + 1'000 + 30 * minute_ms - 1));
  CHECK(session.begins(now_ms + 1'000 + 30 * minute_ms));
  session.end();
  CHECK(session.begins(now_ms + 1'001));
  CHECK(session.take(now_ms + 1'001));  // it begins, so it is noted
}

TEST_CASE("a run goes on with the session before when the wall clock says that it is not over") {
  const hold::SessionMark mark{7, unix_ms};
  Session session(30 * minute_ms, 0);
  CHECK(session.go_on(mark, unix_ms + 10 * minute_ms, now_ms));
  CHECK_FALSE(session.begins(now_ms));
  CHECK(session.begins(now_ms + 20 * minute_ms));  // ten of its thirty minutes were over
  SUBCASE("the pause was too long") {
    CHECK_FALSE(session.go_on(mark, unix_ms + 30 * minute_ms, now_ms));
  }
  SUBCASE("the clock was set back") {
    CHECK_FALSE(session.go_on(mark, unix_ms - 1, now_ms));
  }
  SUBCASE("there was none") {
    CHECK_FALSE(session.go_on({0, unix_ms}, unix_ms, now_ms));
  }
  CHECK(Session::id_of(1, 7) != Session::id_of(1, 8));
  CHECK(Session::id_of(1, 7) != Session::id_of(2, 7));
}

TEST_CASE("a stay in the background ends a session by a limit of its own") {
  Session session(30 * minute_ms, 5 * minute_ms);
  session.take(now_ms);
  session.go_to_background(now_ms);
  session.go_to_background(now_ms + 2 * minute_ms);  // it is there already
  SUBCASE("shorter") {
    session.come_to_foreground(now_ms + 5 * minute_ms - 1);
    CHECK_FALSE(session.begins(now_ms + 5 * minute_ms));
  }
  SUBCASE("as long") {
    session.come_to_foreground(now_ms + 5 * minute_ms);
    CHECK(session.begins(now_ms + 5 * minute_ms));
  }
  session.come_to_foreground(now_ms + 60 * minute_ms);  // it is not there any more
}

TEST_CASE("a user is in the sample on every device, or on none") {
  Sampling some(0.25);
  CHECK(some.told() == "0.25");
  CHECK(Sampling(1).told().empty());
  int left_out = 0;
  for (int i = 0; i < 1'000; ++i) {
    const std::string user = std::to_string(i);
    const bool out = leaves_out(some, sentence("look", user.c_str()));
    left_out += out ? 1 : 0;
    // The standing user, as the encoder writes it, has the same place.
    some.set_user("\"id\":\"" + user + "\"");
    CHECK(leaves_out(some, sentence("look")) == out);
  }
  CHECK(left_out > 700);
  CHECK(left_out < 800);
}

TEST_CASE("what a policy stops goes on when its time is over") {
  send::Policy policy;
  policy.arrived_unix_ms = unix_ms;
  policy.for_s = 60;
  policy.stop = {"scroll"};
  Sampling sampling(1);
  sampling.obey(Sampling::wish_of(policy, unix_ms + 10'000, now_ms));
  CHECK(sampling.obeys());
  CHECK(stops(sampling, sentence("scroll")));
  CHECK_FALSE(stops(sampling, sentence("look")));
  CHECK_FALSE(sampling.is_over(now_ms + 49'999));
  CHECK(sampling.is_over(now_ms + 50'000));
  policy.stop = {"*"};
  sampling.obey(Sampling::wish_of(policy, unix_ms, now_ms));
  CHECK(stops(sampling, sentence("look")));
  sampling.obey(Sampling::wish_of({}, unix_ms, now_ms));
  CHECK_FALSE(sampling.obeys());
  CHECK_FALSE(stops(sampling, sentence("scroll")));
}

TEST_CASE("of the config's share of users and the policy's the smaller one is told") {
  send::Policy policy;
  policy.arrived_unix_ms = unix_ms;
  policy.for_s = 60;
  policy.share_percent = 10;
  Sampling sampling(0.5);
  CHECK(sampling.told(Sampling::wish_of(policy, unix_ms, now_ms)) == "0.1");
  CHECK(sampling.told() == "0.5");  // it is not obeyed yet
  policy.share_percent = 60;
  sampling.obey(Sampling::wish_of(policy, unix_ms, now_ms));
  CHECK(sampling.told() == "0.5");
}

TEST_CASE("the offset of a clock is forgotten when that clock is set") {
  ClockNote note;
  CHECK(note.says(std::nullopt));
  CHECK_FALSE(note.needs_check(unix_ms));  // there is nothing to forget
  note.set(-42, unix_ms, now_ms);
  CHECK(note.says(-42));
  CHECK_FALSE(note.needs_check(unix_ms + 999));
  CHECK(note.needs_check(unix_ms + 1'000));
  CHECK(note.needs_check(unix_ms - 1));  // it went back
  CHECK(note.check(unix_ms + 5'000, now_ms + 4'000));
  CHECK_FALSE(note.needs_check(unix_ms + 5'999));
  CHECK_FALSE(note.check(unix_ms + 7'001, now_ms + 6'000));
  CHECK(note.says(std::nullopt));
  CHECK_FALSE(note.needs_check(unix_ms + 100'000));
}

TEST_CASE("a sentence goes into the ring, and its number goes on after a refusal") {
  using Outcome = Intake::Appended::Outcome;
  Gate gate;
  CHECK(gate.append(sentence("look")).outcome == Outcome::kept_in_memory);
  CHECK(gate.seen.find("\"type\":\"look\"") != std::string::npos);
  CHECK(gate.seen.find("\"seq\":\"0000000001\"") != std::string::npos);
  const Intake::Appended wrong = gate.append(sentence("look"), Code::bad_time);
  CHECK(wrong.outcome == Outcome::refused);
  CHECK(wrong.refusal == Code::bad_time);
  CHECK(gate.append(sentence("look"), {}, Purpose::advertising).refusal == Code::consent_denied);
  CHECK(gate.append(sentence("buy")).outcome == Outcome::kept_in_memory);
  CHECK(gate.seen.find("\"seq\":\"0000000002\"") != std::string::npos);
  CHECK(gate.lane->ring().accepted() == 2);
  CHECK(gate.lane->ring().refused(hold::Refusal::invalid) == 1);
  CHECK(gate.lane->ring().refused(hold::Refusal::consent) == 1);
}

TEST_CASE("the worker is woken by what it waits for, and once") {
  Gate gate;
  CHECK_FALSE(gate.append(sentence("look")).wakes_worker);
  CHECK_FALSE(gate.intake.fall_asleep(Intake::Waits::for_any_line));  // there is one
  CHECK(gate.intake.fall_asleep(Intake::Waits::for_half_full));
  int until_half_full = 0;
  while (!gate.append(sentence("look")).wakes_worker) ++until_half_full;
  CHECK(until_half_full > 10);
  CHECK(gate.lane->ring().used() * 2 >= gate.lane->ring().capacity());
  CHECK_FALSE(gate.append(sentence("look")).wakes_worker);
  CHECK_FALSE(gate.intake.fall_asleep(Intake::Waits::for_half_full));
  CHECK(gate.intake.fall_asleep(Intake::Waits::for_time));
  CHECK_FALSE(gate.append(sentence("look")).wakes_worker);
  gate.lane->ring().release(gate.lane->ring().head());
  CHECK(gate.intake.fall_asleep(Intake::Waits::for_any_line));
  CHECK(gate.append(sentence("look")).wakes_worker);
}

TEST_CASE("nothing is taken, and nothing begins or ends, while no lane is open") {
  Gate gate;
  detail::OpenScope scope;
  std::uint64_t number = 0;
  CHECK(gate.intake.begin_scope(scope, number) == Code::ok);
  {
    system::Lock lock(gate.intake.mutex);
    gate.intake.leave_lane();
  }
  CHECK(gate.append(sentence("look")).outcome == Intake::Appended::Outcome::suspended);
  std::uint64_t other = 0;
  CHECK(gate.intake.begin_scope(scope, other) == std::nullopt);
  CHECK(gate.intake.end_scope(number, scope) == std::nullopt);
  CHECK(gate.intake.give_up(Code::ring_full));  // worth another try
  {
    system::Lock lock(gate.intake.mutex);
    gate.intake.enter_lane();
  }
  CHECK(gate.intake.end_scope(number, scope) == Code::ok);
  CHECK(gate.intake.end_scope(number, scope) == Code::already_tracked);
  CHECK(gate.intake.give_up(Code::ring_full) == Code::ring_full);
}

TEST_CASE("what is closing begins nothing, and what is closed takes nothing") {
  Gate gate;
  detail::OpenScope scope;
  std::uint64_t number = 0;
  gate.intake.begin_to_close();
  CHECK(gate.intake.begin_scope(scope, number) == Code::closed);
  CHECK(gate.append(sentence("look")).outcome == Intake::Appended::Outcome::kept_in_memory);
  gate.intake.close();
  CHECK(gate.append(sentence("look")).refusal == Code::closed);
  CHECK(gate.intake.refused_closed() == 1);
  CHECK(gate.intake.change([](compose::Standing&) { return Status(); }) == Code::closed);
}

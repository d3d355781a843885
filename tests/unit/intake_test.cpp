// What stands between an app's thread and the ring, each part alone.
#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include "compose/parts.hpp"
#include "intake/clock_note.hpp"
#include "intake/sampling.hpp"
#include "intake/session.hpp"

using namespace yukha;
using detail::ClockNote;
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

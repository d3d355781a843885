// What was consented to stands in directory.db, its copy and each lane's ring; whatever becomes of them, nobody's no
// turns into a yes.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "life/support.hpp"

namespace fs = std::filesystem;
using namespace yukha;
using namespace std::chrono_literals;
using test::Life;

namespace {

const char* const places[] = {"directory.db", "directory.copy", "lane-00.ring"};
constexpr Purpose ads = Purpose::advertising;

void say(detail::Core& core, int what) {
  if (what == 0) REQUIRE(core.set_consent(Consent::denied));
  if (what == 1) REQUIRE(core.set_consent(Consent::pending));
  if (what == 2) REQUIRE(core.set_consent(Consent::denied, &ads));
}

// `how` is missing, unreadable, damaged or older.
void spoil(const std::string& path, const std::string& before, int how) {
  if (how == 3) {
    test::write_file(path, test::read_file(before));
    return;
  }
  const std::string was = test::read_file(path);
  fs::remove(path);
  if (how == 1) fs::create_directory(path);
  if (how == 2) test::write_file(path, std::string(was.size(), '\x5A'));
}

bool leaves(Life& life) {
  life.endpoint->requests.clear();
  static_cast<void>(life.core->event().action("A").track());
  static_cast<void>(life.core->event().action("B").purpose(ads).track());
  static_cast<void>(life.core->flush(2s));
  for (const std::string& line : life.endpoint->lines()) {
    if (line.find("\"type\":\"B\"") != std::string::npos) return true;
    if (life.core->consent() != Consent::granted && line.find("\"type\":\"A\"") != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a consent that was not given is not given by the loss of any of the files that say so") {
  // Each of the three places is sound, missing, unreadable, damaged or older.
  for (int what = 0; what < 3; ++what) {
    for (int spoilt = 1; spoilt < 125; ++spoilt) {
      const int ways[] = {spoilt % 5 - 1, spoilt / 5 % 5 - 1, spoilt / 25 - 1};
      // All of them as they were before: nobody can know.
      if (ways[0] == 3 && ways[1] == 3 && ways[2] == 3) continue;
      CAPTURE(what);
      CAPTURE(spoilt);
      Life life;
      const fs::path before = life.directory / "before";
      life.open();
      REQUIRE(life.core->set_consent(Consent::granted));
      REQUIRE(life.core->set_consent(Consent::granted, &ads));
      life.core.reset();
      fs::copy(life.config.queue_dir, before);
      say(life.open(), what);
      life.core.reset();
      bool knows = false;
      bool only_older = true;
      for (int i = 0; i < 3; ++i) {
        const std::string path = life.config.queue_dir + "/" + places[i];
        if (ways[i] >= 0) spoil(path, (before / places[i]).string(), ways[i]);
        knows = knows || ways[i] < 0;
        only_older = only_older && ways[i] >= 0;
      }
      // Where one statement is left and it is an older one, it counts: nothing says that there was another.
      const bool one_is_older = ways[0] == 3 || ways[1] == 3 || ways[2] == 3;
      if (only_older && one_is_older) continue;
      detail::Seams seams;
      seams.clock = &life.clock;
      life.core.reset(detail::Core::open(life.config, seams));
      REQUIRE(life.core->status().good());
      CHECK_FALSE(leaves(life));
      const Consent all = life.core->consent();
      if (!knows) CHECK(all == Consent::pending);
      if (knows && what < 2) CHECK(all == (what == 0 ? Consent::denied : Consent::pending));
      if (knows && what == 2) CHECK(life.core->consent(&ads) == Consent::denied);
    }
  }
}

TEST_CASE("a denial leaves no bytes of what was delivered before it, though nothing waits any more") {
  Life life;
  detail::Core& core = life.open();
  REQUIRE(core.set_consent(Consent::granted, &ads));
  for (int i = 0; i < 20; ++i) REQUIRE(core.event().content("marker-of-ads").action("A").purpose(ads).track());
  REQUIRE(core.flush(60s) == Code::ok);
  REQUIRE(core.stats().waiting == 0);
  REQUIRE(core.set_consent(Consent::denied, &ads));
  for (const auto& entry : fs::directory_iterator(life.config.queue_dir)) {
    CAPTURE(entry.path().string());
    CHECK(test::read_file(entry.path().string()).find("marker-of-ads") == std::string::npos);
  }
}

TEST_CASE("a new install begins with what the app says; what is there already does not") {
  for (const Consent initial : {Consent::granted, Consent::pending, Consent::denied}) {
    Life life;
    life.config.initial_consent = initial;
    CHECK(life.open().consent() == initial);
    life.core.reset();
    life.config.initial_consent = Consent::granted;
    CHECK(life.open().consent() == initial);
  }
}

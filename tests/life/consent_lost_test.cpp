// What was consented to stands in directory.db, its copy and each lane's ring; whatever becomes of them, nobody's no
// turns into a yes.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "hold/sqlite.hpp"
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

TEST_CASE("a directory.db that was removed or replaced while it was open is found again") {
  Life life;
  detail::Core& core = life.open();
  REQUIRE(core.set_consent(Consent::granted));
  life.act("A");
  fs::remove(life.directory / "directory.db");
  Life other;
  other.config.queue_dir = life.directory.path();
  SUBCASE("by nobody else: the next word makes it again") {
    REQUIRE(core.set_consent(Consent::denied) == Code::ok);
    CHECK(other.open().consent() == Consent::denied);
  }
  SUBCASE("by another process, whose word is heard") {
    REQUIRE(other.open().set_consent(Consent::denied) == Code::ok);
    life.clock.monotonic += 2000;
    core.work(0ms);
    CHECK(core.consent() == Consent::denied);
    CHECK(core.stats().waiting == 0);
  }
}

TEST_CASE("a no that cannot be written holds in the process, and one in memory says that it reaches no further") {
  Life life;
  detail::Core& core = life.open();
  life.act("A");
  fs::permissions(life.directory.path(), fs::perms::none);
  fs::remove_all(life.directory.path() + "-moved");
  fs::rename(life.directory.path(), life.directory.path() + "-moved");
  test::write_file(life.directory.path(), "a file in its place");
  CHECK_FALSE(core.set_consent(Consent::pending) == Code::ok);
  CHECK(core.consent() == Consent::pending);
  fs::remove(life.directory.path());
  fs::rename(life.directory.path() + "-moved", life.directory.path());
  fs::permissions(life.directory.path(), fs::perms::owner_all);

  Life memory;
  test::write_file(memory.directory / "file", "");
  memory.config.queue_dir = memory.directory / "file/queue";
  CHECK(memory.open().set_consent(Consent::denied) == Code::kept_in_memory);
  CHECK(memory.core->erase() == Code::kept_in_memory);
}

TEST_CASE("statistics that a browser of databases made are no damage") {
  Life life;
  life.open();
  life.act("A");
  life.core.reset();
  for (const char* name : {"directory.db", "lane-00.queue"}) {
    hold::Database database;
    REQUIRE(database.open(life.directory / name, nullptr, hold::Sharing::shared));
    REQUIRE(database.run("ANALYZE"));
  }
  life.open();
  CHECK(life.core->stats().waiting + life.core->stats().delivered == 1);
  CHECK_FALSE(fs::exists(life.directory / "lane-00.damaged"));
}

TEST_CASE("a directory of which nothing but a damaged directory.db is left had an owner, whose consent nobody knows") {
  Life life;
  test::write_file(life.directory / "directory.db", std::string(5'000, 'x'));
  life.open();
  CHECK(life.core->consent() == Consent::pending);
}

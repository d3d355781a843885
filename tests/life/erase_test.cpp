// What was erased is nowhere: not in a file, not in a page that was let go, not inside a compressed batch.
#include <filesystem>
#include <set>

#include "hold/directory.hpp"
#include "hold/sqlite.hpp"
#include "life/scanner.hpp"

using namespace yukha;
using namespace std::chrono_literals;
using test::fill;
using test::Life;
using test::Markers;
using test::Scanner;

TEST_CASE("erase() leaves nothing of ring, chunks, batches, quarantine and log, which the scanner finds before") {
  Life life;
  detail::Core& core = life.open();
  const Markers markers = Markers::random();
  fill(life, markers);
  Scanner scanner(markers.all());
  REQUIRE(scanner.found_in(life.directory.path()).size() == 4);

  // An erase by DELETE alone would not pass: what it lets go still lies there.
  const test::TempDirectory copy;
  std::filesystem::copy(life.directory.path(), copy / "queue", std::filesystem::copy_options::recursive);
  std::filesystem::remove(copy / "queue/lane-00.ring");
  CHECK(scanner.found_in(copy.path()) == std::set<std::string>{markers.quarantine, markers.batch, markers.chunk});
  {
    hold::Database database;
    REQUIRE(database.open(copy / "queue/lane-00.queue", nullptr, hold::Sharing::shared));
    for (const char* table : {"DELETE FROM chunk", "DELETE FROM batch", "DELETE FROM quarantine"}) {
      REQUIRE(database.run(table));
    }
  }
  CHECK_FALSE(scanner.found_in(copy.path()).empty());

  REQUIRE(core.erase());
  CHECK(scanner.found_in(life.directory.path()).empty());
  const Stats stats = core.stats();
  CHECK(stats.accepted == 80);
  CHECK(stats.erased == 80);
  CHECK(stats.quarantined == 0);
}

TEST_CASE("an erase that a kill cut off is finished by the next opening, wherever the kill fell") {
  const Markers markers = Markers::random();
  int not_begun = 0;
  test::killed_at_each_operation([&](Life& life) { fill(life, markers); },
                                 [](detail::Core& core) { REQUIRE(core.erase()); },
                                 [&](detail::Core& core, const std::string& directory) {
                                   const Stats stats = core.stats();
                                   // One operation comes before the commit that begins the erase: the lock. From then
                                   // on nothing is left.
                                   if (stats.erased == 0 && ++not_begun == 1) return;
                                   CHECK(Scanner(markers.all()).found_in(directory).empty());
                                   CHECK(stats.accepted == 80);
                                   CHECK(stats.erased == 80);
                                   CHECK(stats.waiting == 0);
                                   CHECK(stats.quarantined == 0);
                                 });
}

TEST_CASE("an erase while a request runs cancels it, and what comes after is delivered") {
  Life life;
  detail::Core& core = life.open();
  const Markers markers = Markers::random();
  life.endpoint->silent = true;
  for (int i = 0; i < 20; ++i) REQUIRE(core.event().content(markers.batch).action("READ").track());
  CHECK(core.flush(1s) == Code::still_waiting);
  REQUIRE(core.erase());
  life.endpoint->silent = false;
  Scanner scanner(markers.all());
  CHECK(scanner.found_in(life.directory.path()).empty());
  const std::size_t before = life.endpoint->requests.size();
  life.act("AFTER");
  REQUIRE(core.flush(60s));
  for (std::size_t i = before; i < life.endpoint->requests.size(); ++i) {
    for (const std::string& line : life.endpoint->requests[i].lines) {
      CHECK(line.find(markers.batch) == std::string::npos);
    }
  }
  CHECK(core.stats().delivered == 1);
  CHECK(core.stats().erased == 20);
}

TEST_CASE("erase() leaves no file behind that tells who this was, also of lanes without a queue and of damages") {
  Life life;
  detail::Core& core = life.open();
  life.act("A");
  const auto install_id_now = [&life] { return life.last("A")["device"]["id"].get<std::string>(); };
  const std::string install_id = install_id_now();
  const std::string marker = Markers::random().chunk;
  const std::string directory = life.directory.path();
  for (const char* name : {"directory.db.damaged", "lane-00.damaged", "lane-00.damaged-wal", "lane-05.damaged"}) {
    test::write_file(directory + "/" + name, install_id + marker);
  }
  test::write_file(directory + "/lane-05.lock", "");
  // A lane of which only the ring was left.
  {
    Life other;
    other.config.queue_dir = directory;
    REQUIRE(other.open().event().action(marker).track());
    test::write_file(directory + "/lane-09.ring", test::read_file(directory + "/lane-01.ring"));
  }
  Scanner scanner({install_id, marker});
  REQUIRE(scanner.found_in(directory).size() == 2);
  REQUIRE(core.erase());
  CHECK(scanner.found_in(directory).empty());
  life.act("A");
  CHECK(install_id_now() != install_id);
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    CHECK(entry.path().string().find("damaged") == std::string::npos);
  }
}

TEST_CASE("the device's id is kept as a keyed hash only, and one in clear is known once") {
  const test::TempDirectory path;
  const std::string device = "9f86d081884c7d659a2feaa0c55ad015";
  const auto open = [&path](const std::string& on) {
    hold::Directory directory;
    REQUIRE(directory.open(system::system_files(), path.path(), system::system_dice(), on));
    return directory.state().install_id;
  };
  const std::string install_id = open(device);
  Scanner scanner({device});
  CHECK(scanner.found_in(path.path()).empty());
  CHECK(open(device) == install_id);
  {
    hold::Database database;
    REQUIRE(database.open(path / "directory.db", nullptr, hold::Sharing::shared));
    REQUIRE(database.run("UPDATE directory SET platform = '9f86d081884c7d659a2feaa0c55ad015'"));
  }
  REQUIRE(scanner.found_in(path.path()).size() == 1);
  CHECK(open(device) == install_id);
  CHECK(scanner.found_in(path.path()).empty());
  // Copied to another device, and on there.
  const std::string other = open("another");
  CHECK(other != install_id);
  CHECK(open("another") == other);
  CHECK(open(device) != other);
}

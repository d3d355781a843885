// A lane on the simulation's disk, which knows what was synced.
#include "hold/lane.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "core/core.hpp"
#include "simulation/sim_disk.hpp"
#include "simulation/virtual_time.hpp"
#include "support.hpp"

using namespace yukha;
using hold::Lane;
using simulation::Chance;
using simulation::Disk;
using simulation::Process;
using namespace std::chrono_literals;

namespace {

// What one process has of a directory.
struct Holder {
  Holder(Disk& disk, Chance& chance, simulation::VirtualTime& time) : files(disk, chance, time), dice(chance) {
    static_cast<void>(files.make_directory("/q"));
    settings.directory = "/q";
    settings.ring_bytes = 64 << 10;
    settings.batches = {500, 1'000'000};
    lane = std::make_unique<Lane>(files, dice, directory, settings);
  }
  Status open() {
    if (Status status = directory.open(files, "/q", dice, "here"); !status) return status;
    return lane->open("main", "0000000000000001");
  }

  Process files;
  simulation::SeededDice dice;
  hold::LaneSettings settings;
  hold::Directory directory;
  std::unique_ptr<Lane> lane;
};

// A device on which one process lives after the other, each until it is killed.
struct Device {
  explicit Device(unsigned seed) : chance(seed) {
    config.app_id = "shop";
    config.queue_dir = "/q";
    config.use_thread = false;
    config.collect_device_facts = false;
  }
  template <typename What>
  void live(const What& what) {
    Process files(disk, chance, time);
    simulation::SeededDice dice(chance);
    detail::Seams seams;
    seams.clock = &clock;
    seams.files = &files;
    seams.dice = &dice;
    const std::unique_ptr<detail::Core> core(detail::Core::open(config, seams));
    what(*core);
    files.kill();
  }
  void fails(simulation::Fault how) {
    disk.fault = how;
    disk.fault_one_in = 1;
  }
  void recovers() { disk.fault_one_in = 0; }

  Disk disk;
  Chance chance;
  simulation::VirtualTime time;
  test::StillClock clock;
  Config config;
};

// How many of five were answered kept.
std::uint64_t track_five(detail::Core& core) {
  std::uint64_t kept = 0;
  for (int i = 0; i < 5; ++i) kept += core.event().action("READ").track() == Code::ok ? 1 : 0;
  return kept;
}

std::string line(int number) {
  return R"({"id":")" + std::to_string(1000 + number) + std::string(500, 'x') + "\"}";
}

}  // namespace

TEST_CASE("room behind a commit that was never synced is not used again, so a power loss costs nothing kept") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    Disk disk;
    Chance chance(seed);
    simulation::VirtualTime time;
    {
      Holder first(disk, chance, time);
      REQUIRE(first.open());
      for (int i = 0; i < 60; ++i) {
        REQUIRE(first.lane->ring().append(line(i), hold::Priority::normal) == hold::Ring::Append::done);
      }
      first.files.kill();
    }
    disk.write_back();  // half a minute later the ring is on the platter
    disk.fault = simulation::Fault::sync_error;
    disk.fault_one_in = 1;
    {
      // It finds the sentences, writes them to the log, and cannot sync that.
      Holder second(disk, chance, time);
      CHECK_FALSE(second.open());
      second.files.kill();
    }
    {
      // The log has them by now, as long as there is power.
      Holder third(disk, chance, time);
      const bool opened = third.open().good();
      CHECK_FALSE(opened);
      for (int i = 60; opened && i < 160; ++i) {
        static_cast<void>(third.lane->ring().append(line(i), hold::Priority::normal));
      }
      third.files.kill();
    }
    disk.fault_one_in = 0;
    disk.lose_power(chance);
    Holder last(disk, chance, time);
    REQUIRE(last.open());
    CHECK(last.lane->queue().ledger().lost == 0);
    CHECK(last.lane->queue().ledger().accepted >= 60);
  }
}

TEST_CASE("what was tracked after an erase whose commit failed, and is on the disk all the same, is counted") {
  Disk disk;
  Chance chance(3);
  simulation::VirtualTime time;
  {
    Holder holder(disk, chance, time);
    REQUIRE(holder.open());
    REQUIRE(holder.lane->ring().append("{\"id\":\"a\"}", hold::Priority::normal) == hold::Ring::Append::done);
    hold::Ledger ledger = holder.lane->queue().ledger();
    ledger.accepted = ledger.erased = 1;
    REQUIRE(holder.directory.begin_new_epoch("main", ledger));
    // Its process was told that it failed, and goes on until it dies.
    REQUIRE(holder.lane->ring().append("{\"id\":\"b\"}", hold::Priority::normal) == hold::Ring::Append::done);
  }
  Holder next(disk, chance, time);
  REQUIRE(next.open());
  CHECK(next.lane->queue().ledger().accepted == 2);
  CHECK(next.lane->queue().ledger().erased == 2);
  CHECK(next.lane->ring().used() == 0);
}

TEST_CASE("an erase keeps its counters, also when whoever finishes it cannot open the old ring for want of memory") {
  class NoMemoryOnce final : public test::FilesUnder {
   public:
    system::Error open(const std::string& path, system::OpenMode mode,
                       std::unique_ptr<system::File>& file) noexcept override {
      const bool is_ring = path.size() > 5 && path.compare(path.size() - 5, 5, ".ring") == 0;
      if (is_ring && std::exchange(fails, false)) return ENOMEM;
      return FilesUnder::open(path, mode, file);
    }
    bool fails = false;
  };
  const test::TempDirectory folder;
  NoMemoryOnce files;
  test::SeededDice dice(5);
  const hold::LaneSettings settings{folder.path(), 64 << 10, {500, 1'000'000}};
  {
    hold::Directory directory;
    REQUIRE(directory.open(files, folder.path(), dice, "here"));
    Lane lane(files, dice, directory, settings);
    REQUIRE(lane.open("main", "0000000000000001"));
    REQUIRE(lane.ring().append(line(1), hold::Priority::normal) == hold::Ring::Append::done);
    lane.ring().refuse(hold::Refusal::invalid);
  }
  {
    // What the ring had is in the database, and another lane's process erases.
    hold::Directory directory;
    REQUIRE(directory.open(files, folder.path(), dice, "here"));
    Lane lane(files, dice, directory, settings);
    REQUIRE(lane.open("main", "0000000000000002"));
    lane.close();
    REQUIRE(directory.begin_new_epoch());
  }
  hold::Directory directory;
  REQUIRE(directory.open(files, folder.path(), dice, "here"));
  Lane lane(files, dice, directory, settings);
  files.fails = true;
  REQUIRE(lane.open("main", "0000000000000003"));
  CHECK_FALSE(files.fails);
  CHECK(lane.queue().ledger().accepted == 1);
  CHECK(lane.queue().ledger().erased == 1);
  CHECK(lane.queue().ledger().refused[static_cast<int>(hold::Refusal::invalid)] == 1);
}

TEST_CASE("an erase unlinks no file of the directory that took the place of its own") {
  const test::TempDirectory folder;
  const std::string path = folder.path() + "/q";
  system::Files& files = system::system_files();
  test::SeededDice dice(6);
  const hold::LaneSettings settings{path, 64 << 10, {500, 1'000'000}};
  REQUIRE(files.make_directory(path) == 0);
  hold::Directory directory;
  REQUIRE(directory.open(files, path, dice, "here"));
  Lane lane(files, dice, directory, settings);
  REQUIRE(lane.open("main", "0000000000000001"));
  REQUIRE(lane.ring().append(line(1), hold::Priority::normal) == hold::Ring::Append::done);

  REQUIRE(files.rename(path, folder.path() + "/away") == 0);
  REQUIRE(files.make_directory(path) == 0);
  hold::Directory other_directory;
  REQUIRE(other_directory.open(files, path, dice, "here"));
  Lane other(files, dice, other_directory, settings);
  REQUIRE(other.open("main", "0000000000000002"));
  REQUIRE(other.ring().append(line(2), hold::Priority::normal) == hold::Ring::Append::done);

  const Status erased = lane.erase("0000000000000003", hold::Epoch::next);
  CHECK(erased == Code::disk_error);
  CHECK(lane.in_memory());
  CHECK_FALSE(other.is_gone());
}

TEST_CASE("an erase keeps its counters, also when another process finishes it in the middle" *
          doctest::test_suite("exhaustive")) {
  bool reached_the_end = false;
  for (int at = 0; !reached_the_end; ++at) {
    REQUIRE(at < 500);
    Disk disk;
    Chance chance(static_cast<unsigned>(at) + 1);
    simulation::VirtualTime time;
    int operations = 0;
    {
      Holder first(disk, chance, time);
      REQUIRE(first.open());
      for (int i = 0; i < 10; ++i) {
        REQUIRE(first.lane->ring().append(line(i), hold::Priority::normal) == hold::Ring::Append::done);
      }
      bool inside = false;
      first.files.meanwhile = [&] {
        if (inside || operations++ != at) return;
        inside = true;
        Holder other(disk, chance, time);
        static_cast<void>(other.open());
        inside = false;
      };
      static_cast<void>(first.lane->erase("0000000000000002", hold::Epoch::next));
      first.files.meanwhile = nullptr;
      reached_the_end = operations <= at;
      first.files.kill();
    }
    Holder last(disk, chance, time);
    REQUIRE(last.open());
    CHECK(last.lane->queue().ledger().accepted == 10);
    CHECK(last.lane->queue().ledger().erased == 10);
  }
}

TEST_CASE("what cannot be told of an earlier life takes no ordinal from what is tracked in this one") {
  Device device(7);
  device.live([&](detail::Core& core) {
    Event event = core.event();
    event.action("WATCH");
    TimedEvent scope = event.start();
    device.clock.monotonic += 1'000;
    core.work(0ms);
    REQUIRE(track_five(core) == 5);
    core.work(0ms);
    device.clock.monotonic += 1'000;
    core.work(0ms);
    scope.cancel();  // which nobody hears of any more
  });
  // The end of the scope is written to the log and cannot be synced: it may turn up after the next kill, or not.
  device.fails(simulation::Fault::sync_error);
  std::uint64_t kept = 0;
  device.live([&](detail::Core& core) {
    CHECK(core.status() == Code::kept_in_memory);
    kept = track_five(core);
  });
  device.recovers();
  device.live([&](detail::Core& core) {
    CHECK(core.stats().accepted == 5 + kept + 1);
    CHECK(core.stats().lost == 0);
  });
}

TEST_CASE("what a failing disk kept waiting is given up an hour after the youngest of it came, not the oldest") {
  Device device(1);
  const auto endpoint = std::make_shared<test::FakeEndpoint>(&device.clock);
  bool well = true;
  endpoint->answer = [&well](const test::FakeEndpoint::Request& request) {
    HttpAnswer answer = test::all_accepted(request.lines.size());
    if (!well) answer.status = 503;
    // The clock's first moment: ages are counted only once the true time is known.
    answer.headers.push_back({"date", "Fri, 22 May 2026 03:52:05 GMT"});
    return answer;
  };
  device.config.endpoint = "https://collect.example.com";
  device.config.transport = endpoint;
  device.config.age_max = 1h;
  device.live([&](detail::Core& core) {
    const auto pass = [&](std::chrono::minutes time) {
      for (auto i = 0min; i < time; ++i) {
        device.clock.monotonic += std::chrono::milliseconds(1min).count();
        core.work(0ms);
      }
    };
    REQUIRE(track_five(core) == 5);
    REQUIRE(core.flush(1s));
    well = false;
    device.fails(simulation::Fault::sync_error);
    REQUIRE(track_five(core) == 5);
    pass(50min);
    REQUIRE(track_five(core) == 5);
    pass(5min);
    device.recovers();
    pass(15min);
    CHECK(core.stats().evicted == 0);
    well = true;
    pass(20min);
    CHECK(core.stats().evicted == 0);
    CHECK(core.stats().waiting == 0);
  });
}

TEST_CASE("what a dead process left is given up when it is too old, whoever delivers for it") {
  Device device(1);
  const auto endpoint = std::make_shared<test::FakeEndpoint>(&device.clock);
  bool well = true;
  endpoint->answer = [&](const test::FakeEndpoint::Request& request) {
    HttpAnswer answer = test::all_accepted(request.lines.size());
    if (!well) answer.status = 503;
    return test::dated(answer, device.clock.unix_ms());
  };
  device.config.endpoint = "https://collect.example.com";
  device.config.transport = endpoint;
  device.config.age_max = 1h;
  const auto pass = [&](detail::Core& core, std::chrono::seconds time) {
    for (auto i = 0s; i < time; ++i) {
      device.clock.monotonic += 1'000;
      core.work(0ms);
    }
  };
  device.config.lane = "old";
  device.live([&](detail::Core& core) {
    // Answers agree on the time for longer than an hour.
    for (int i = 0; i < 8; ++i) {
      REQUIRE(track_five(core) == 5);
      REQUIRE(core.flush(1s));
      pass(core, 605s);
    }
    well = false;
    REQUIRE(track_five(core) == 5);
    pass(core, 5s);
  });
  well = true;
  device.clock.monotonic += std::chrono::milliseconds(24h).count();
  device.config.lane = "new";
  const std::size_t before = endpoint->requests.size();
  device.live([&](detail::Core& core) {
    REQUIRE(track_five(core) == 5);
    REQUIRE(core.flush(1s));
    pass(core, 120s);
  });
  std::size_t arrived = 0;
  for (std::size_t i = before; i < endpoint->requests.size(); ++i) {
    for (const std::string& line : endpoint->requests[i].lines) arrived += test::is_ledger_line(line) ? 0 : 1;
  }
  CHECK(arrived == 5);
  device.config.lane = "old";
  device.live([](detail::Core& core) {
    CHECK(core.stats().evicted == 5);
    CHECK(core.stats().waiting == 0);
  });
}

TEST_CASE("a suspension on a failing disk leaves what waits where a power loss cannot reach it") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    Device device(seed);
    device.config.suspend_in_background = true;
    device.live([&](detail::Core& core) {
      core.work(0ms);
      device.fails(simulation::Fault::write_error);
      REQUIRE(track_five(core) == 5);
      CHECK(core.background(0ms));
    });
    device.recovers();
    device.disk.lose_power(device.chance);
    device.live([](detail::Core& core) {
      CHECK(core.stats().accepted == 5);
      CHECK(core.stats().lost == 0);
    });
  }
}

TEST_CASE("another process's erase takes what lives in memory as well") {
  Device device(1);
  const auto endpoint = std::make_shared<test::FakeEndpoint>(&device.clock);
  device.config.endpoint = "https://collect.example.com";
  device.config.transport = endpoint;
  Process one(device.disk, device.chance, device.time);
  Process two(device.disk, device.chance, device.time);
  simulation::SeededDice dice(device.chance);
  detail::Seams seams;
  seams.clock = &device.clock;
  seams.dice = &dice;
  seams.files = &one;
  const std::unique_ptr<detail::Core> first(detail::Core::open(device.config, seams));
  REQUIRE(first->status() == Code::ok);
  // From the moment on in which the old files are gone nothing new can be opened.
  one.meanwhile = [&] {
    if (device.disk.names.count("/q/lane-00.queue") == 0) device.fails(simulation::Fault::open_error);
  };
  CHECK_FALSE(first->erase());
  one.meanwhile = nullptr;
  device.recovers();
  REQUIRE(first->event().action("READ").track() == Code::kept_in_memory);

  seams.files = &two;
  const std::unique_ptr<detail::Core> second(detail::Core::open(device.config, seams));
  CHECK(second->erase());
  device.clock.monotonic += 5'000;
  CHECK(first->flush(1s));
  CHECK(endpoint->lines().empty());
  CHECK(first->stats().waiting == 0);
  CHECK(first->stats().erased == 1);
}

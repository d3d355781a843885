// A lane on the simulation's disk, which knows what was synced.
#include "hold/lane.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "core.hpp"
#include "simulation/sim_disk.hpp"
#include "simulation/virtual_time.hpp"
#include "support.hpp"

using namespace yukha;
using hold::Lane;
using simulation::Chance;
using simulation::Disk;
using simulation::Process;

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

TEST_CASE("an erase keeps its counters, also when another process finishes it in the middle") {
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
      static_cast<void>(first.lane->erase("0000000000000002", true));
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
  Disk disk;
  Chance chance(7);
  simulation::VirtualTime time;
  test::StillClock clock;
  Config config;
  config.app_id = "shop";
  config.queue_dir = "/q";
  config.use_thread = false;
  config.collect_device_facts = false;
  std::uint64_t kept = 0;
  const auto live = [&](const auto& what) {
    Process files(disk, chance, time);
    simulation::SeededDice dice(chance);
    detail::Seams seams;
    seams.clock = &clock;
    seams.files = &files;
    seams.dice = &dice;
    const std::unique_ptr<detail::Core> core(detail::Core::open(config, seams));
    what(*core);
    files.kill();
  };
  const auto track = [&](detail::Core& core) {
    for (int i = 0; i < 5; ++i) kept += core.event().action("READ").track() == Code::ok ? 1 : 0;
  };
  live([&](detail::Core& core) {
    Event event = core.event();
    event.action("WATCH");
    Scope scope = event.begin();
    clock.monotonic += 1'000;
    core.work(std::chrono::milliseconds(0));
    track(core);
    core.work(std::chrono::milliseconds(0));
    clock.monotonic += 1'000;
    core.work(std::chrono::milliseconds(0));
    scope.cancel();  // which nobody hears of any more
  });
  REQUIRE(kept == 5);
  // The end of the scope is written to the log and cannot be synced: it may turn up after the next kill, or not.
  disk.fault = simulation::Fault::sync_error;
  disk.fault_one_in = 1;
  live([&](detail::Core& core) {
    CHECK(core.status() == Code::kept_in_memory);
    track(core);
  });
  disk.fault_one_in = 0;
  live([&](detail::Core& core) {
    CHECK(core.stats().accepted == kept + 1);
    CHECK(core.stats().lost == 0);
  });
}

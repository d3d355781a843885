// Directories and files that go away under a process, on the simulation's disk.
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "core/core.hpp"
#include "simulation/sim_disk.hpp"
#include "simulation/virtual_time.hpp"
#include "support.hpp"

using namespace yukha;
using namespace std::chrono_literals;

namespace {

struct Device {
  // A process with a tracker, killed at its end.
  struct Host {
    explicit Host(Device& on, const std::string& lane = "") : device(on), files(on.disk, on.chance, on.time) {
      Config config;
      config.app_id = "shop";
      config.queue_dir = "/q";
      config.lane = lane;
      config.use_thread = false;
      config.collect_device_facts = false;
      detail::Seams seams;
      seams.clock = &device.time;
      seams.files = &files;
      seams.dice = &device.dice;
      core.reset(detail::Core::open(config, seams));
    }
    ~Host() { files.kill(); }
    Status track(const std::string& name) { return core->event().content(name).action("READ").track(); }
    // Until it looked at what came.
    void work() {
      static_cast<void>(core->work(0ms));
      device.time.now_ms += 2'000;
      static_cast<void>(core->work(0ms));
    }

    Device& device;
    simulation::Process files;
    std::unique_ptr<detail::Core> core;
  };

  void remove_all() {
    disk.names.clear();
    disk.durable_names.clear();
  }
  bool has_in_ring(const std::string& lane, const std::string& text) {
    const auto ring = disk.names.find("/q/" + lane + ".ring");
    if (ring == disk.names.end()) return false;
    return std::string(ring->second->bytes.begin(), ring->second->bytes.end()).find(text) != std::string::npos;
  }

  simulation::Disk disk;
  simulation::Chance chance{1};
  simulation::VirtualTime time;
  simulation::SeededDice dice{chance};
};

}  // namespace

TEST_CASE("who comes from a removed directory brings its erases into no other one") {
  Device device;
  Device::Host first(device);
  REQUIRE(first.core->erase());
  REQUIRE(first.track("before"));
  device.remove_all();
  Device::Host second(device);
  REQUIRE(second.track("beside"));
  second.work();
  REQUIRE(first.track("after"));
  first.work();
  second.work();
  CHECK(second.core->stats().erased == 0);
  CHECK(second.core->stats().waiting == 1);
  CHECK(first.core->stats().waiting == 2);
  // Nor does what it tells whoever comes next.
  Device::Host third(device);
  second.work();
  CHECK(second.core->stats().erased == 0);
}

TEST_CASE("an erase in one directory takes nothing that was tracked in another") {
  Device device;
  Device::Host first(device);
  REQUIRE(first.core->erase());
  device.remove_all();
  Device::Host second(device);
  REQUIRE(second.track("before"));
  second.work();
  device.remove_all();
  REQUIRE(first.track("beside"));
  first.work();
  REQUIRE(second.track("after"));
  second.work();
  CHECK(second.core->stats().erased == 0);
  CHECK(second.core->stats().waiting == 2);
  // What it brought along it has here, as all others.
  REQUIRE(first.core->erase());
  second.work();
  CHECK(second.core->stats().erased == 2);
}

TEST_CASE("what a process was told of consent it tells the directory that took its own's place") {
  Device device;
  Device::Host first(device);
  REQUIRE(first.core->set_consent(Consent::pending));
  device.remove_all();
  Device::Host second(device);
  REQUIRE(second.core->consent() == Consent::granted);
  REQUIRE(first.track("after"));
  first.work();
  CHECK(first.core->consent() == Consent::pending);
  second.work();
  CHECK(second.core->consent() == Consent::pending);
}

TEST_CASE("an erase takes what lies in a ring whose database somebody removed") {
  for (const bool mapped : {true, false}) {
    Device device;
    device.disk.reserves = mapped;
    {
      Device::Host gone(device, "gone");
      REQUIRE(gone.track("secret"));
    }
    for (const char* ending : {".queue", ".queue-wal", ".lock"})
      device.disk.names.erase(std::string("/q/gone") + ending);
    REQUIRE(device.has_in_ring("gone", "secret"));
    Device::Host other(device, "other");
    REQUIRE(other.core->erase());
    CHECK_FALSE(device.has_in_ring("gone", "secret"));
  }
}

TEST_CASE("a process that loses only its database stays in its lane") {
  Device device;
  Device::Host host(device);
  REQUIRE(host.track("before"));
  host.work();
  for (const char* ending : {".queue", ".queue-wal"}) device.disk.names.erase(std::string("/q/lane-00") + ending);
  REQUIRE(host.track("after"));
  host.work();
  CHECK(device.disk.names.count("/q/lane-00.queue") == 1);
  CHECK(device.disk.names.count("/q/lane-01.queue") == 0);
  CHECK(host.core->stats().waiting == 2);
}

TEST_CASE("a kill while a removed database is made again leaves nothing that looks damaged") {
  bool reached_the_end = false;
  for (std::uint64_t operations = 1; !reached_the_end; ++operations) {
    Device device;
    {
      Device::Host host(device);
      REQUIRE(host.track("before"));
      host.work();
      device.remove_all();
      REQUIRE(host.track("after"));
      host.files.kill_after(operations);
      host.work();
      reached_the_end = host.files.alive();
    }
    Device::Host next(device);
    REQUIRE(next.core->status());
    CHECK(device.disk.set_aside == 0);
  }
}

TEST_CASE("a tracker whose lane is taken while it holds nothing goes on in another one") {
  Device device;
  Device::Host first(device);
  REQUIRE(first.track("before"));
  first.work();
  // Both locks are lost.
  device.disk.names.erase("/q/lane-00.lock");
  device.disk.names.at("/q/lane-00.queue")->locks.clear();
  Device::Host second(device);
  REQUIRE(second.track("beside"));
  CHECK_FALSE(first.track("refused"));
  first.work();
  CHECK(first.track("after"));
  first.work();
  second.work();
  CHECK(first.core->stats().waiting == 1);
  CHECK(second.core->stats().waiting == 2);
}

TEST_CASE("what a ring held whose files were removed is as young as it is, however long its process lives") {
  test::TempDirectory directory;
  test::StillClock clock;
  const auto endpoint = std::make_shared<test::FakeEndpoint>(&clock);
  bool well = true;
  endpoint->answer = [&](const test::FakeEndpoint::Request& request) {
    HttpAnswer answer = test::all_accepted(request.lines.size());
    if (!well) answer.status = 503;
    return test::dated(answer, clock.unix_ms());
  };
  Config config = test::sending_config(directory, endpoint);
  config.age_max = 1h;
  detail::Seams seams;
  seams.clock = &clock;
  const std::unique_ptr<detail::Core> core(detail::Core::open(config, seams));
  REQUIRE(core->status());
  const auto pass = [&](std::chrono::seconds time) {
    for (auto i = 0s; i < time; ++i) {
      clock.monotonic += 1'000;
      static_cast<void>(core->work(0ms));
    }
  };
  // Answers agree on the time for longer than an hour.
  for (int i = 0; i < 8; ++i) {
    REQUIRE(core->event().action("READ").track());
    REQUIRE(core->flush(1s));
    pass(605s);
  }
  well = false;
  for (const char* gone : {"lane-00.ring", "lane-00.queue"}) {
    REQUIRE(std::filesystem::remove(directory / gone));
    REQUIRE(core->event().action("READ").track());
    pass(60s);
    CHECK(core->stats().evicted == 0);
  }
  CHECK(core->stats().waiting == 2);
}

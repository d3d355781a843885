// Where ids come from.
#include "system/dice.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "core/core.hpp"
#include "support.hpp"

using namespace yukha;

namespace {

// Each call gives bytes of its own, by which they are known again: the first 0x11, the next 0x12.
class CountingDice final : public system::Dice {
 public:
  bool fill(void* into, std::size_t size) noexcept override {
    if (gives == 0) return false;
    --gives;
    ++calls;
    for (std::size_t i = 0; i < size; ++i) static_cast<unsigned char*>(into)[i] = byte();
    return true;
  }
  unsigned char byte() const noexcept { return static_cast<unsigned char>(0x10 + calls % 0xE0); }
  unsigned calls = 0;
  unsigned gives = UINT32_MAX;
};

struct App {
  explicit App(CountingDice& dice) {
    seams.dice = &dice;
    config.app_id = "shop";
    config.queue_dir = directory / "queue";
    config.use_thread = false;
    config.collect_device_facts = false;
  }
  void open() { core.reset(detail::Core::open(config, seams)); }
  // The last two hexadecimal digits of the id of a sentence that is tracked now.
  unsigned chance_of_next() {
    REQUIRE(core->event().action("READ").track() == Code::ok);
    const std::string ring = test::read_file(config.queue_dir + "/lane-00.ring");
    const std::size_t at = ring.rfind("{\"id\":\"0");  // the device's id does not begin with the time
    REQUIRE(at != std::string::npos);
    return static_cast<unsigned>(std::stoul(ring.substr(at + 7 + 34, 2), nullptr, 16));
  }

  const test::TempDirectory directory;
  detail::Seams seams;
  Config config;
  std::unique_ptr<detail::Core> core;
};

}  // namespace

TEST_CASE("a cup hands out what the system gave, each byte once, and keeps no copy") {
  test::SeededDice system(7);
  test::SeededDice same(7);
  system::DiceCup cup(system);
  std::uint64_t first[256];
  REQUIRE(same.fill(first, sizeof first));
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 256; ++i) seen.insert(cup.next());
  CHECK(seen == std::set<std::uint64_t>(first, first + 256));
  const std::string memory(reinterpret_cast<const char*>(&cup), sizeof cup);
  for (const std::uint64_t one : first) {
    CHECK(memory.find(std::string(reinterpret_cast<const char*>(&one), sizeof one)) == std::string::npos);
  }
}

TEST_CASE("a cup that was spilled is filled by the system anew, and none is made up where the system gives none") {
  CountingDice dice;
  system::DiceCup cup(dice);
  CHECK(cup.next() == 0x1111111111111111);
  cup.spill();
  CHECK(cup.next() == 0x1212121212121212);
  CHECK(dice.calls == 2);
  CHECK(cup.has(2040));
  CHECK(dice.calls == 2);
  dice.gives = 0;
  CHECK_FALSE(cup.has(2048));
  CHECK_FALSE(cup.has(8));
  CHECK(cup.next() == 0);
  CHECK(cup.up_to(300) == 300);
  dice.gives = 1;
  CHECK(cup.has(8));
}

TEST_CASE("ids come from the system's chance, and those after an erase from what it gave after it") {
  CountingDice dice;
  App app(dice);
  app.open();
  REQUIRE(app.core->status() == Code::ok);
  unsigned last = 0;
  std::set<unsigned> seen;
  for (int i = 0; i < 1000; ++i) {
    // Looking is slow: the ring is read whole.
    if (i % 50 == 0) {
      seen.insert(last = app.chance_of_next());
    } else {
      REQUIRE(app.core->event().action("READ").track() == Code::ok);
    }
  }
  // 204 ids a call.
  CHECK(seen.size() >= 3);
  CHECK(last <= dice.byte());
  const unsigned char before = dice.byte();
  REQUIRE(app.core->erase());
  CHECK(app.chance_of_next() > before);
}

TEST_CASE(
    "a system without chance: open() refuses and touches nothing; what was open keeps nothing under made-up ids") {
  CountingDice dice;
  App app(dice);
  dice.gives = 0;
  app.open();
  CHECK(app.core->status() == Code::no_randomness);
  CHECK(app.core->event().action("READ").track() == Code::no_randomness);
  CHECK_FALSE(std::filesystem::exists(app.config.queue_dir));

  dice.gives = UINT32_MAX;
  app.open();
  REQUIRE(app.core->status() == Code::ok);
  dice.gives = 0;
  int kept = 0;
  Status status;
  while (kept < 300 && (status = app.core->event().action("READ").track())) ++kept;
  CHECK(kept <= 204);
  CHECK(status == Code::no_randomness);
  CHECK(app.core->erase() == Code::no_randomness);
  dice.gives = UINT32_MAX;
  CHECK(app.core->event().action("READ").track() == Code::ok);
  CHECK(app.core->stats().accepted == static_cast<std::uint64_t>(kept) + 1);
}

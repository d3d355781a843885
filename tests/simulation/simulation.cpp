// yukha_simulation: lives of a device in virtual time, one a seed, on the production code of compose, hold and send.
//   --lives N      how many (100)
//   --seed S       the first seed (1); life k has seed S + k. `new`: $YUKHA_SEED, else one that nobody chose
//   --story        tells what happens
//   --first        ends with the first life that breaks a promise
// Exit 1 on any violation of a promise, and when 500 lives or more did not exercise what they are there for.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

#include "life.hpp"

namespace yukha::simulation {
namespace {

unsigned long long number(std::uint64_t value) {
  return value;
}

std::uint64_t seed_of(const char* text) {
  if (std::strcmp(text, "new") != 0) return std::strtoull(text, nullptr, 10);
  const char* told = std::getenv("YUKHA_SEED");
  return told != nullptr && *told != '\0' ? std::strtoull(told, nullptr, 10) : std::random_device()() & 0x7FFFFFFF;
}

void print(const char* title, const std::map<std::string, std::uint64_t>& counts) {
  std::printf("%s:", title);
  const char* between = " ";
  for (const auto& [name, times] : counts) {
    std::printf("%s%s %llu", between, name.c_str(), number(times));
    between = ", ";
  }
  std::printf("\n");
}

// What a life must have seen on average, and each row of the verdict table and each fault of the disk at least: a
// hundred rows and a thousand faults in 20,000 lives.
std::uint64_t what_was_missed(Totals& totals) {
  std::uint64_t missed = 0;
  const auto least = [&missed](const std::string& what, std::uint64_t times, std::uint64_t wanted) {
    if (times >= wanted) return;
    ++missed;
    std::printf("%s: only %llu, where %llu were to be\n", what.c_str(), number(times), number(wanted));
  };
  const std::uint64_t lives = totals.lives;
  least("sentences", totals.sentences, 1'000 * lives);
  least("kills", totals.events["kills"], 3 * lives);
  least("power losses", totals.events["power losses"], lives);
  least("outages", totals.events["outages"], lives);
  least("lost consents", totals.events["times what was said of consent was touched"], lives / 4);
  least("openings at once", totals.events["openings at once"], lives);
  least("dropped locks", totals.events["times locks were dropped"], lives / 4);
  least("files taken away", totals.events["times files were taken away"], lives / 4);
  for (const auto& [row, times] : totals.rows) least("answers " + row, times, lives / 200);
  least("rows of the verdict table", totals.rows.size(), 45);
  for (int i = 0; i < fault_count; ++i)
    least(std::string("faults ") + fault_name(static_cast<Fault>(i)), totals.faults[i], lives / 20);
  return missed;
}

}  // namespace
}  // namespace yukha::simulation

int main(int argc, char** argv) {
  using namespace yukha::simulation;
  std::uint64_t lives = 100;
  std::uint64_t seed = 1;
  bool story = false;
  bool first = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--story") == 0) {
      story = true;
    } else if (std::strcmp(argv[i], "--first") == 0) {
      first = true;
    } else if (std::strcmp(argv[i], "--lives") == 0 && i + 1 < argc) {
      lives = std::strtoull(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
      seed = seed_of(argv[++i]);
    } else {
      std::fprintf(stderr, "usage: yukha_simulation [--lives N] [--seed S] [--story] [--first]\n");
      return 64;
    }
  }
  std::printf("repeat it with --lives %llu --seed %llu\n", number(lives), number(seed));
  std::fflush(stdout);
  Totals totals;
  for (std::uint64_t i = 0; i < lives; ++i) {
    if (Life(seed + i, story, totals).live() != 0 && first) break;
  }
  std::printf("lives %llu, sentences %llu, kept %llu, delivered %llu, requests %llu\n", number(totals.lives),
              number(totals.sentences), number(totals.kept), number(totals.delivered), number(totals.requests));
  std::printf("lost to power inside the window %llu, the oldest %lld ms old\n", number(totals.lost_to_power),
              static_cast<long long>(totals.oldest_lost_ms));
  print("what happened", totals.events);
  print("answers", totals.rows);
  std::map<std::string, std::uint64_t> faults;
  for (int i = 0; i < fault_count; ++i) faults[fault_name(static_cast<Fault>(i))] = totals.faults[i];
  print("faults of the disk", faults);
  const std::uint64_t missed = totals.lives >= 500 ? what_was_missed(totals) : 0;
  std::printf("violations %llu\n", number(totals.violations));
  return totals.violations == 0 && missed == 0 ? 0 : 1;
}

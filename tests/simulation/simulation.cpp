// yukha_simulation: lives of a device in virtual time, one a seed, on the production code of compose, hold and send.
//   --lives N      how many (100)
//   --seed S       the first seed (1); life k has seed S + k
//   --story        tells what happens
// Exit 1 on any violation of a promise.
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core.hpp"
#include "server.hpp"
#include "sim_disk.hpp"
#include "virtual_time.hpp"

namespace yukha::simulation {
namespace {

bool story = false;

struct Totals {
  std::uint64_t lives = 0;
  std::uint64_t sentences = 0;
  std::uint64_t kept = 0;
  std::uint64_t delivered = 0;
  std::uint64_t quarantined = 0;
  std::uint64_t lost_to_power = 0;
  std::int64_t oldest_lost_ms = 0;
  std::uint64_t kills = 0;
  std::uint64_t kills_in_append = 0;
  std::uint64_t power_losses = 0;
  std::uint64_t closes = 0;
  std::uint64_t outages = 0;
  std::uint64_t requests = 0;
  std::map<std::string, std::uint64_t> weathers;
  std::map<int, std::uint64_t> answers;
  std::uint64_t violations = 0;
};

enum class Answer { kept, unknown, refused };

struct Tracked {
  Answer answer;
  std::int64_t at_ms;
  bool excused = false;  // a power loss came within the window
};

class Life {
 public:
  explicit Life(std::uint64_t seed) : seed_(seed), chance_(seed), dice_(chance_), server_(time_, chance_) {}

  void live(Totals& totals);

 private:
  static constexpr std::int64_t sync_ms = 1'000;

  void tell(const char* form, ...) __attribute__((format(printf, 2, 3)));
  void violate(const std::string& what);
  void start();
  void work();
  void track_one();
  void end_process(Totals& totals);
  void finish(Totals& totals);
  void die_in_append(const std::vector<char>& before);
  std::shared_ptr<Inode> ring() const;

  std::uint64_t seed_;
  Chance chance_;
  VirtualTime time_;
  SeededDice dice_;
  Disk disk_;
  Server server_;
  std::unique_ptr<Process> process_;
  const Process* process_seen_ = nullptr;
  std::shared_ptr<SimTransport> transport_;
  std::unique_ptr<detail::Core> core_;
  std::map<std::string, Tracked> tracked_;
  std::int64_t next_work_ms_ = 0;
  std::uint64_t told_accepted_ = 0;  // as the last living process told it
  std::uint64_t unknown_since_ = 0;  // answers that a kill cut off since then
  bool power_lost_ = false;
  std::uint64_t violations_ = 0;
};

void Life::tell(const char* form, ...) {
  if (!story) return;
  std::printf("%10.3f  ", static_cast<double>(time_.now_ms) / 1000);
  va_list arguments;
  va_start(arguments, form);
  std::vprintf(form, arguments);
  va_end(arguments);
  std::printf("\n");
}

void Life::violate(const std::string& what) {
  ++violations_;
  std::printf("seed %llu at %.3f s: %s\n", static_cast<unsigned long long>(seed_),
              static_cast<double>(time_.now_ms) / 1000, what.c_str());
}

std::shared_ptr<Inode> Life::ring() const {
  const auto found = disk_.names.find("/q/lane-00.ring");
  return found == disk_.names.end() ? nullptr : found->second;
}

void Life::start() {
  process_ = std::make_unique<Process>(disk_, chance_, time_);
  process_seen_ = process_.get();
  transport_ = std::make_shared<SimTransport>(server_, time_, chance_, process_seen_);
  Config config;
  config.app_id = "shop";
  config.queue_dir = "/q";
  config.endpoint = "https://events.example.com";
  config.keys = {{"k1", "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="}};
  config.collect_device_facts = false;
  config.sync_interval = std::chrono::milliseconds(sync_ms);
  config.ring_bytes = 64 << 10;
  config.use_thread = false;
  config.transport = transport_;
  if (story) {
    config.log = [this](LogLevel, std::string_view text) {
      tell("log: %.*s", static_cast<int>(text.size()), text.data());
    };
  }
  detail::Seams seams;
  seams.clock = &time_;
  seams.dice = &dice_;
  seams.files = process_.get();
  core_.reset(detail::Core::open(config, seams));
  next_work_ms_ = time_.now_ms;
  if (!process_->alive()) return;
  if (core_->status() != Code::ok) violate("open answered: " + core_->status().message());
  const Stats stats = core_->stats();
  tell("opened: accepted %llu delivered %llu waiting %llu quarantined %llu lost %llu",
       static_cast<unsigned long long>(stats.accepted), static_cast<unsigned long long>(stats.delivered),
       static_cast<unsigned long long>(stats.waiting), static_cast<unsigned long long>(stats.quarantined),
       static_cast<unsigned long long>(stats.lost));
  if (!power_lost_ && (stats.accepted < told_accepted_ || stats.accepted > told_accepted_ + unknown_since_)) {
    violate("accepted is " + std::to_string(stats.accepted) + " after a kill at " + std::to_string(told_accepted_) +
            " and " + std::to_string(unknown_since_) + " unknown");
  }
  if (!power_lost_ && stats.lost != 0) violate("sentences were counted lost without a power loss");
  told_accepted_ = stats.accepted;
  unknown_since_ = 0;
}

void Life::work() {
  const std::int64_t wait = core_->work(std::chrono::milliseconds(1)).count();
  next_work_ms_ = wait < 0 ? INT64_MAX : time_.now_ms + wait;
  // An answer that came while the worker looked elsewhere is due at once.
  if (transport_->running())
    next_work_ms_ = std::min(next_work_ms_, std::max(transport_->answer_ms(), time_.now_ms + 1));
}

void Life::track_one() {
  const std::string name = "s" + std::to_string(tracked_.size());
  const bool poison = one_in(chance_, 150);
  const std::string padding(throw_up_to(chance_, one_in(chance_, 50) ? 9000 : 200), 'x');
  Event event = core_->event();
  event.location("FEED", {{"y", "3"}}).content(name, {{"padding", padding}}).referral("CLICK");
  event.action("READ", std::chrono::milliseconds(1000), {{"poison", poison ? "true" : "false"}});
  if (one_in(chance_, 20)) event.critical();
  const std::shared_ptr<Inode> before_ring = ring();
  const bool die = one_in(chance_, 400) && before_ring && before_ring->mapped;
  const std::vector<char> before = die ? before_ring->bytes : std::vector<char>();
  const Status status = event.track();
  tell("track %s: %s%s", name.c_str(), code_name(status.code()), process_->alive() ? "" : " (a ghost's answer)");
  Tracked& tracked = tracked_[name];
  tracked.at_ms = time_.now_ms;
  if (die && process_->alive()) {
    die_in_append(before);
    tracked.answer = Answer::unknown;
    ++unknown_since_;
    return;
  }
  if (!process_->alive()) {
    tracked.answer = Answer::unknown;
    ++unknown_since_;
    return;
  }
  tracked.answer = status.kept() ? Answer::kept : Answer::refused;
  if (status.kept()) ++told_accepted_;
  if (!status.kept() && status != Code::ring_full) violate("track answered: " + status.message());
  // The first line after sleep wakes the worker.
  next_work_ms_ = std::min(next_work_ms_, time_.now_ms);
}

// A process that is killed between two stores of an append leaves some of them behind: any of the record's words, its
// position only after all of them, the header's counter last.
void Life::die_in_append(const std::vector<char>& before) {
  const std::vector<char> after = ring()->bytes;
  process_->kill();
  const std::shared_ptr<Inode> left = ring();
  std::vector<std::size_t> words;
  std::size_t position_word = SIZE_MAX;
  for (std::size_t at = 4096; at + 8 <= after.size(); at += 8) {
    if (std::memcmp(before.data() + at, after.data() + at, 8) == 0) continue;
    std::uint64_t value = 0;
    std::memcpy(&value, after.data() + at, 8);
    // A position is at least a lap and far below 2^40; a word of length and checksum that looks like one is not.
    const std::uint64_t lap = after.size() - 4096;
    if (value >= lap && value < (1ULL << 40) && value % lap == at - 4096) {
      position_word = at;
    } else {
      words.push_back(at);
    }
  }
  left->bytes = before;
  const std::uint64_t how_far = throw_up_to(chance_, 2);
  for (const std::size_t at : words) {
    if (how_far > 0 || one_in(chance_, 2)) std::memcpy(left->bytes.data() + at, after.data() + at, 8);
  }
  if (how_far > 0 && position_word != SIZE_MAX)
    std::memcpy(left->bytes.data() + position_word, after.data() + position_word, 8);
  if (how_far > 1) std::memcpy(left->bytes.data(), after.data(), 4096);
  tell("killed inside an append, %llu", static_cast<unsigned long long>(how_far));
}

void Life::end_process(Totals& totals) {
  const bool was_alive = process_->alive();
  const std::uint64_t way = was_alive ? throw_up_to(chance_, 9) : 9;
  if (way < 3) {
    ++totals.closes;
    const Status status = core_->close(std::chrono::milliseconds(0));
    tell("closed: %s", status.message().c_str());
  } else if (way < 5) {
    ++totals.power_losses;
    power_lost_ = true;
    process_->kill();
    for (const auto& [name, inode] : disk_.names) {
      const auto known = disk_.durable_names.find(name);
      const bool same = known != disk_.durable_names.end() && known->second == inode;
      tell("  %s: %zu bytes, %zu synced, %zu pages dirty%s", name.c_str(), inode->bytes.size(), inode->durable.size(),
           inode->dirty.size(), same ? "" : ", name not synced");
    }
    disk_.lose_power(chance_);
    for (const auto& [name, inode] : disk_.names) tell("  after: %s: %zu bytes", name.c_str(), inode->bytes.size());
    for (auto& [name, tracked] : tracked_) {
      // The window: until the worker first saw the line, a sync interval, and the look that follows it.
      if (time_.now_ms - tracked.at_ms <= sync_ms + 50) tracked.excused = true;
    }
    tell("power lost");
  } else {
    ++totals.kills;
    if (!was_alive) ++totals.kills_in_append;
    process_->kill();
    tell("killed");
  }
  // What is left of a killed process runs on as a ghost; it must not wait for anything.
  static_cast<void>(core_->close(std::chrono::milliseconds(0)));
  core_.reset();
  transport_.reset();
  process_seen_ = nullptr;
  process_.reset();
}

void Life::live(Totals& totals) {
  disk_.reserves = !one_in(chance_, 4);
  if (one_in(chance_, 5)) time_.device_off_ms = static_cast<std::int64_t>(throw_up_to(chance_, 7'200'000)) - 3'600'000;
  start();
  const std::uint64_t turns = 200 + throw_up_to(chance_, 1200);
  std::int64_t pace_ms = 200;
  for (std::uint64_t turn = 0; turn < turns; ++turn) {
    if (one_in(chance_, 60)) {
      static constexpr std::int64_t paces[] = {0, 1, 20, 200, 3'000, 60'000};
      pace_ms = paces[throw_up_to(chance_, 5)];
    }
    if (one_in(chance_, 80)) {
      const auto weather = static_cast<Weather>(one_in(chance_, 2) ? 0 : throw_up_to(chance_, weather_count - 1));
      server_.weather = weather;
      server_.body_bytes_max = 2'000 + throw_up_to(chance_, 60'000);
      ++totals.weathers[weather_name(weather)];
      if (weather != Weather::fine) ++totals.outages;
      tell("the weather is %s", weather_name(weather));
    }
    if (one_in(chance_, 100)) process_->kill_after(1 + throw_up_to(chance_, 300));
    if (process_->alive() && one_in(chance_, 300)) end_process(totals), start();
    if (!process_->alive()) {
      end_process(totals);
      start();
      if (!process_->alive()) continue;
    }
    const std::int64_t next_track =
        time_.now_ms +
        (pace_ms == 0 ? 0 : static_cast<std::int64_t>(throw_up_to(chance_, static_cast<std::uint64_t>(pace_ms) * 2)));
    while (process_->alive() && next_work_ms_ <= next_track) {
      time_.now_ms = std::max(time_.now_ms, next_work_ms_);
      work();
    }
    time_.now_ms = std::max(time_.now_ms, next_track);
    const std::uint64_t burst = one_in(chance_, 30) ? throw_up_to(chance_, 120) : 1;
    for (std::uint64_t i = 0; i < burst && process_->alive(); ++i) track_one();
  }
  finish(totals);
}

// The sky clears, and everything that was kept must arrive.
void Life::finish(Totals& totals) {
  server_.weather = Weather::fine;
  if (!process_->alive()) {
    end_process(totals);
    start();
  }
  process_->kill_after(0);
  tell("the sky clears for good");
  const std::int64_t until = time_.now_ms + 4 * 3'600'000;
  while (core_->stats().waiting > 0 && time_.now_ms < until) {
    work();
    if (next_work_ms_ == INT64_MAX) {
      // Nothing is to do: a sentence that was refused alone waits for another to be accepted first.
      break;
    }
    time_.now_ms = std::max(time_.now_ms, next_work_ms_);
  }
  const Stats stats = core_->stats();
  if (stats.waiting != 0)
    violate(std::to_string(stats.waiting) + " still wait under a clear sky: " + stats.last_trouble);
  if (stats.accepted != stats.delivered + stats.quarantined + stats.lost + stats.waiting)
    violate("the ledger does not balance");
  if (stats.delivered != server_.stored.size()) {
    violate("delivered " + std::to_string(stats.delivered) + ", stored " + std::to_string(server_.stored.size()));
  }
  // Only what the endpoint refused by name, or when it stood alone, may be in quarantine.
  std::set<std::string> refused;
  for (const std::string& id : server_.rejected) refused.insert(server_.content_of[id]);
  std::uint64_t refused_by_name = 0;
  for (const auto& [name, tracked] : tracked_) {
    const bool stored = server_.stored.count(name) != 0;
    if (tracked.answer == Answer::refused && stored) violate(name + " was refused and arrived all the same");
    if (tracked.answer == Answer::refused) continue;
    ++totals.kept;
    if (stored) continue;
    if (tracked.answer == Answer::unknown) continue;
    if (refused.count(name) != 0) {
      ++refused_by_name;  // in quarantine, if the ledger says so
      continue;
    }
    if (!tracked.excused) {
      violate(name + " was kept and is gone");
      continue;
    }
    ++totals.lost_to_power;
  }
  if (!power_lost_ && stats.quarantined != refused_by_name) violate("quarantine holds others than were refused");
  for (const std::string& what : server_.violations) violate(what);
  ++totals.lives;
  totals.sentences += tracked_.size();
  totals.delivered += stats.delivered;
  totals.quarantined += stats.quarantined;
  totals.requests += server_.requests;
  for (const auto& [status, count] : server_.answers) totals.answers[status] += count;
  totals.violations += violations_;
  static_cast<void>(core_->close(std::chrono::milliseconds(0)));
  core_.reset();
}

}  // namespace
}  // namespace yukha::simulation

int main(int argc, char** argv) {
  using namespace yukha::simulation;
  std::uint64_t lives = 100;
  std::uint64_t seed = 1;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--story") == 0) {
      story = true;
    } else if (std::strcmp(argv[i], "--lives") == 0 && i + 1 < argc) {
      lives = std::strtoull(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else {
      std::fprintf(stderr, "usage: yukha_simulation [--lives N] [--seed S] [--story]\n");
      return 64;
    }
  }
  Totals totals;
  for (std::uint64_t i = 0; i < lives; ++i) Life(seed + i).live(totals);
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "lives %llu, sentences %llu, kept %llu, delivered %llu, quarantined %llu, lost to power inside the window %llu\n",
      number(totals.lives), number(totals.sentences), number(totals.kept), number(totals.delivered),
      number(totals.quarantined), number(totals.lost_to_power));
  std::printf("kills %llu (%llu between two operations or stores), power losses %llu, closes %llu, requests %llu\n",
              number(totals.kills), number(totals.kills_in_append), number(totals.power_losses), number(totals.closes),
              number(totals.requests));
  std::printf("weather:");
  for (const auto& [name, count] : totals.weathers) std::printf(" %s %llu", name.c_str(), number(count));
  std::printf("\nanswers:");
  for (const auto& [status, count] : totals.answers) std::printf(" %d %llu", status, number(count));
  std::printf("\nviolations %llu\n", number(totals.violations));
  return totals.violations == 0 ? 0 : 1;
}

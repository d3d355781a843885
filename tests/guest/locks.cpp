// A host that opens trackers on one directory from several processes, reads our files, moves about, and finds its
// directory gone. The first argument names the shape.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <yukha/yukha.hpp>

using namespace std::chrono_literals;

namespace {

yukha::Config config_of(const std::string& directory, const char* endpoint = nullptr) {
  yukha::Config config;
  config.app_id = "guest";
  config.queue_dir = directory;
  config.sync_interval = 100ms;
  config.log_lines_max = 100;
  config.upload_interval = 200ms;
  if (endpoint != nullptr) {
    config.endpoint = std::string(endpoint) + "/v1/events";
    config.keys = {{"key", "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="}};
  }
  return config;
}

struct Counts {
  int kept = 0;
  int in_memory = 0;
  int refused = 0;
};

// So many sentences, each with a content of its own.
Counts track(yukha::Tracker& tracker, const std::string& name, int count, int pause_us = 0) {
  Counts counts;
  for (int i = 0; i < count; ++i) {
    const yukha::Status status = tracker.event().content(name + "_" + std::to_string(i)).action("READ").track();
    ++(status == yukha::Code::ok               ? counts.kept
       : status == yukha::Code::kept_in_memory ? counts.in_memory
                                               : counts.refused);
    if (pause_us > 0) usleep(static_cast<useconds_t>(pause_us));
  }
  return counts;
}

void tell(const char* what, const Counts& counts) {
  std::printf("%s %d %d %d\n", what, counts.kept, counts.in_memory, counts.refused);
  std::fflush(stdout);
}

// How many sentences wait in all lanes of the directory; each lane is taken, until there is none left with some.
std::uint64_t waiting_in(const std::string& directory, int lanes) {
  std::uint64_t waiting = 0;
  std::vector<yukha::Tracker> trackers;
  for (int i = 0; i < lanes; ++i) {
    trackers.push_back(yukha::Tracker::open(config_of(directory)));
    waiting += trackers.back().stats().waiting;
  }
  return waiting;
}

// So many processes open a fresh directory in the same moment, track, and are killed, some of them early.
int lanes_made_at_once(const std::string& directory, int processes, int rounds, bool kill_some) {
  int in_memory = 0;
  int refused = 0;
  int missing = 0;
  int damaged = 0;
  auto* kept =
      static_cast<volatile int*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  for (int round = 0; round < rounds; ++round) {
    const std::string here = directory + "/" + std::to_string(round);
    for (int i = 0; i < 64; ++i) kept[i] = 0;
    int gate[2];
    if (pipe(gate) != 0) return 1;
    std::vector<pid_t> children;
    for (int i = 0; i < processes; ++i) {
      const pid_t child = fork();
      if (child == 0) {
        close(gate[1]);
        char byte = 0;
        (void)!read(gate[0], &byte, 1);
        yukha::Tracker tracker = yukha::Tracker::open(config_of(here));
        for (int k = 0; k < 50; ++k) {
          const yukha::Status status = tracker.event().action("READ").track();
          if (status == yukha::Code::ok) kept[3 * i] = kept[3 * i] + 1;
          if (status == yukha::Code::kept_in_memory) kept[3 * i + 1] = kept[3 * i + 1] + 1;
          if (!status) kept[3 * i + 2] = kept[3 * i + 2] + 1;
        }
        pause();
        _exit(0);
      }
      children.push_back(child);
    }
    close(gate[0]);
    close(gate[1]);
    if (kill_some) {
      usleep(static_cast<useconds_t>(1000 + (round * 7919) % 30000));
      for (std::size_t i = 0; i < children.size(); i += 2) kill(children[i], SIGKILL);
    }
    const auto is_done = [&] {
      int tracked = 0;
      for (std::size_t i = kill_some ? 1 : 0; i < children.size(); i += kill_some ? 2 : 1)
        tracked += kept[3 * i] + kept[3 * i + 1] + kept[3 * i + 2] == 50;
      return tracked == (kill_some ? processes / 2 : processes);
    };
    while (!is_done()) usleep(1000);
    for (const pid_t child : children) kill(child, SIGKILL);
    for (const pid_t child : children) waitpid(child, nullptr, 0);
    int all = 0;
    for (int i = 0; i < processes; ++i) {
      all += kept[3 * i];
      in_memory += kept[3 * i + 1];
      refused += kept[3 * i + 2];
    }
    const auto waiting = static_cast<int>(waiting_in(here, processes));
    // A process that is killed between the ring's word and ours counted one less.
    if (waiting < all || waiting > all + (kill_some ? processes : 0)) missing += std::abs(all - waiting);
    for (const auto& entry : std::filesystem::directory_iterator(here)) {
      const std::string name = entry.path().filename();
      if (name.find("damaged") != std::string::npos || name.find("salvage") != std::string::npos)
        std::fprintf(stderr, "round %d: %s\n", round, name.c_str());
      damaged += name.find("damaged") != std::string::npos || name.find("salvage") != std::string::npos;
    }
    std::filesystem::remove_all(here);
  }
  std::printf("in_memory %d refused %d missing %d damaged %d\n", in_memory, refused, missing, damaged);
  return 0;
}

// A backup of the host's reads our files while another process would like to have the lane.
int backup_reads(const std::string& directory) {
  yukha::Tracker tracker = yukha::Tracker::open(config_of(directory));
  std::printf("open %d\n", tracker.status() == yukha::Code::ok);
  Counts counts = track(tracker, "first", 500, 200);
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const int file = open(entry.path().c_str(), O_RDONLY);
    char bytes[4096];
    while (read(file, bytes, sizeof bytes) > 0) {
    }
    close(file);
  }
  std::printf("read\n");
  std::fflush(stdout);
  const Counts more = track(tracker, "more", 2000, 500);
  counts.kept += more.kept;
  tell("kept", counts);
  static_cast<void>(tracker.close(2s));
  return 0;
}

int second(const std::string& directory, const char* lane) {
  yukha::Config config = config_of(directory);
  if (lane != nullptr) config.lane = lane;
  yukha::Tracker tracker = yukha::Tracker::open(config);
  tell("kept", track(tracker, "second", 1000));
  static_cast<void>(tracker.close(2s));
  return 0;
}

int goes_elsewhere(const std::string& base) {
  std::filesystem::create_directories(base + "/a");
  std::filesystem::create_directories(base + "/b");
  if (chdir((base + "/b").c_str()) != 0) return 1;
  {
    yukha::Tracker other = yukha::Tracker::open(config_of("events"));
    track(other, "PRECIOUS", 50);
  }
  if (chdir((base + "/a").c_str()) != 0) return 1;
  yukha::Tracker tracker = yukha::Tracker::open(config_of("events"));
  track(tracker, "SECRET", 50);
  std::this_thread::sleep_for(500ms);
  if (chdir((base + "/b").c_str()) != 0) return 1;
  std::printf("erase %d\n", tracker.erase() == yukha::Code::ok);
  track(tracker, "AFTER", 5);
  static_cast<void>(tracker.close(2s));
  std::printf("precious %d\n", static_cast<int>(waiting_in("events", 1)));
  return 0;
}

// "deleted": the directory goes; "replaced": and another takes its name; "file": only one file goes.
int loses_its_directory(const std::string& directory, const std::string& how) {
  yukha::Config config = config_of(directory);
  config.ring_bytes = 4 << 20;  // for all of them, however late the worker comes
  yukha::Tracker tracker = yukha::Tracker::open(config);
  Counts counts = track(tracker, "before", 500);
  std::this_thread::sleep_for(500ms);  // some of them, or all, are in the database
  if (how == "file") std::filesystem::remove(directory + "/lane-00.ring");
  if (how != "file") std::filesystem::remove_all(directory);
  if (how == "replaced") mkdir(directory.c_str(), 0700);
  if (how == "forbidden") (void)!system(("touch '" + directory + "'").c_str());
  std::size_t noticed = 0;
  int waited = 0;
  for (int i = 0; i < 4; ++i) {
    const Counts more = track(tracker, "after" + std::to_string(i), 500);
    counts.kept += more.kept;
    counts.in_memory += more.in_memory;
    counts.refused += more.refused;
    // The first of them make the worker look.
    for (; noticed == 0 && waited < 120'000; waited += 10) {
      std::this_thread::sleep_for(10ms);
      noticed += tracker.take_log_lines().size();
    }
  }
  tell("tracked", counts);
  std::printf("lost %d noticed %d\n", static_cast<int>(tracker.stats().lost), static_cast<int>(noticed));
  std::fflush(stdout);
  _exit(0);  // as if killed
}

int opens(const std::string& directory) {
  yukha::Tracker tracker = yukha::Tracker::open(config_of(directory));
  const yukha::Status status = tracker.status();
  std::printf("status %s\n", status == yukha::Code::ok               ? "ok"
                             : status == yukha::Code::kept_in_memory ? "memory"
                             : status == yukha::Code::bad_config     ? "config"
                                                                     : "other");
  std::printf("message %s\n", status.message().c_str());
  tell("kept", track(tracker, "x", 10));
  std::printf("waiting %d\n", static_cast<int>(tracker.stats().waiting));
  for (const yukha::LogLine& notice : tracker.take_log_lines()) std::printf("notice %s\n", notice.text.c_str());
  static_cast<void>(tracker.close(2s));
  return 0;
}

int backlog(const std::string& directory, const char* endpoint) {
  yukha::Tracker tracker = yukha::Tracker::open(config_of(directory, endpoint));
  unsigned seed = 1;
  for (int i = 0; i < 60'000; ++i) {
    std::string noise;
    for (int k = 0; k < 200; ++k)
      noise += static_cast<char>('!' + 1 + (seed = seed * 1664525 + 1013904223) / 16777216 % 80);
    while (!tracker.event().content("c" + std::to_string(i), {{"noise", noise}}).action("READ").track()) usleep(2000);
  }
  std::printf("waiting %d\n", static_cast<int>(tracker.stats().waiting));
  std::fflush(stdout);
  std::getchar();
  std::printf("flush %d\n", tracker.flush(600s) == yukha::Code::ok);
  std::this_thread::sleep_for(1s);
  std::printf("waiting %d\n", static_cast<int>(tracker.stats().waiting));
  std::fflush(stdout);
  std::getchar();
  static_cast<void>(tracker.close(2s));
  return 0;
}

}  // namespace

int main(int count, char** words) {
  const std::string shape = count > 1 ? words[1] : "";
  const std::string directory = count > 2 ? words[2] : "";
  const char* third = count > 3 ? words[3] : nullptr;
  if (shape == "lanes") return lanes_made_at_once(directory, atoi(words[3]), atoi(words[4]), atoi(words[5]) != 0);
  if (shape == "backup") return backup_reads(directory);
  if (shape == "second") return second(directory, third);
  if (shape == "elsewhere") return goes_elsewhere(directory);
  if (shape == "loses") return loses_its_directory(directory, words[3]);
  if (shape == "opens") return opens(directory);
  if (shape == "backlog") return backlog(directory, third);
  if (shape == "waiting") return std::printf("waiting %d\n", static_cast<int>(waiting_in(directory, atoi(third)))) < 0;
  return 2;
}

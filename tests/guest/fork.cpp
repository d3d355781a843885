// A busy host that forks children again and again, each of which does to the tracker what a child may do.
//
//   fork WHERE FOLDER TIMES
//
// WHERE: `same` or `other`, where the child opens a tracker of its own; `closed`, where the parent closed its own
// before. It tells "accepted N lost N waiting N", what a tracker that is opened afterwards finds; its exit code says
// what was wrong: 1 a child hung, 2 a child was not told what it should be, 3 the parent was disturbed.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>
#include <yukha/yukha.hpp>

using namespace std::chrono_literals;

namespace {

bool is_child = false;

// The sanitizer's allocator has locks of its own, which another thread may hold at the fork.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool children_may_hang = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool children_may_hang = true;
#else
constexpr bool children_may_hang = false;
#endif
#else
constexpr bool children_may_hang = false;
#endif
constexpr int patience_ms = children_may_hang ? 1000 : 8000;

yukha::Config config_in(const std::string& folder) {
  yukha::Config config;
  config.app_id = "guest";
  config.queue_dir = folder;
  config.sync_interval = 10ms;
  return config;
}

// What is wrong with the child, which ends in the way of its number.
void be_a_child(yukha::Tracker& parents, const std::string& folder, bool may_open, int number) {
  is_child = true;
  bool right = parents.event().action("CHILD").track() == yukha::Code::forked_child;
  {
    yukha::Tracker own = yukha::Tracker::open(config_in(folder));
    const yukha::Code wanted = may_open ? yukha::Code::ok : yukha::Code::forked_child;
    right = right && own.status() == wanted && own.event().action("CHILD").track() == wanted;
    right = right && own.flush(10ms) == (may_open ? yukha::Code::still_waiting : wanted);
    if (number % 2 == 0) right = right && own.close() == wanted;
    if (!right) std::fprintf(stderr, "the child was told: %s\n", own.status().message().c_str());
    if (number % 8 == 3) std::exit(right ? 0 : 2);  // with its own tracker in the middle of a function
  }
  if (!right) _exit(2);
  if (number % 4 == 0) std::exit(0);
  if (number % 4 == 1) execl("/bin/true", "true", static_cast<char*>(nullptr));
  if (number % 4 == 2) std::abort();
  _exit(0);
}

}  // namespace

// The leak sanitizer asks. What the parent's other threads had in their hands has nobody in a child, and is no leak.
extern "C" int __lsan_is_turned_off() {
  return is_child ? 1 : 0;
}

int main(int argc, char** argv) {
  if (argc != 4) return 64;
  const std::string where = argv[1];
  const std::string folder = argv[2];
  const int times = std::atoi(argv[3]);
  yukha::Tracker tracker = yukha::Tracker::open(config_in(folder));
  if (tracker.status() != yukha::Code::ok) return 65;
  const bool closed = where == "closed";
  if (closed) static_cast<void>(tracker.close());

  std::atomic<bool> goes_on{!closed};
  std::atomic<int> kept{0};
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    while (goes_on) {
      for (int i = 0; i < 20; ++i) kept += tracker.event().action("READ").track() == yukha::Code::ok ? 1 : 0;
      std::this_thread::sleep_for(300us);
    }
  });
  threads.emplace_back([&] {
    // Trackers come and go as well: a lane of their own, or a directory.
    for (int i = 0; goes_on; ++i) {
      yukha::Tracker other = yukha::Tracker::open(config_in(folder + (i % 2 == 0 ? "" : "-of-another")));
      static_cast<void>(other.stats());
      std::this_thread::sleep_for(2ms);
    }
  });
  int wrong = 0;
  for (int number = 0; number < times && wrong == 0; ++number) {
    const pid_t child = fork();
    if (child == 0) {
      signal(SIGABRT, SIG_DFL);
      be_a_child(tracker, where == "same" ? folder : folder + "-of-children", closed, number);
    }
    int status = 0;
    bool ended = false;
    for (int ms = 0; !ended && ms < patience_ms; ++ms) {
      ended = waitpid(child, &status, WNOHANG) == child;
      if (!ended) std::this_thread::sleep_for(1ms);
    }
    if (!ended) {
      std::fprintf(stderr, "child %d hangs\n", number);
      if (std::getenv("STAY") != nullptr) {
        std::fprintf(stderr, "pid %d\n", child);
        pause();
      }
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      wrong = children_may_hang ? 0 : 1;
    } else if (number % 4 == 2 ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT
                               : !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      std::fprintf(stderr, "child %d ended with %d\n", number, status);
      wrong = 2;
    }
  }
  goes_on = false;
  for (std::thread& thread : threads) thread.join();
  if (!closed && tracker.close() != yukha::Code::ok) wrong = 3;
  yukha::Config again = config_in(folder);
  again.lane = "lane-00";
  const yukha::Tracker found = yukha::Tracker::open(again);
  const yukha::Stats stats = found.stats();
  std::printf("kept %d accepted %d lost %d\n", kept.load(), static_cast<int>(stats.accepted),
              static_cast<int>(stats.lost));
  return wrong;
}

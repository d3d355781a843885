// A host that looks at its descriptors, and at those that its children are given, while requests run.
//
//   descriptors children FOLDER ENDPOINT TIMES    each child that is exec'd has what the first one had, before the
//   tracker descriptors without_stdio FOLDER ENDPOINT TIMES   the host was started with 0, 1 and 2 closed descriptors
//   send FOLDER ENDPOINT CA_FILE      tracks for each line of standard input, and tells what became of it
//
// Exit code 1, with a line on standard error or in FOLDER.told, when a promise was broken.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <set>
#include <string>
#include <thread>
#include <yukha/yukha.hpp>

using namespace std::chrono_literals;

namespace {

std::string target_of(int number) {
  char target[PATH_MAX];
  const ssize_t size = readlink(("/proc/self/fd/" + std::to_string(number)).c_str(), target, sizeof target);
  return size > 0 ? std::string(target, static_cast<std::size_t>(size)) : std::string();
}

// Those that stay open on exec, which is what a child would have.
std::set<int> inherited() {
  std::set<int> numbers;
  for (int number = 0; number < 256; ++number) {
    const int flags = fcntl(number, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0) numbers.insert(number);
  }
  return numbers;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 64;
  const std::string shape = argv[1];
  const std::string folder = argv[2];
  if (shape == "without_stdio") {
    for (const int number : {0, 1, 2}) close(number);
  }
  const std::set<int> before = inherited();
  yukha::Config config;
  config.app_id = "guest";
  config.queue_dir = folder;
  config.endpoint = argv[3];
  config.keys = {{"key", "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="}};
  config.upload_interval = 100ms;
  config.sync_interval = 10ms;
  if (shape == "send") config.ca_file = argv[4];
  yukha::Tracker tracker = yukha::Tracker::open(config);
  if (tracker.status() != yukha::Code::ok) return 65;
  if (shape == "send") {
    for (std::string line; std::getline(std::cin, line);) {
      static_cast<void>(tracker.event().content(line).action("READ").track());
      const yukha::Status flushed = tracker.flush(std::chrono::milliseconds(line == "no" ? 500 : 20'000));
      std::cout << yukha::code_name(flushed.code()) << " " << tracker.stats().delivered << " " << flushed.message()
                << std::endl;
    }
    return 0;
  }
  const int times = std::atoi(argv[4]);
  for (int i = 0; i < times; ++i) {
    static_cast<void>(tracker.event().action("READ").track());
    std::this_thread::sleep_for(5ms);
    for (const int number : inherited()) {
      const std::string target = target_of(number);
      if (before.count(number) != 0 || target.empty()) continue;  // gone meanwhile
      if (shape == "without_stdio" && number <= 2 && target == "/dev/null") continue;
      std::fprintf(stderr, "a child would have %d, which is %s\n", number, target.c_str());
      return 1;
    }
    if (shape != "without_stdio") continue;
    for (const int number : {0, 1, 2}) {
      if (const std::string target = target_of(number); !target.empty() && target != "/dev/null") return 1;
    }
  }
  return tracker.flush(30s) == yukha::Code::ok ? 0 : 66;
}
